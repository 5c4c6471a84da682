//! What `put` and `get` take.

use crate::ErasedHandler;
use crate::object::ObjectHandler;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::ops::Deref;

/// A value that can be stored and read back: every serde type, by the `object` handler unless one is registered
/// for exactly this type.
///
/// A local type without serde may implement it and name its own fallback. Foreign types without serde go through
/// `put_typed` and a registered handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as it is",
    note = "derive `serde::Serialize` and `serde::Deserialize` for a type of yours",
    note = "for a foreign type such as an array, register its handler and call `put_typed` and `get_typed`"
)]
pub trait Value: Any + Send + Sync + Sized {
    /// The handler that stores the type when none is registered for it.
    fn fallback() -> Option<&'static dyn ErasedHandler>;
}

impl<T: Serialize + DeserializeOwned + Any + Send + Sync> Value for T {
    fn fallback() -> Option<&'static dyn ErasedHandler> {
        Some(const { &ObjectHandler::<T>::new() })
    }
}

/// What `put` borrows: any [`Value`], and `str` and slices, which are stored as `String` and `Vec`.
pub trait Put {
    /// The type that `get` reads back.
    type Stored: Value;

    /// The value in its stored form.
    fn lend(&self) -> Lent<'_, Self::Stored>;
}

/// A value in its stored form: the caller's own, or one made for the purpose.
#[derive(Debug)]
pub enum Lent<'v, T> {
    /// The caller's.
    Borrowed(&'v T),
    /// Made of what the caller lent.
    Owned(T),
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Borrowed(value) => value,
            Self::Owned(value) => value,
        }
    }
}

impl<T: Value> Put for T {
    type Stored = T;

    fn lend(&self) -> Lent<'_, T> {
        Lent::Borrowed(self)
    }
}

impl Put for str {
    type Stored = String;

    fn lend(&self) -> Lent<'_, String> {
        Lent::Owned(self.to_owned())
    }
}

impl<T: Clone> Put for [T]
where
    Vec<T>: Value,
{
    type Stored = Vec<T>;

    fn lend(&self) -> Lent<'_, Vec<T>> {
        Lent::Owned(self.to_vec())
    }
}
