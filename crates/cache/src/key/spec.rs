//! `key!`: parameters by name.

use super::compound::Entries;
use super::encode::{EncodeError, Encoder};
use super::{RawBytes, SPEC_NAME, refused};
use serde::Serialize;
use serde::ser::Serializer;

/// Parameters by name, in any order; made by [`key!`](crate::key!). It owns what it holds.
#[derive(Debug)]
pub struct KeySpec(Result<(Encoder, Entries), EncodeError>);

impl KeySpec {
    /// No parameters yet.
    pub fn new() -> Self {
        Self(Ok((Encoder::map(), Entries::default())))
    }

    /// Adds a parameter. What cannot be a parameter, or a second one of the name, is an error of the call that gets
    /// the key. A [`file`](crate::file()) is read then, too.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        if let Ok((encoder, entries)) = &mut self.0
            && let Err(error) = encoder.named(entries, name, value)
        {
            self.0 = Err(error);
        }
        self
    }
}

impl Default for KeySpec {
    fn default() -> Self {
        Self::new()
    }
}

impl Serialize for KeySpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (encoder, entries) = self.0.as_ref().map_err(refused)?;
        let bytes = encoder.map_with(entries).map_err(|error| refused(&error))?;
        serializer.serialize_newtype_struct(SPEC_NAME, &RawBytes(&bytes))
    }
}

/// Parameters by name: `key! { model: "xgboost", depth: 3 }`. Their order never matters; a variable's own name may
/// stand alone: `key! { city, units }`; a name that is no identifier is quoted: `key! { "max-depth": 3 }`.
///
/// ```
/// use cacheness_cache::{Key, key};
///
/// let city = "Oslo";
/// assert_eq!(Key::of(key! { city, units: "metric" })?, Key::of(key! { "units": "metric", city: city })?);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[macro_export]
macro_rules! key {
    (@with $spec:expr;) => { $spec };
    (@with $spec:expr; $name:ident: $value:expr $(, $($rest:tt)*)?) => {
        $crate::key!(@with $spec.with(stringify!($name), &$value); $($($rest)*)?)
    };
    (@with $spec:expr; $name:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::key!(@with $spec.with($name, &$value); $($($rest)*)?)
    };
    (@with $spec:expr; $name:ident $(, $($rest:tt)*)?) => {
        $crate::key!(@with $spec.with(stringify!($name), &$name); $($($rest)*)?)
    };
    ($($parameters:tt)*) => { $crate::key!(@with $crate::KeySpec::new(); $($parameters)*) };
}
