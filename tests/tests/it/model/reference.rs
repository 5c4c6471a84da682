//! The reference: a map, and a time that is told to it.

use super::compare::{Answer, Seen};
use super::meaning::{Meaning, description_text, tag_text};
use super::operation::{Move, Operation, Path, Refusal, SLOTS, Said, Slot};
use super::pair::Setup;
use super::subject::key;
use super::value::{Content, Datum, Kind};
use cacheness::core::Timestamp;
use cacheness::{ErrorKind, Key, Ttl};
use cacheness_tests::NOW;
use std::collections::BTreeMap;
use std::time::Duration;

/// An entry, expired or not: it is there until something removes it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    value: Datum,
    pub(super) kind: Kind,
    pub(super) created_at: Timestamp,
    updated_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) said: Said,
    /// Another number after every change.
    pub(super) revision: u64,
}

pub(super) struct Reference {
    now: Timestamp,
    default_ttl: Option<Duration>,
    names: Vec<String>,
    entries: BTreeMap<Slot, Held>,
    revisions: u64,
}

impl Reference {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            now: Timestamp::from_micros(NOW),
            default_ttl: setup.default_ttl,
            names: (0..SLOTS).map(|slot| Key::of(key(slot)).unwrap().to_string()).collect(),
            entries: BTreeMap::new(),
            revisions: 0,
        }
    }

    /// What the clock shows after a move.
    pub(super) fn turn(&mut self, clock: Move) -> Timestamp {
        let now = self.now.as_micros();
        let near = |end: &i64| (end - NOW).abs() < 1 << 50;
        let ends: Vec<_> = self.entries.values().filter_map(|held| held.expires_at).map(Timestamp::as_micros).collect();
        let ends: Vec<_> = ends.into_iter().filter(near).collect();
        self.now = Timestamp::from_micros(match clock {
            Move::Forward(micros) => now + micros as i64,
            Move::Back(micros) => now - micros as i64,
            Move::Boundary { beside, .. } if ends.is_empty() => now + beside,
            Move::Boundary { which, beside } => ends[which % ends.len()] + beside,
        });
        self.now
    }

    /// The keys whose entries expire within a microsecond of now.
    pub(super) fn at_their_end(&self) -> impl Iterator<Item = Slot> {
        let now = self.now.as_micros();
        let is_near = move |held: &Held| held.expires_at.is_some_and(|end| end.as_micros().abs_diff(now) <= 1);
        self.entries.iter().filter(move |(_, held)| is_near(held)).map(|(slot, _)| *slot)
    }

    /// The entry of a key, when it is live.
    pub(super) fn live(&self, slot: Slot) -> Option<&Held> {
        self.entries.get(&slot).filter(|held| self.is_live(held))
    }

    /// How long ago the live entry of a key was put.
    pub(super) fn age(&self, slot: Slot) -> Duration {
        self.live(slot).map_or(Duration::ZERO, |held| span(held.created_at, self.now))
    }

    /// Whether there is an entry under a key, expired or not.
    pub(super) fn holds(&self, slot: Slot) -> bool {
        self.entries.contains_key(&slot)
    }

    fn is_live(&self, held: &Held) -> bool {
        held.expires_at.is_none_or(|end| self.now < end)
    }

    /// Does to the map what an operation does to a cache.
    pub(super) fn apply(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Put(slot, content) | Operation::PutShared(slot, content) => self.put_many(&[(*slot, *content)]),
            // What comes from a reader may be of any size.
            Operation::PutReader(slot, content) => {
                self.put(*slot, *content, Said::default());
                Answer::Keys(self.names(&[*slot]))
            }
            Operation::PutWith(slot, content, said) => {
                self.put(*slot, *content, said.clone());
                Answer::Keys(self.names(&[*slot]))
            }
            Operation::PutIfAbsent(slot, content) => self.put_where(*slot, *content, false),
            Operation::Update(slot, content) => self.put_where(*slot, *content, true),
            Operation::PutMany(_, puts) => self.put_many(puts),
            Operation::GetOrPut(slot, content) => self.get_or_put(*slot, *content, false),
            Operation::TryGetOrPut(slot, content, fails) => self.get_or_put(*slot, *content, *fails),
            Operation::Refused(_, refusal) => Answer::failed(match refusal {
                Refusal::ZeroTtl | Refusal::TouchForZero | Refusal::MetadataNoObject => ErrorKind::Config,
                Refusal::FailingReader => ErrorKind::Storage,
            }),
            Operation::Read(slot, path) => self.read(*slot, *path),
            Operation::GetMany(kind, slots) => {
                Answer::Values(slots.iter().map(|slot| self.live(*slot)?.value.read_as(*kind)).collect())
            }
            Operation::Entries { meaning, .. } => self.listing(meaning),
            Operation::Stats => Answer::Count(self.entries.len() as u64),
            Operation::Touch(slot, ttl) => Answer::Flag(self.touch(*slot, *ttl)),
            Operation::TouchMany(slots, ttl) => {
                Answer::Count(slots.iter().filter(|slot| self.touch(**slot, *ttl)).count() as u64)
            }
            Operation::Invalidate(slot) => Answer::Flag(self.invalidate(*slot)),
            Operation::InvalidateMany(slots) => {
                Answer::Count(slots.iter().filter(|slot| self.invalidate(**slot)).count() as u64)
            }
            Operation::InvalidateWhere(meaning) => {
                let now = self.now;
                self.remove_if(|this, held| this.is_live(held) && meaning.means(held, now))
            }
            Operation::CleanupExpired => self.remove_if(|this, held| !this.is_live(held)),
            Operation::Clear => self.remove_if(|_, _| true),
            Operation::Copy(from, to) => self.alias(*from, *to, false),
            Operation::Rename(from, to) => self.alias(*from, *to, true),
            Operation::Sweep => Answer::Done,
            Operation::Verify => Answer::Clean { entries: self.entries.len() as u64 },
        }
    }

    fn read(&self, slot: Slot, path: Path) -> Answer {
        let held = self.live(slot);
        let value = |kind| held.and_then(|held| held.value.read_as(kind));
        let seen = |held: &Held| self.seen(slot, held);
        match path {
            Path::Get(kind) | Path::Shared(kind) => Answer::Value(value(kind)),
            Path::WithMetadata(kind) => Answer::Both(value(kind).zip(held.map(seen))),
            Path::Fresh(kind, age) => {
                let is_fresh = |held: &Held| span(held.created_at, self.now) < age;
                Answer::Value(value(kind).filter(|_| held.is_some_and(is_fresh)))
            }
            Path::Many(kind) => Answer::Values(vec![value(kind)]),
            Path::Reader => Answer::Value(held.and_then(|held| held.value.bytes()).map(Datum::Bytes)),
            Path::Exists => Answer::Flag(held.is_some()),
            Path::Ttl => Answer::Ttl(held.map(|held| match held.expires_at {
                None => Ttl::Never,
                Some(end) => Ttl::Expires { at: end.into(), left: span(self.now, end) },
            })),
            Path::Metadata => Answer::Seen(held.map(seen)),
            Path::Listed => Answer::Listing(held.map(seen).into_iter().collect()),
        }
    }

    fn listing(&self, meaning: &Meaning) -> Answer {
        let live = self.entries.iter().filter(|(_, held)| self.is_live(held) && meaning.means(held, self.now));
        let mut seen: Vec<_> = live.map(|(slot, held)| self.seen(*slot, held)).collect();
        seen.sort_by(|one, other| one.key.cmp(&other.key));
        Answer::Listing(seen)
    }

    fn seen(&self, slot: Slot, held: &Held) -> Seen {
        Seen {
            key: self.names[usize::from(slot)].clone(),
            created_at: held.created_at.into(),
            updated_at: held.updated_at.into(),
            expires_at: held.expires_at.map(Into::into),
            type_tag: held.kind.type_tag().to_owned(),
            number: held.said.number,
            tags: held.said.tags.iter().map(|tag| tag_text(*tag)).collect(),
            description: held.said.description.map(description_text),
        }
    }

    fn names(&self, slots: &[Slot]) -> Vec<String> {
        slots.iter().map(|slot| self.names[usize::from(*slot)].clone()).collect()
    }

    fn revision(&mut self) -> u64 {
        self.revisions += 1;
        self.revisions
    }

    fn expiry(&self, ttl: Option<Duration>) -> Option<Timestamp> {
        let micros = |ttl: Duration| i64::try_from(ttl.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
        let end = |ttl| self.now.as_micros().saturating_add(micros(ttl));
        ttl.or(self.default_ttl).map(end).map(Timestamp::from_micros)
    }

    fn put(&mut self, slot: Slot, content: Content, said: Said) {
        let (now, expires_at) = (self.now, self.expiry(said.ttl));
        let (value, kind, revision) = (content.value(), content.kind, self.revision());
        self.entries.insert(slot, Held { value, kind, created_at: now, updated_at: now, expires_at, said, revision });
    }

    fn put_many(&mut self, puts: &[(Slot, Content)]) -> Answer {
        if puts.iter().any(|(_, content)| content.is_too_large()) {
            return Answer::failed(ErrorKind::TooLarge);
        }
        for (slot, content) in puts {
            self.put(*slot, *content, Said::default());
        }
        Answer::Keys(self.names(&puts.iter().map(|(slot, _)| *slot).collect::<Vec<_>>()))
    }

    fn put_where(&mut self, slot: Slot, content: Content, is_live: bool) -> Answer {
        let stores = self.live(slot).is_some() == is_live;
        if stores {
            self.put(slot, content, Said::default());
        }
        Answer::Flag(stores)
    }

    fn get_or_put(&mut self, slot: Slot, content: Content, fails: bool) -> Answer {
        if let Some(value) = self.live(slot).and_then(|held| held.value.read_as(content.kind)) {
            return Answer::Computed { value: Some(value), computed: false };
        }
        if !fails && !content.is_too_large() {
            self.put(slot, content, Said::default());
        }
        Answer::Computed { value: (!fails).then(|| content.value()), computed: true }
    }

    fn touch(&mut self, slot: Slot, ttl: Option<Duration>) -> bool {
        if self.live(slot).is_none() {
            return false;
        }
        let (now, expires_at, revision) = (self.now, self.expiry(ttl), self.revision());
        let change = |held: &mut Held| (held.updated_at, held.expires_at, held.revision) = (now, expires_at, revision);
        self.entries.get_mut(&slot).map(change).is_some()
    }

    fn invalidate(&mut self, slot: Slot) -> bool {
        self.live(slot).is_some() && self.entries.remove(&slot).is_some()
    }

    fn remove_if(&mut self, is_meant: impl Fn(&Self, &Held) -> bool) -> Answer {
        let meant = |(slot, held): (&Slot, &Held)| is_meant(self, held).then_some(*slot);
        let gone: Vec<_> = self.entries.iter().filter_map(meant).collect();
        gone.iter().for_each(|slot| drop(self.entries.remove(slot)));
        Answer::Count(gone.len() as u64)
    }

    fn alias(&mut self, from: Slot, to: Slot, renames: bool) -> Answer {
        let Some(held) = self.live(from).cloned() else { return Answer::Flag(false) };
        if self.live(to).is_some() {
            return Answer::failed(ErrorKind::Conflict);
        }
        if renames {
            self.entries.remove(&from);
        }
        let (now, revision) = (self.now, self.revision());
        self.entries.insert(to, Held { created_at: now, updated_at: now, revision, ..held });
        Answer::Flag(true)
    }
}

/// From one time to another; nothing when that lies before.
fn span(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.as_micros().saturating_sub(from.as_micros())).unwrap_or(0))
}
