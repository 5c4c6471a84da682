//! The subject: one store over a pair of backends, opened twice, and what each operation is on a real cache.

use super::asking::{Asked, ask};
use super::compare::{Answer, Counted, Failure, Seen};
use super::meaning::tag_text;
use super::names::{address, parameters as key};
use super::operation::{Face, Operation, Slot, Spot, Through};
use super::pair::{Handles, Home, Memory, Pair, Setup, TINY};
use cacheness::core::Timestamp;
use cacheness::core::runtime::block_on;
use cacheness::{CopyOptions, Entry, Query, Result, Stats};

pub(super) struct Subject {
    openings: [Handles; 2],
    home: Home,
    memories: [Memory; 2],
}

impl Subject {
    pub(super) fn open(pair: Pair, setup: &Setup) -> Result<Self> {
        let home = Home::new(pair, setup)?;
        Ok(Self { openings: home.open_both()?, home, memories: setup.memories.of_both() })
    }

    pub(super) fn set_time(&self, now: Timestamp) {
        self.home.set_time(now);
    }

    /// Closes the store and opens it again, where it outlives that; says whether it does.
    pub(super) fn reopen(&mut self) -> Result<bool> {
        if self.home.persists() {
            self.openings.iter().try_for_each(|[cache, ..]| cache.close())?;
            self.openings = self.home.open_both()?;
        }
        Ok(self.home.persists())
    }

    /// Everything known about a live entry.
    pub(super) fn entry(&self, (space, slot): Spot) -> Result<Option<Entry>> {
        self.openings[0][usize::from(space)].metadata(key(slot))
    }

    pub(super) fn asked(&self, through: Through) -> Asked<'_> {
        let cache = &self.openings[usize::from(through.second)][usize::from(through.space)];
        Asked { face: through.face, cache }
    }

    /// Does an operation.
    pub(super) fn apply(&self, through: Through, operation: &Operation) -> Answer {
        let answer = match operation {
            Operation::Read(slot, path) => self.read(through, *slot, *path),
            Operation::GetMany(kind, slots) => self.read_many(through, *kind, slots),
            _ => self.store(through, operation),
        };
        self.home.settle();
        answer.unwrap_or_else(|error| Answer::Failed(Failure(error)))
    }

    /// Does what neither reads values nor stores them.
    pub(super) fn manage(&self, through: Through, operation: &Operation) -> Result<Answer> {
        let asked = self.asked(through);
        let at = |slot: &Slot| address(through, *slot);
        Ok(match operation {
            Operation::Entries { meaning, limit } => {
                let mut query = Query::new().filter(meaning.filter()).limit(*limit);
                let mut seen = Vec::new();
                loop {
                    let page = ask!(asked, entries(&query));
                    assert!(page.entries.len() <= *limit, "{page:?}");
                    seen.extend(page.entries.iter().map(Seen::of));
                    let Some(next) = page.next else { break };
                    query = query.after(next);
                }
                Answer::Listing(seen)
            }
            Operation::Ages => Answer::Ages(ask!(asked, ages()).map(|ages| (ages.oldest, ages.newest))),
            Operation::Stats => {
                let stats = ask!(asked, stats());
                self.check_memory(through, &stats);
                Answer::Stats { entries: stats.entries, counted: Counted::of(&stats) }
            }
            Operation::ResetStats => {
                match asked.face {
                    Face::Blocking => asked.cache.reset_stats(),
                    Face::Async => asked.in_async().reset_stats(),
                }
                Answer::Done
            }
            Operation::Flush => {
                ask!(asked, flush());
                Answer::Done
            }
            Operation::Touch(slot, ttl) => Answer::Flag(ask!(asked, touch(at(slot), *ttl))),
            Operation::TouchMany(slots, ttl) => Answer::Count(ask!(asked, touch_many(slots.iter().map(at), *ttl))),
            Operation::Invalidate(slot) => Answer::Flag(ask!(asked, invalidate(at(slot)))),
            Operation::InvalidateMany(slots) => Answer::Count(ask!(asked, invalidate_many(slots.iter().map(at)))),
            Operation::InvalidateWhere(meaning) => Answer::Count(ask!(asked, invalidate_where(&meaning.filter()))),
            Operation::InvalidateIf(least) => {
                let least = *least;
                let number = |entry: &Entry| entry.metadata().get("number")?.as_i64();
                Answer::Count(ask!(
                    asked,
                    invalidate_if(move |entry| number(entry).is_some_and(|number| number >= least))
                ))
            }
            Operation::InvalidateTag(tag) => {
                ask!(asked, invalidate_tag(&tag_text(*tag)));
                Answer::Done
            }
            Operation::CleanupExpired => Answer::Count(ask!(asked, cleanup_expired())),
            Operation::Clear => Answer::Count(ask!(asked, clear())),
            Operation::Copy(from, to) => Answer::Flag(ask!(asked, copy(at(from), key(*to)))),
            Operation::Rename(from, to) => Answer::Flag(ask!(asked, rename(at(from), key(*to)))),
            Operation::CopyWith(from, to, overwrites) => {
                let options = CopyOptions::new().overwrite(*overwrites);
                Answer::Flag(ask!(asked, copy_with(at(from), key(*to), options)))
            }
            Operation::RenameWith(from, to, overwrites) => {
                let options = CopyOptions::new().overwrite(*overwrites);
                Answer::Flag(ask!(asked, rename_with(at(from), key(*to), options)))
            }
            Operation::Sweep => {
                ask!(asked, sweep());
                Answer::Done
            }
            Operation::Verify => {
                let verified = ask!(asked, verify());
                let is_clean = (verified.damaged, verified.unreferenced, verified.staging_files) == (0, 0, 0);
                assert!(is_clean, "{verified:?}");
                Answer::Clean { entries: verified.entries }
            }
            stores => unreachable!("{stores:?} is no managing"),
        })
    }

    /// Copies in memory stay within their limit, and there are none where there is no memory layer.
    fn check_memory(&self, through: Through, stats: &Stats) {
        match (self.memories[usize::from(through.second)], &stats.memory) {
            (Memory::None, None) | (Memory::Unset | Memory::Unproven, Some(_)) => {}
            (Memory::Tiny(_), Some(memory)) => assert!(memory.bytes <= TINY, "{memory:?}"),
            (memory, stats) => panic!("{memory:?}, and {stats:?}"),
        }
    }
}
