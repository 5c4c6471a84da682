//! What a cache answers, in a form that compares, and all that can be asked of it at one moment.

use super::meaning::Meaning;
use super::operation::{Operation, Path, SLOTS, Slot, Through};
use super::reference::Reference;
use super::subject::Subject;
use super::value::{Datum, Kind};
use cacheness::storage::Version;
use cacheness::{Entry, Error, ErrorKind, Ttl};
use proptest::prelude::*;
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

/// What can be seen of an entry and foretold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) key: String,
    pub(super) created_at: SystemTime,
    pub(super) updated_at: SystemTime,
    pub(super) expires_at: Option<SystemTime>,
    pub(super) type_tag: String,
    pub(super) number: Option<i64>,
    pub(super) tags: Vec<String>,
    pub(super) description: Option<String>,
}

impl Seen {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            key: entry.key().to_owned(),
            created_at: entry.created_at(),
            updated_at: entry.updated_at(),
            expires_at: entry.expires_at(),
            type_tag: entry.data_type().to_owned(),
            number: entry.metadata().get("number").and_then(|number| number.as_i64()),
            tags: entry.tags().to_vec(),
            description: entry.description().map(str::to_owned),
        }
    }
}

/// Compares a subject with a reference, and remembers which versions it has seen.
#[derive(Default)]
pub(super) struct Comparison {
    versions: BTreeMap<Version, u64>,
    revisions: BTreeMap<u64, Version>,
}

impl Comparison {
    /// Does an operation to both.
    pub(super) fn step(
        &self,
        subject: &Subject,
        reference: &mut Reference,
        through: Through,
        operation: &Operation,
    ) -> Result<(), TestCaseError> {
        let (expected, answer) = (reference.apply(operation), subject.apply(through, operation));
        prop_assert_eq!(answer, expected, "{:?} {:?}", through, operation);
        Ok(())
    }

    /// Reads a key in every way, through the one opening and the other in turns; in a few ways when nothing is there, not
    /// even what expired.
    pub(super) fn key(
        &mut self,
        subject: &Subject,
        reference: &mut Reference,
        through: Through,
        slot: Slot,
    ) -> Result<(), TestCaseError> {
        let kind = reference.live(slot).map_or(Kind::Bytes, |held| held.kind);
        let other = Kind::ALL[(kind as usize + 2) % Kind::ALL.len()];
        let age = reference.age(slot);
        let gone = [Path::Get(kind), Path::Many(kind), Path::Exists, Path::Metadata];
        let there = [
            Path::Get(kind),
            Path::Get(other),
            Path::Shared(kind),
            Path::WithMetadata(kind),
            Path::Fresh(kind, age),
            Path::Fresh(kind, age + Duration::from_micros(1)),
            Path::Many(kind),
            Path::Reader,
            Path::Exists,
            Path::Ttl,
            Path::Metadata,
            Path::Listed,
        ];
        let paths = if reference.holds(slot) { there.as_slice() } else { gone.as_slice() };
        for (place, path) in paths.iter().enumerate() {
            let through = Through { second: through.second ^ (place % 2 == 1), ..through };
            self.step(subject, reference, through, &Operation::Read(slot, *path))?;
        }
        self.version(subject, reference, slot)
    }

    /// A version stands for one state of one entry, and a state has one version.
    fn version(&mut self, subject: &Subject, reference: &Reference, slot: Slot) -> Result<(), TestCaseError> {
        let entry = subject.entry(slot).unwrap();
        if let (Some(held), Some(entry)) = (reference.live(slot), entry) {
            let version = *self.revisions.entry(held.revision).or_insert(entry.version());
            prop_assert_eq!(version, entry.version(), "key {} has another version, and did not change", slot);
            let revision = *self.versions.entry(version).or_insert(held.revision);
            prop_assert_eq!(revision, held.revision, "key {} changed, and kept its version", slot);
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
        for slot in 0..SLOTS {
            self.key(subject, reference, through, slot)?;
        }
        for kind in Kind::ALL {
            self.step(subject, reference, through, &Operation::GetMany(kind, (0..SLOTS).collect()))?;
        }
        for operation in [Operation::Entries { meaning: Meaning::Every, limit: 5 }, Operation::Stats, Operation::Verify]
        {
            self.step(subject, reference, through, &operation)?;
        }
        Ok(())
    }
}
