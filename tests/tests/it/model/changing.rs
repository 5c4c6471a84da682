//! What changes the reference.

use super::compare::Answer;
use super::operation::{Said, Slot, Spot, Through};
use super::reference::{Held, Reference, Used};
use super::value::Content;
use cacheness::ErrorKind;
use cacheness::core::Timestamp;
use std::time::Duration;

impl Reference {
    fn end(&self, ttl: Duration) -> Timestamp {
        let micros = i64::try_from(ttl.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.now.as_micros().saturating_add(micros))
    }

    fn put(&mut self, through: Through, slot: Slot, content: Content, said: &Said) {
        let now = self.now;
        let until = said.ttl.or(self.default_ttl).map(|ttl| self.end(ttl));
        let idle = said.idle.map(|idle| self.end(idle));
        let held = Held {
            value: content.value(),
            kind: content.kind,
            space: through.space,
            created_at: now,
            updated_at: now,
            expires_at: until.into_iter().chain(idle).min(),
            until,
            said: said.clone(),
            is_invalidated: false,
            used: Used::default(),
            revision: self.revision(),
        };
        self.insert((through.space, slot), held);
        self.openings[usize::from(through.second)].counted.puts += 1;
    }

    /// What is overwritten leaves how it was used, live or not.
    fn insert(&mut self, spot: Spot, held: Held) {
        let used = self.entries.get(&spot).map_or(held.used, |held| held.used);
        self.entries.insert(spot, Held { used, ..held });
    }

    pub(super) fn put_with(&mut self, through: Through, slot: Slot, content: Content, said: &Said) -> Answer {
        self.put(through, slot, content, said);
        self.names(through.space, [slot].into_iter())
    }

    pub(super) fn put_many(&mut self, through: Through, puts: &[(Slot, Content)]) -> Answer {
        if puts.iter().any(|(_, content)| content.is_too_large()) {
            return Answer::failed(ErrorKind::TooLarge);
        }
        for (slot, content) in puts {
            self.put(through, *slot, *content, &Said::default());
        }
        self.names(through.space, puts.iter().map(|(slot, _)| *slot))
    }

    pub(super) fn put_where(
        &mut self,
        through: Through,
        slot: Slot,
        content: Content,
        said: &Said,
        is_live: bool,
    ) -> bool {
        let stores = self.live((through.space, slot)).is_some() == is_live;
        if stores {
            self.put(through, slot, content, said);
        }
        stores
    }

    pub(super) fn get_or_put(&mut self, through: Through, slot: Slot, content: Content, fails: bool) -> Answer {
        if let Some(value) = self.get(through, (through.space, slot), content.kind) {
            return Answer::Computed { value: Some(value), computed: false };
        }
        if !fails && !content.is_too_large() {
            self.put(through, slot, content, &Said::default());
        }
        Answer::Computed { value: (!fails).then(|| content.value()), computed: true }
    }

    /// A touch is a use of what lives while it is used.
    pub(super) fn touch(&mut self, spot: Spot, ttl: Option<Duration>) -> bool {
        let Some(Held { until, said, .. }) = self.live(spot) else { return false };
        let told = ttl.or(self.default_ttl).map(|ttl| self.end(ttl));
        let idle = said.idle.map(|idle| self.end(idle));
        let until = until.filter(|until| *until > self.now);
        let expires_at = idle.map_or(told, |idle| told.or(until).into_iter().chain([idle]).min());
        self.expire(spot, expires_at)
    }

    /// Sets when an entry expires.
    pub(super) fn expire(&mut self, spot: Spot, expires_at: Option<Timestamp>) -> bool {
        let (now, revision) = (self.now, self.revision());
        let change = |held: &mut Held| (held.updated_at, held.expires_at, held.revision) = (now, expires_at, revision);
        self.entries.get_mut(&spot).map(change).is_some()
    }

    pub(super) fn invalidate(&mut self, through: Through, spot: Spot) -> bool {
        self.openings[usize::from(through.second)].forget(spot);
        self.live(spot).is_some() && self.entries.remove(&spot).is_some()
    }

    pub(super) fn remove_if(&mut self, is_meant: impl Fn(&Self, &Held) -> bool) -> Vec<Spot> {
        let meant = |(spot, held): (&Spot, &Held)| is_meant(self, held).then_some(*spot);
        let gone: Vec<_> = self.entries.iter().filter_map(meant).collect();
        gone.iter().for_each(|spot| drop(self.entries.remove(spot)));
        gone
    }

    /// Removes, and forgets how it was used.
    pub(super) fn reclaim(&mut self, through: Through, is_meant: impl Fn(&Self, &Held) -> bool) -> Answer {
        let gone = self.remove_if(is_meant);
        gone.iter().for_each(|spot| _ = self.openings[usize::from(through.second)].forget(*spot));
        Answer::Count(gone.len() as u64)
    }

    pub(super) fn alias(&mut self, through: Through, from: Spot, to: Slot, renames: bool, overwrites: bool) -> Answer {
        let Some(held) = self.live(from).cloned() else { return Answer::Flag(false) };
        let to = (through.space, to);
        if overwrites && from == to {
            return Answer::Flag(true);
        }
        if !overwrites && self.live(to).is_some() {
            return Answer::failed(ErrorKind::Conflict);
        }
        let opening = &mut self.openings[usize::from(through.second)];
        opening.forget(to);
        let mut used = Used::default();
        if renames {
            self.entries.remove(&from);
            used = held.used;
            opening.forget(from).map(|untold| opening.untold.insert(to, untold));
        }
        let (now, revision) = (self.now, self.revision());
        self.insert(to, Held { space: to.0, created_at: now, updated_at: now, revision, used, ..held });
        Answer::Flag(true)
    }
}
