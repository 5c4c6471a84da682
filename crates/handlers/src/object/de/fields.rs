//! The fields of a struct while they are read. Serde fills a missing `Option` with `None` and passes over what it
//! does not know, so a renamed field, or another struct, would be read as garbage; here that is an error.

use super::access::Entries;
use super::{Decoder, Title};
use crate::object::error::{ObjectError, Result};
use crate::object::reader::Token;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess};

/// The entries of a map that is read as a struct.
pub(super) struct Fields<'a, 'de> {
    entries: Entries<'a, 'de>,
    /// The names the type knows, aliases included.
    names: &'static [&'static str],
    seen: Seen,
    /// Where the name of the next field is looked for first: most structs are read as they were written.
    next: usize,
    /// A stored field that the type does not know.
    unknown: Option<&'de str>,
}

impl<'a, 'de> Fields<'a, 'de> {
    pub(super) fn new(decoder: &'a mut Decoder<'de>, names: &'static [&'static str], len: usize) -> Self {
        Self { entries: Entries::new(decoder, len), names, seen: Seen::default(), next: 0, unknown: None }
    }

    /// Notes a stored field; says whether it is where the type would have written it.
    fn meet(&mut self, name: &'de str) -> bool {
        let place = match self.names.get(self.next) {
            Some(expected) if *expected == name => Some(self.next),
            _ => self.names.iter().position(|known| *known == name),
        };
        let Some(place) = place else {
            self.unknown = Some(name);
            return false;
        };
        let in_order = place >= self.next;
        self.seen.insert(place);
        self.next = place + 1;
        in_order
    }

    /// Hands `value` on when all entries were read and they are not those of another struct.
    pub(super) fn finish<R>(mut self, title: Title<'_>, value: R) -> Result<R> {
        let missing = self.names.iter().enumerate().find(|(place, _)| !self.seen.contains(*place));
        if let Some((_, missing)) = missing {
            self.entries.doubt();
            if let Some(unknown) = self.unknown {
                return Err(ObjectError::mismatch(format_args!(
                    "{title} has a field `{missing}` that is not stored, and lacks `{unknown}` that is"
                )));
            }
        }
        self.entries.finish(value)
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = ObjectError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some(decoder) = self.entries.next_key()? else { return Ok(None) };
        match decoder.token()? {
            Token::String(name) => {
                if !self.meet(name) {
                    self.entries.doubt();
                }
                seed.deserialize(BorrowedStrDeserializer::<ObjectError>::new(name)).map(Some)
            }
            _ => Err(ObjectError::mismatch("a struct was asked for and a map with other keys than names is stored")),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        self.entries.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint()
    }
}

/// A set of places in a list of names, without allocation for the first 64.
#[derive(Debug, Default)]
struct Seen {
    first: u64,
    rest: Vec<usize>,
}

impl Seen {
    fn insert(&mut self, place: usize) {
        match place {
            0..64 => self.first |= 1 << place,
            _ => self.rest.push(place),
        }
    }

    fn contains(&self, place: usize) -> bool {
        match place {
            0..64 => self.first & (1 << place) != 0,
            _ => self.rest.contains(&place),
        }
    }
}
