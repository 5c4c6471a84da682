//! What is read from the reference, and what that is to it: a hit or a miss, and a use.

use super::compare::{Answer, Seen};
use super::meaning::{Meaning, description_text, tag_text};
use super::names::name;
use super::operation::{Path, SPACES, Spot, Through};
use super::reference::{Held, Opening, Reference, Used, span};
use super::value::{Datum, Kind};
use cacheness::core::Timestamp;
use cacheness::{MissReason, Ttl};
use serde_json::json;
use std::time::Duration;

/// How long uses stay untold at most, when anything is used after that.
const UNTOLD: Duration = Duration::from_secs(60);

impl Reference {
    pub(super) fn read(&mut self, through: Through, spot: Spot, path: Path) -> Answer {
        let seen = |this: &Self| this.live(spot).map(|held| this.seen(spot, held));
        let is_listed = through.space == 0 || through.space == spot.0;
        match path {
            Path::Get(kind) | Path::Shared(kind) => Answer::Value(self.get(through, spot, kind)),
            Path::WithMetadata(kind) => {
                let before = seen(self);
                Answer::Both(self.get(through, spot, kind).zip(before))
            }
            Path::Fresh(kind, age) => {
                Answer::Value(self.get_fresh(through, spot, Some(age), |held| held.read_as(kind)))
            }
            Path::Many(kind) => Answer::Values(vec![self.get(through, spot, kind)]),
            Path::Reader => {
                let bytes = |value: &Datum| value.bytes().map(Datum::Bytes);
                Answer::Value(self.get_fresh(through, spot, None, bytes))
            }
            Path::Exists => Answer::Flag(self.live(spot).is_some()),
            Path::Ttl => Answer::Ttl(self.live(spot).map(|held| match held.expires_at {
                None => Ttl::Never,
                Some(end) => Ttl::Expires { at: end.into(), left: span(self.now, end) },
            })),
            Path::Metadata => Answer::Seen(seen(self)),
            Path::Listed => Answer::Listing(seen(self).filter(|_| is_listed).into_iter().collect()),
        }
    }

    /// The value of a key, counted, and used when it is there.
    pub(super) fn get(&mut self, through: Through, spot: Spot, kind: Kind) -> Option<Datum> {
        self.get_fresh(through, spot, None, |value| value.read_as(kind))
    }

    fn get_fresh(
        &mut self,
        through: Through,
        spot: Spot,
        age: Option<Duration>,
        read: impl Fn(&Datum) -> Option<Datum>,
    ) -> Option<Datum> {
        let too_old = |held: &Held| age.is_some_and(|age| span(held.created_at, self.now) >= age);
        let found = match self.entries.get(&spot) {
            None => Err(MissReason::Absent),
            Some(held) if held.is_invalidated => Err(MissReason::Invalidated),
            Some(held) if !self.is_live(held) || too_old(held) => Err(MissReason::Expired),
            Some(held) => read(&held.value).ok_or(MissReason::OtherType),
        };
        let opening = &mut self.openings[usize::from(through.second)];
        match found {
            Ok(value) => {
                opening.counted.hits += 1;
                self.used(through.second, spot);
                Some(value)
            }
            Err(reason) => {
                opening.counted.miss(reason);
                None
            }
        }
    }

    /// Notes a use, tells it when it is time, and moves the expiry of what lives while it is used.
    fn used(&mut self, second: bool, spot: Spot) {
        let now = self.now;
        let Opening { untold, told_at, .. } = &mut self.openings[usize::from(second)];
        untold.entry(spot).or_default().add(now, 1);
        if now < *told_at || span(*told_at, now) >= UNTOLD {
            self.tell(second);
        }
        let Some(held) = self.entries.get(&spot) else { return };
        let (Some(idle), Some(end)) = (held.said.idle, held.expires_at) else { return };
        let idle = i64::try_from(idle.as_micros()).unwrap_or(i64::MAX);
        let moved = Timestamp::from_micros(now.as_micros().saturating_add(idle));
        // An end that a touch went beyond counts no more.
        let moved = held.until.filter(|until| *until >= end).map_or(moved, |until| moved.min(until));
        let is_half_over = span(now, end).as_micros() * 2 <= idle as u128;
        if is_half_over && moved > end {
            self.expire(spot, Some(moved));
        }
    }

    /// Tells what one of the openings noted.
    pub(super) fn tell(&mut self, second: bool) {
        let Opening { untold, told_at, .. } = &mut self.openings[usize::from(second)];
        if !untold.is_empty() {
            *told_at = self.now;
        }
        for (spot, Used { at, hits }) in std::mem::take(untold) {
            if let (Some(held), Some(at)) = (self.entries.get_mut(&spot), at) {
                held.used.add(at, hits);
            }
        }
    }

    fn listed(&self, through: Through) -> impl Iterator<Item = (&Spot, &Held)> {
        let is_own = move |held: &Held| through.space == 0 || through.space == held.space;
        self.entries.iter().filter(move |(_, held)| is_own(held) && self.is_live(held))
    }

    pub(super) fn listing(&self, through: Through, meaning: &Meaning) -> Answer {
        let meant = self.listed(through).filter(|(_, held)| meaning.means(held, self.now));
        let mut seen: Vec<_> = meant.map(|(spot, held)| self.seen(*spot, held)).collect();
        seen.sort_by(|one, other| one.key.cmp(&other.key));
        Answer::Listing(seen)
    }

    pub(super) fn ages(&self, through: Through) -> Answer {
        let put = || self.listed(through).map(|(_, held)| held.created_at.into());
        Answer::Ages(put().min().zip(put().max()))
    }

    fn seen(&self, spot: Spot, held: &Held) -> Seen {
        Seen {
            key: name(spot),
            space: SPACES[usize::from(held.space)].map(str::to_owned),
            parameters: self.keeps_parameters.then(|| json!(["key", spot.1])),
            created_at: held.created_at.into(),
            updated_at: held.updated_at.into(),
            expires_at: held.expires_at.map(Into::into),
            type_tag: held.kind.type_tag().to_owned(),
            number: held.said.number,
            tags: held.said.tags.iter().map(|tag| tag_text(*tag)).collect(),
            description: held.said.description.map(description_text),
            accessed_at: held.used.at.map(Into::into),
            hits: held.used.hits,
        }
    }
}

impl Used {
    fn add(&mut self, at: Timestamp, hits: u64) {
        *self = Self { at: self.at.max(Some(at)), hits: self.hits + hits };
    }
}
