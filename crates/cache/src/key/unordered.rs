//! Parameters whose order nobody chose.

use super::UNORDERED_NAME;
use serde::Serialize;
use serde::ser::{SerializeTupleStruct, Serializer};

/// Parameters whose order does not count, such as those of a `HashSet`, whose order serde shows and nobody chose.
///
/// ```
/// use cacheness_cache::{Key, unordered};
/// use std::collections::HashSet;
///
/// let wanted: HashSet<_> = ["b", "a"].into();
/// assert_eq!(Key::of(unordered(&wanted))?, Key::of(unordered(["a", "b"]))?);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
pub fn unordered<I>(parameters: I) -> Unordered<I::Item>
where
    I: IntoIterator,
    I::Item: Serialize,
{
    Unordered(parameters.into_iter().collect())
}

/// See [`unordered`].
#[derive(Debug, Clone)]
pub struct Unordered<T>(Vec<T>);

impl<T: Serialize> Serialize for Unordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_tuple_struct(UNORDERED_NAME, self.0.len())?;
        self.0.iter().try_for_each(|element| elements.serialize_field(element))?;
        elements.end()
    }
}
