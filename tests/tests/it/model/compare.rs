//! What a cache answers, in a form that compares, and all that can be asked of it at one moment.

use super::meaning::Meaning;
use super::operation::{Operation, Path, SLOTS, SPACES, Space, Spot, Through};
use super::pair::Setup;
use super::reference::Reference;
use super::subject::Subject;
use super::value::{Datum, Kind};
use cacheness::storage::Version;
use cacheness::{Entry, Error, ErrorKind, MissReason, Stats, Ttl};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// What an operation returned.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Flag(bool),
    Count(u64),
    Keys(Vec<String>),
    Value(Option<Datum>),
    Values(Vec<Option<Datum>>),
    Computed { value: Option<Datum>, computed: bool },
    Ttl(Option<Ttl>),
    Seen(Option<Seen>),
    Both(Option<(Datum, Seen)>),
    Listing(Vec<Seen>),
    Ages(Option<(SystemTime, SystemTime)>),
    Stats { entries: u64, counted: Counted },
    Clean { entries: u64 },
    Failed(Failure),
}

impl Answer {
    pub(super) fn failed(kind: ErrorKind) -> Self {
        Self::Failed(Failure(Error::new(kind, "as the reference has it")))
    }
}

/// An error, equal to every other of its kind.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Error);

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind()
    }
}

/// What an opening counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counted {
    pub(super) hits: u64,
    pub(super) puts: u64,
    misses: [u64; REASONS.len()],
}

const REASONS: [MissReason; 4] =
    [MissReason::Absent, MissReason::Expired, MissReason::Invalidated, MissReason::OtherType];

impl Counted {
    pub(super) fn of(stats: &Stats) -> Self {
        let mut misses = REASONS.map(|reason| stats.misses_because(reason));
        // Which of the two it is, is the handlers' to say.
        misses[3] += stats.misses_because(MissReason::OtherSchema);
        Self { hits: stats.hits, puts: stats.puts, misses }
    }

    pub(super) fn miss(&mut self, reason: MissReason) {
        let counter = self.misses.iter_mut().zip(REASONS).find(|(_, counted)| *counted == reason);
        *counter.unwrap().0 += 1;
    }
}

/// What can be seen of an entry and foretold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) key: String,
    pub(super) space: Option<String>,
    pub(super) parameters: Option<Json>,
    pub(super) created_at: SystemTime,
    pub(super) updated_at: SystemTime,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) type_tag: String,
    pub(super) number: Option<i64>,
    pub(super) tags: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) accessed_at: Option<SystemTime>,
    pub(super) hits: u64,
}

impl Seen {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            key: entry.key().to_owned(),
            space: entry.namespace().map(str::to_owned),
            parameters: entry.parameters(),
            created_at: entry.created_at(),
            updated_at: entry.updated_at(),
            expires_at: entry.expires_at(),
            type_tag: entry.data_type().to_owned(),
            number: entry.metadata().get("number").and_then(|number| number.as_i64()),
            tags: entry.tags().to_vec(),
            description: entry.description().map(str::to_owned),
            accessed_at: entry.accessed_at(),
            hits: entry.hits(),
        }
    }
}

/// Compares a subject with a reference, and remembers which versions it has seen.
pub(super) struct Comparison {
    are_two: bool,
    versions: BTreeMap<Version, u64>,
    revisions: BTreeMap<u64, Version>,
    turn: usize,
}

impl Comparison {
    pub(super) fn new(setup: &Setup) -> Self {
        let are_two = setup.memories.are_two();
        Self { are_two, versions: BTreeMap::new(), revisions: BTreeMap::new(), turn: 0 }
    }

    /// Does an operation to both.
    pub(super) fn step(
        &self,
        subject: &Subject,
        reference: &mut Reference,
        through: Through,
        operation: &Operation,
    ) -> Result<(), TestCaseError> {
        let through = Through { second: through.second && self.are_two, ..through };
        let (expected, answer) = (reference.apply(through, operation), subject.apply(through, operation));
        prop_assert_eq!(answer, expected, "{:?} {:?}", through, operation);
        Ok(())
    }

    /// Reads an entry in every way, each time another one first, through the one opening and the other in turns, and
    /// through the handle of its namespace and that of all; in a few ways when nothing is there, not even what expired.
    pub(super) fn entry(
        &mut self,
        subject: &Subject,
        reference: &mut Reference,
        through: Through,
        spot: Spot,
    ) -> Result<(), TestCaseError> {
        let kind = reference.live(spot).map_or(Kind::Bytes, |held| held.kind);
        let other = Kind::ALL[(kind as usize + 2) % Kind::ALL.len()];
        let age = reference.age(spot);
        let gone = [Path::Get(kind), Path::Many(kind), Path::Exists, Path::Metadata];
        let there = [
            Path::Metadata,
            Path::Get(kind),
            Path::Shared(kind),
            Path::Exists,
            Path::Get(other),
            Path::WithMetadata(kind),
            Path::Listed,
            Path::Fresh(kind, age + Duration::from_micros(1)),
            Path::Fresh(kind, age),
            Path::Ttl,
            Path::Many(kind),
            Path::Reader,
        ];
        let paths = if reference.holds(spot) { there.as_slice() } else { gone.as_slice() };
        self.turn += 1;
        for place in self.turn..self.turn + paths.len() {
            let space = if place % 3 == 2 { 0 } else { spot.0 };
            let through = Through { second: through.second ^ (place % 2 == 1), space, of: spot.0, ..through };
            self.step(subject, reference, through, &Operation::Read(spot.1, paths[place % paths.len()]))?;
        }
        self.version(subject, reference, spot)
    }

    /// A version stands for one state of one entry, and a state has one version.
    fn version(&mut self, subject: &Subject, reference: &Reference, spot: Spot) -> Result<(), TestCaseError> {
        let entry = subject.entry(spot).unwrap();
        if let (Some(held), Some(entry)) = (reference.live(spot), entry) {
            let version = *self.revisions.entry(held.revision).or_insert(entry.version());
            prop_assert_eq!(version, entry.version(), "{:?} has another version, and did not change", spot);
            let revision = *self.versions.entry(version).or_insert(held.revision);
            prop_assert_eq!(revision, held.revision, "{:?} changed, and kept its version", spot);
        }
        Ok(())
    }

    /// Everything that can be seen.
    pub(super) fn everything(
        &mut self,
        subject: &Subject,
        reference: &mut Reference,
        through: Through,
    ) -> Result<(), TestCaseError> {
        let every = || Operation::Entries { meaning: Meaning::Every, limit: 5 };
        for space in 0..SPACES.len() as Space {
            let through = Through { space, of: space, ..through };
            self.step(subject, reference, through, &every())?;
            for slot in 0..SLOTS {
                self.entry(subject, reference, through, (space, slot))?;
            }
            for kind in Kind::ALL {
                self.step(subject, reference, through, &Operation::GetMany(kind, (0..SLOTS).collect()))?;
            }
            self.step(subject, reference, through, &Operation::Ages)?;
        }
        for second in [false, true] {
            let through = Through { second, ..through };
            self.step(subject, reference, through, &Operation::Flush)?;
            self.step(subject, reference, through, &Operation::Stats)?;
        }
        self.step(subject, reference, Through { space: 0, ..through }, &every())?;
        self.step(subject, reference, through, &Operation::Verify)
    }
}
