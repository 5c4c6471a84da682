//! Storing, through either face.

use super::asking::ask;
use super::compare::Answer;
use super::meaning::{description_text, tag_text};
use super::names::parameters as key;
use super::operation::{Face, Operation, Refusal, Said, Through};
use super::subject::Subject;
use super::value::{Kind, Sample, with_type};
use cacheness::core::runtime::block_on;
use cacheness::{PutOptions, Result};
use cacheness_tests::Results;
use serde_json::json;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

impl Subject {
    /// Does what stores; anything else is managing.
    pub(super) fn store(&self, through: Through, operation: &Operation) -> Result<Answer> {
        let asked = self.asked(through);
        macro_rules! compute {
            ($verb:ident($slot:expr, $computed:expr)) => {
                match asked.face {
                    Face::Blocking => asked.cache.$verb(key($slot), || $computed),
                    Face::Async => block_on(asked.in_async().$verb(key($slot), async || $computed)),
                }?
            };
        }
        let stored = |key: cacheness::Key| Answer::Keys(vec![key.to_string()]);
        Ok(match operation {
            Operation::Put(slot, content) => {
                with_type!(content.kind, T => stored(ask!(asked, put(key(*slot), &T::made_of(*content)))))
            }
            Operation::PutWith(slot, content, said) => with_type!(content.kind, T => {
                stored(ask!(asked, put_with(key(*slot), &T::made_of(*content), options(said))))
            }),
            Operation::PutShared(slot, content) => with_type!(content.kind, T => {
                stored(ask!(asked, put_shared(key(*slot), Arc::new(T::made_of(*content)))))
            }),
            Operation::PutIfAbsent(slot, content) => with_type!(content.kind, T => {
                Answer::Flag(ask!(asked, put_if_absent(key(*slot), &T::made_of(*content))))
            }),
            Operation::Update(slot, content) => with_type!(content.kind, T => {
                Answer::Flag(ask!(asked, update(key(*slot), &T::made_of(*content))))
            }),
            Operation::PutIfAbsentWith(slot, content, said) => with_type!(content.kind, T => {
                Answer::Flag(ask!(asked, put_if_absent_with(key(*slot), &T::made_of(*content), options(said))))
            }),
            Operation::UpdateWith(slot, content, said) => with_type!(content.kind, T => {
                Answer::Flag(ask!(asked, update_with(key(*slot), &T::made_of(*content), options(said))))
            }),
            Operation::UpdateMany(kind, puts) => with_type!(*kind, T => {
                let puts: Vec<_> = puts.iter().map(|(slot, content)| (key(*slot), T::made_of(*content))).collect();
                Answer::Count(ask!(asked, update_many(&puts)))
            }),
            Operation::PutMany(kind, puts) => with_type!(*kind, T => {
                let puts: Vec<_> = puts.iter().map(|(slot, content)| (key(*slot), T::made_of(*content))).collect();
                Answer::Keys(ask!(asked, put_many(&puts)).iter().map(ToString::to_string).collect())
            }),
            Operation::PutReader(slot, content) => {
                stored(ask!(asked, put_reader(key(*slot), Cursor::new(Vec::<u8>::made_of(*content)))))
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
                    Refusal::ZeroTtl => stored(ask!(asked, put_with(key, "value", options.ttl(Duration::ZERO)))),
                    Refusal::ZeroIdle => stored(ask!(asked, put_with(key, "value", options.idle_ttl(Duration::ZERO)))),
                    Refusal::MetadataNoObject => stored(ask!(asked, put_with(key, "value", options.metadata(1)))),
                    Refusal::TouchForZero => Answer::Flag(ask!(asked, touch(key, Some(Duration::ZERO)))),
                    Refusal::FailingReader => stored(ask!(asked, put_reader(key, FailingReader { left: 30_000 }))),
                }
            }
            _ => self.manage(through, operation)?,
        })
    }
}

fn options(said: &Said) -> PutOptions {
    let mut options = PutOptions::new().tags(said.tags.iter().map(|tag| tag_text(*tag)));
    if let Some(ttl) = said.ttl {
        options = options.ttl(ttl);
    }
    if let Some(idle) = said.idle {
        options = options.idle_ttl(idle);
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
