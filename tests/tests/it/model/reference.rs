//! The reference: a map, and a time that is told to it.

use super::compare::{Answer, Counted};
use super::names::name;
use super::operation::{Move, Operation, Refusal, Said, Slot, Space, Spot, Through};
use super::pair::Setup;
use super::value::Datum;
use super::value::Kind;
use cacheness::ErrorKind;
use cacheness::core::Timestamp;
use cacheness_tests::NOW;
use std::collections::BTreeMap;
use std::time::Duration;

/// An entry, expired or not: it is there until something removes it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) value: Datum,
    pub(super) kind: Kind,
    pub(super) space: Space,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    /// What a use does not move the expiry beyond.
    pub(super) until: Option<Timestamp>,
    pub(super) said: Said,
    /// Whether a tag of it was invalidated.
    pub(super) is_invalidated: bool,
    pub(super) used: Used,
    /// Another number after every change.
    pub(super) revision: u64,
}

/// How an entry was used, as far as it was told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) at: Option<Timestamp>,
    pub(super) hits: u64,
}

/// What an opening knows by itself.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) untold: BTreeMap<Spot, Used>,
    pub(super) told_at: Timestamp,
    pub(super) counted: Counted,
}

impl Opening {
    fn at(now: Timestamp) -> Self {
        Self { untold: BTreeMap::new(), told_at: now, counted: Counted::default() }
    }

    /// The notes of an entry that is not there any more go with it.
    pub(super) fn forget(&mut self, spot: Spot) -> Option<Used> {
        self.untold.remove(&spot)
    }
}

pub(super) struct Reference {
    pub(super) now: Timestamp,
    pub(super) default_ttl: Option<Duration>,
    pub(super) keeps_parameters: bool,
    pub(super) entries: BTreeMap<Spot, Held>,
    pub(super) openings: [Opening; 2],
    revisions: u64,
}

impl Reference {
    pub(super) fn new(setup: &Setup) -> Self {
        let now = Timestamp::from_micros(NOW);
        Self {
            now,
            default_ttl: setup.default_ttl,
            keeps_parameters: setup.keeps_parameters,
            entries: BTreeMap::new(),
            openings: [Opening::at(now), Opening::at(now)],
            revisions: 0,
        }
    }

    /// What the openings noted is told, and they begin anew.
    pub(super) fn reopen(&mut self) {
        for second in [false, true] {
            self.tell(second);
            self.openings[usize::from(second)] = Opening::at(self.now);
        }
    }

    /// What the clock shows after a move.
    pub(super) fn turn(&mut self, clock: Move) -> Timestamp {
        let now = self.now.as_micros();
        let near = |end: &i64| (end - NOW).abs() < 1 << 50;
        let ends: Vec<_> = self.entries.values().flat_map(Held::turning_points).filter(near).collect();
        self.now = Timestamp::from_micros(match clock {
            Move::Forward(micros) => now + micros as i64,
            Move::Back(micros) => now - micros as i64,
            Move::Boundary { beside, .. } if ends.is_empty() => now + beside,
            Move::Boundary { which, beside } => ends[which % ends.len()] + beside,
        });
        self.now
    }

    /// The entries that expire within a microsecond of now, or whose expiry a use begins to move then.
    pub(super) fn at_a_turning_point(&self) -> impl Iterator<Item = Spot> {
        let now = self.now.as_micros();
        let is_near = move |held: &Held| held.turning_points().any(|point| point.abs_diff(now) <= 1);
        self.entries.iter().filter(move |(_, held)| is_near(held)).map(|(spot, _)| *spot)
    }

    /// The entry of a key, when it is live.
    pub(super) fn live(&self, spot: Spot) -> Option<&Held> {
        self.entries.get(&spot).filter(|held| self.is_live(held))
    }

    pub(super) fn all_live(&self) -> impl Iterator<Item = Spot> {
        self.entries.iter().filter(|(_, held)| self.is_live(held)).map(|(spot, _)| *spot)
    }

    /// How long ago the live entry of a key was put.
    pub(super) fn age(&self, spot: Spot) -> Duration {
        self.live(spot).map_or(Duration::ZERO, |held| span(held.created_at, self.now))
    }

    /// Whether there is an entry under a key, expired or not.
    pub(super) fn holds(&self, spot: Spot) -> bool {
        self.entries.contains_key(&spot)
    }

    pub(super) fn is_live(&self, held: &Held) -> bool {
        !held.is_invalidated && held.expires_at.is_none_or(|end| self.now < end)
    }

    pub(super) fn revision(&mut self) -> u64 {
        self.revisions += 1;
        self.revisions
    }

    /// Does to the map what an operation does to a cache.
    pub(super) fn apply(&mut self, through: Through, operation: &Operation) -> Answer {
        let Through { space, of, .. } = through;
        let own = |held: &Held| space == 0 || held.space == space;
        let nothing = Said::default();
        match operation {
            Operation::Put(slot, content) | Operation::PutShared(slot, content) => {
                self.put_many(through, &[(*slot, *content)])
            }
            // What comes from a reader may be of any size.
            Operation::PutReader(slot, content) => self.put_with(through, *slot, *content, &nothing),
            Operation::PutWith(slot, content, said) => self.put_with(through, *slot, *content, said),
            Operation::PutIfAbsent(slot, content) => {
                Answer::Flag(self.put_where(through, *slot, *content, &nothing, false))
            }
            Operation::PutIfAbsentWith(slot, content, said) => {
                Answer::Flag(self.put_where(through, *slot, *content, said, false))
            }
            Operation::Update(slot, content) => Answer::Flag(self.put_where(through, *slot, *content, &nothing, true)),
            Operation::UpdateWith(slot, content, said) => {
                Answer::Flag(self.put_where(through, *slot, *content, said, true))
            }
            Operation::PutMany(_, puts) => self.put_many(through, puts),
            Operation::UpdateMany(_, puts) => {
                let mut update = |(slot, content): &(Slot, _)| self.put_where(through, *slot, *content, &nothing, true);
                Answer::Count(puts.iter().filter(|put| update(put)).count() as u64)
            }
            Operation::GetOrPut(slot, content) => self.get_or_put(through, *slot, *content, false),
            Operation::TryGetOrPut(slot, content, fails) => self.get_or_put(through, *slot, *content, *fails),
            Operation::Refused(_, refusal) => Answer::failed(match refusal {
                Refusal::ZeroTtl | Refusal::ZeroIdle | Refusal::TouchForZero => ErrorKind::Config,
                Refusal::MetadataNoObject => ErrorKind::Config,
                Refusal::FailingReader => ErrorKind::Storage,
            }),
            Operation::Read(slot, path) => self.read(through, (of, *slot), *path),
            Operation::GetMany(kind, slots) => {
                Answer::Values(slots.iter().map(|slot| self.get(through, (of, *slot), *kind)).collect())
            }
            Operation::Entries { meaning, .. } => self.listing(through, meaning),
            Operation::Ages => self.ages(through),
            Operation::Stats => {
                let counted = self.openings[usize::from(through.second)].counted.clone();
                Answer::Stats { entries: self.entries.len() as u64, counted }
            }
            Operation::ResetStats => {
                self.openings[usize::from(through.second)].counted = Counted::default();
                Answer::Done
            }
            Operation::Flush => {
                self.tell(through.second);
                Answer::Done
            }
            Operation::Touch(slot, ttl) => Answer::Flag(self.touch((of, *slot), *ttl)),
            Operation::TouchMany(slots, ttl) => {
                Answer::Count(slots.iter().filter(|slot| self.touch((of, **slot), *ttl)).count() as u64)
            }
            Operation::Invalidate(slot) => Answer::Flag(self.invalidate(through, (of, *slot))),
            Operation::InvalidateMany(slots) => {
                Answer::Count(slots.iter().filter(|slot| self.invalidate(through, (of, **slot))).count() as u64)
            }
            Operation::InvalidateWhere(meaning) => {
                let now = self.now;
                self.reclaim(through, |this, held| own(held) && this.is_live(held) && meaning.means(held, now))
            }
            Operation::InvalidateIf(least) => {
                let is_meant = |held: &Held| held.said.number.is_some_and(|number| number >= *least);
                let gone = self.remove_if(|this, held| own(held) && this.is_live(held) && is_meant(held));
                Answer::Count(gone.len() as u64)
            }
            Operation::InvalidateTag(tag) => {
                let meant = self.entries.values_mut().filter(|held| own(held) && held.said.tags.contains(tag));
                meant.for_each(|held| held.is_invalidated = true);
                Answer::Done
            }
            Operation::CleanupExpired => self.reclaim(through, |this, held| !this.is_live(held)),
            Operation::Clear => self.reclaim(through, |_, held| own(held)),
            Operation::Copy(from, to) => self.alias(through, (of, *from), *to, false, false),
            Operation::Rename(from, to) => self.alias(through, (of, *from), *to, true, false),
            Operation::CopyWith(from, to, overwrites) => self.alias(through, (of, *from), *to, false, *overwrites),
            Operation::RenameWith(from, to, overwrites) => self.alias(through, (of, *from), *to, true, *overwrites),
            Operation::Sweep => Answer::Done,
            Operation::Verify => Answer::Clean { entries: self.entries.len() as u64 },
        }
    }

    pub(super) fn names(&self, space: Space, slots: impl Iterator<Item = Slot>) -> Answer {
        Answer::Keys(slots.map(|slot| name((space, slot))).collect())
    }
}

impl Held {
    /// When it expires, and when a use begins to move that.
    fn turning_points(&self) -> impl Iterator<Item = i64> {
        let end = self.expires_at.map(Timestamp::as_micros);
        let half = self.said.idle.and_then(|idle| i64::try_from(idle.as_micros() / 2).ok());
        end.into_iter().chain(end.zip(half).map(|(end, half)| end.saturating_sub(half)))
    }
}

/// From one time to another; nothing when that lies before.
pub(super) fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.as_micros().saturating_sub(from.as_micros())).unwrap_or(0))
}
