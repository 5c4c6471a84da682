//! The subject: one store over a pair of backends, opened twice, and what each operation is on a real cache.

use super::compare::{Answer, Failure, Seen};
use super::meaning::{description_text, tag_text};
use super::operation::{Face, Operation, Path, Refusal, Said, Slot, Through};
use super::pair::{Home, Pair, Setup};
use super::value::{Kind, Sample, with_type};
use cacheness::core::Timestamp;
use cacheness::core::runtime::block_on;
use cacheness::sync::Cache;
use cacheness::{Entry, Field, Filter, GetOptions, PutOptions, Query, Result, future};
use cacheness_tests::Results;
use serde_json::json;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

/// The parameters of a key.
pub(super) fn key(slot: Slot) -> (&'static str, Slot) {
    ("key", slot)
}

pub(super) struct Subject {
    home: Home,
    openings: [Cache; 2],
}

impl Subject {
    pub(super) fn open(pair: Pair, setup: &Setup) -> Result<Self> {
        let home = Home::new(pair, setup)?;
        Ok(Self { openings: [home.open()?, home.open()?], home })
    }

    pub(super) fn set_time(&self, now: Timestamp) {
        self.home.place.clock.set(now);
    }

    /// Closes the store and opens it again, where it outlives that.
    pub(super) fn reopen(&mut self) -> Result<()> {
        if self.home.persists() {
            self.openings.iter().try_for_each(Cache::close)?;
            self.openings = [self.home.open()?, self.home.open()?];
        }
        Ok(())
    }

    /// Everything known about a live entry.
    pub(super) fn entry(&self, slot: Slot) -> Result<Option<Entry>> {
        self.openings[0].metadata(key(slot))
    }

    /// Does an operation.
    pub(super) fn apply(&self, through: Through, operation: &Operation) -> Answer {
        self.answer(through, operation).unwrap_or_else(|error| Answer::Failed(Failure(error)))
    }

    fn answer(&self, through: Through, operation: &Operation) -> Result<Answer> {
        let opening = &self.openings[usize::from(through.second)];
        macro_rules! ask {
            ($($call:tt)+) => {
                match through.face {
                    Face::Blocking => opening.$($call)+,
                    Face::Async => block_on(future::Cache::from(opening.clone()).$($call)+),
                }?
            };
        }
        macro_rules! compute {
            ($verb:ident($slot:expr, $computed:expr)) => {
                match through.face {
                    Face::Blocking => opening.$verb(key($slot), || $computed),
                    Face::Async => block_on(future::Cache::from(opening.clone()).$verb(key($slot), async || $computed)),
                }?
            };
        }
        let stored = |key: cacheness::Key| Answer::Keys(vec![key.to_string()]);
        Ok(match operation {
            Operation::Put(slot, content) => {
                with_type!(content.kind, T => stored(ask!(put(key(*slot), &T::made_of(*content)))))
            }
            Operation::PutWith(slot, content, said) => with_type!(content.kind, T => {
                stored(ask!(put_with(key(*slot), &T::made_of(*content), options(said))))
            }),
            Operation::PutShared(slot, content) => with_type!(content.kind, T => {
                stored(ask!(put_shared(key(*slot), Arc::new(T::made_of(*content)))))
            }),
            Operation::PutIfAbsent(slot, content) => with_type!(content.kind, T => {
                Answer::Flag(ask!(put_if_absent(key(*slot), &T::made_of(*content))))
            }),
            Operation::Update(slot, content) => with_type!(content.kind, T => {
                Answer::Flag(ask!(update(key(*slot), &T::made_of(*content))))
            }),
            Operation::PutMany(kind, puts) => with_type!(*kind, T => {
                let puts: Vec<_> = puts.iter().map(|(slot, content)| (key(*slot), T::made_of(*content))).collect();
                Answer::Keys(ask!(put_many(&puts)).iter().map(ToString::to_string).collect())
            }),
            Operation::PutReader(slot, content) => {
                stored(ask!(put_reader(key(*slot), Cursor::new(Vec::<u8>::made_of(*content)))))
            }
            Operation::GetOrPut(slot, content) => with_type!(content.kind, T => {
                let mut computed = false;
                let value = compute!(get_or_put(*slot, {
                    computed = true;
                    T::made_of(*content)
                }));
                Answer::Computed { value: Some(value.datum()), computed }
            }),
            Operation::TryGetOrPut(slot, content, fails) => with_type!(content.kind, T => {
                let mut computed = false;
                let value: std::result::Result<T, &str> = compute!(try_get_or_put(*slot, {
                    computed = true;
                    if *fails { Err("it fails") } else { Ok(T::made_of(*content)) }
                }));
                Answer::Computed { value: value.ok().map(T::datum), computed }
            }),
            Operation::Refused(slot, refusal) => {
                let (key, options) = (key(*slot), PutOptions::new());
                match refusal {
                    Refusal::ZeroTtl => stored(ask!(put_with(key, "value", options.ttl(Duration::ZERO)))),
                    Refusal::MetadataNoObject => stored(ask!(put_with(key, "value", options.metadata(1)))),
                    Refusal::TouchForZero => Answer::Flag(ask!(touch(key, Some(Duration::ZERO)))),
                    Refusal::FailingReader => stored(ask!(put_reader(key, FailingReader { left: 30_000 }))),
                }
            }
            Operation::Read(slot, path) => {
                let key = key(*slot);
                match path {
                    Path::Get(kind) => with_type!(*kind, T => Answer::Value(ask!(get::<T>(key)).map(T::datum))),
                    Path::Shared(kind) => with_type!(*kind, T => {
                        Answer::Value(ask!(get_shared::<T>(key)).map(|value| T::clone(&value).datum()))
                    }),
                    Path::WithMetadata(kind) => with_type!(*kind, T => {
                        let found = ask!(get_with_metadata::<T>(key));
                        Answer::Both(found.map(|(value, entry)| (value.datum(), Seen::of(&entry))))
                    }),
                    Path::Fresh(kind, age) => with_type!(*kind, T => {
                        let options = GetOptions::new().max_age(*age);
                        Answer::Value(ask!(get_with::<T>(key, options)).map(T::datum))
                    }),
                    Path::Many(kind) => self.answer(through, &Operation::GetMany(*kind, vec![*slot]))?,
                    Path::Reader => Answer::Value(match ask!(get_reader(key)) {
                        Some(mut reader) => {
                            let mut bytes = Vec::new();
                            reader.read_to_end(&mut bytes)?;
                            Some(bytes.datum())
                        }
                        None => None,
                    }),
                    Path::Exists => Answer::Flag(ask!(exists(key))),
                    Path::Ttl => Answer::Ttl(ask!(ttl(key))),
                    Path::Metadata => Answer::Seen(ask!(metadata(key)).as_ref().map(Seen::of)),
                    Path::Listed => {
                        let name = cacheness::Key::of(key)?.to_string();
                        let query = Query::new().filter(Filter::eq(Field::Key, name.as_str()));
                        Answer::Listing(ask!(entries(&query)).entries.iter().map(Seen::of).collect())
                    }
                }
            }
            Operation::GetMany(kind, slots) => with_type!(*kind, T => {
                let found = ask!(get_many::<T, _>(slots.iter().map(|slot| key(*slot))));
                Answer::Values(found.into_iter().map(|value| value.map(T::datum)).collect())
            }),
            Operation::Entries { meaning, limit } => {
                let mut query = Query::new().filter(meaning.filter()).limit(*limit);
                let mut seen = Vec::new();
                loop {
                    let page = ask!(entries(&query));
                    assert!(page.entries.len() <= *limit, "{page:?}");
                    seen.extend(page.entries.iter().map(Seen::of));
                    let Some(next) = page.next else { break };
                    query = query.after(next);
                }
                Answer::Listing(seen)
            }
            Operation::Stats => Answer::Count(ask!(stats()).entries),
            Operation::Touch(slot, ttl) => Answer::Flag(ask!(touch(key(*slot), *ttl))),
            Operation::TouchMany(slots, ttl) => {
                Answer::Count(ask!(touch_many(slots.iter().map(|slot| key(*slot)), *ttl)))
            }
            Operation::Invalidate(slot) => Answer::Flag(ask!(invalidate(key(*slot)))),
            Operation::InvalidateMany(slots) => {
                Answer::Count(ask!(invalidate_many(slots.iter().map(|slot| key(*slot)))))
            }
            Operation::InvalidateWhere(meaning) => Answer::Count(ask!(invalidate_where(&meaning.filter()))),
            Operation::CleanupExpired => Answer::Count(ask!(cleanup_expired())),
            Operation::Clear => Answer::Count(ask!(clear())),
            Operation::Copy(from, to) => Answer::Flag(ask!(copy(key(*from), key(*to)))),
            Operation::Rename(from, to) => Answer::Flag(ask!(rename(key(*from), key(*to)))),
            Operation::Sweep => {
                ask!(sweep());
                Answer::Done
            }
            Operation::Verify => {
                let verified = ask!(verify());
                let is_clean = (verified.damaged, verified.unreferenced, verified.staging_files) == (0, 0, 0);
                assert!(is_clean, "{verified:?}");
                Answer::Clean { entries: verified.entries }
            }
        })
    }
}

fn options(said: &Said) -> PutOptions {
    let mut options = PutOptions::new().tags(said.tags.iter().map(|tag| tag_text(*tag)));
    if let Some(ttl) = said.ttl {
        options = options.ttl(ttl);
    }
    if let Some(number) = said.number {
        options = options.metadata(json!({"number": number, "beside": {"number": "another"}}));
    }
    if let Some(description) = said.description {
        options = options.description(description_text(description));
    }
    options
}

/// Gives some bytes, then an error.
struct FailingReader {
    left: usize,
}

impl Read for FailingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.left);
        buffer[..count].fill(7);
        self.left -= count;
        if count == 0 { Err(io::Error::other("the reader failed, says this test")) } else { Ok(count) }
    }
}
