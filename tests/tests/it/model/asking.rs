//! Calls through either face, and reading.

use super::compare::{Answer, Seen};
use super::names::address;
use super::operation::{Face, Path, Slot, Through};
use super::subject::Subject;
use super::value::{Kind, Sample, with_type};
use cacheness::core::runtime::block_on;
use cacheness::sync::Cache;
use cacheness::{Field, Filter, GetOptions, Query, Result, future};
use cacheness_tests::Results;
use std::io::Read;

/// A handle, and the face of it.
pub(super) struct Asked<'c> {
    pub(super) face: Face,
    pub(super) cache: &'c Cache,
}

impl Asked<'_> {
    pub(super) fn in_async(&self) -> future::Cache {
        future::Cache::from(self.cache.clone())
    }
}

/// Makes a call; its error is returned.
macro_rules! ask {
    ($asked:ident, $($call:tt)+) => {
        match $asked.face {
            Face::Blocking => $asked.cache.$($call)+,
            Face::Async => block_on($asked.in_async().$($call)+),
        }?
    };
}
pub(super) use ask;

impl Subject {
    pub(super) fn read(&self, through: Through, slot: Slot, path: Path) -> Result<Answer> {
        let asked = self.asked(through);
        let key = address(through, slot);
        Ok(match path {
            Path::Get(kind) => with_type!(kind, T => Answer::Value(ask!(asked, get::<T>(key)).map(T::datum))),
            Path::Shared(kind) => with_type!(kind, T => {
                Answer::Value(ask!(asked, get_shared::<T>(key)).map(|value| T::clone(&value).datum()))
            }),
            Path::WithMetadata(kind) => with_type!(kind, T => {
                let found = ask!(asked, get_with_metadata::<T>(key));
                Answer::Both(found.map(|(value, entry)| (value.datum(), Seen::of(&entry))))
            }),
            Path::Fresh(kind, age) => with_type!(kind, T => {
                let options = GetOptions::new().max_age(age);
                Answer::Value(ask!(asked, get_with::<T>(key, options)).map(T::datum))
            }),
            Path::Many(kind) => self.read_many(through, kind, &[slot])?,
            Path::Reader => Answer::Value(match ask!(asked, get_reader(key)) {
                Some(mut reader) => {
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes)?;
                    Some(bytes.datum())
                }
                None => None,
            }),
            Path::Exists => Answer::Flag(ask!(asked, exists(key))),
            Path::Ttl => Answer::Ttl(ask!(asked, ttl(key))),
            Path::Metadata => Answer::Seen(ask!(asked, metadata(key)).as_ref().map(Seen::of)),
            Path::Listed => {
                let name = super::names::name((through.of, slot));
                let query = Query::new().filter(Filter::eq(Field::Key, name.as_str()));
                Answer::Listing(ask!(asked, entries(&query)).entries.iter().map(Seen::of).collect())
            }
        })
    }

    pub(super) fn read_many(&self, through: Through, kind: Kind, slots: &[Slot]) -> Result<Answer> {
        let asked = self.asked(through);
        let keys = slots.iter().map(|slot| address(through, *slot));
        Ok(with_type!(kind, T => {
            let found = ask!(asked, get_many::<T, _>(keys));
            Answer::Values(found.into_iter().map(|value| value.map(T::datum)).collect())
        }))
    }
}
