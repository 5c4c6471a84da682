//! What the workloads on disk ask of every subject: values under numbers.

use crate::Result;
use crate::numbers::spread;
use crate::timing::{Stretch, all, each, threads};
use crate::value::{Batch, Source, Value};
use cacheness::sync::Cache;
use std::ops::Range;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Get,
    /// A put where there is something.
    PutOver,
    /// A put where there was nothing.
    PutNew,
}

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    OneByOne,
    ByEightThreads,
    /// All calls of a stretch as one, for a store that has such.
    AtOnce,
}

impl Action {
    /// The number that a call is about, in a store with so many entries: another one in every manner, so that none finds warm
    /// what was touched by another.
    pub(crate) fn number(self, manner: Manner, call: u64, entries: u64) -> u64 {
        match self {
            Self::Get | Self::PutOver => spread(self.place(manner, call), entries),
            Self::PutNew => self.place(manner, call),
        }
    }

    /// A number for the call, beyond the entries that are there, which calls of other actions do not have.
    fn place(self, manner: Manner, call: u64) -> u64 {
        (1 + self as u64 * 3 + manner as u64) << 32 | call
    }
}

/// Values on disk under numbers, kept as a program that picked this store would keep them.
pub(crate) trait Store<V: Value> {
    /// Stores a value. `payload` is the value encoded, for stores that take bytes: a present to them.
    fn put(&self, number: u64, value: &V, payload: &[u8]) -> Result;

    /// The value, decoded.
    fn get(&self, number: u64) -> Result<V>;

    /// Stores many, in one call if there is such a call.
    fn put_many(&self, batch: &Batch<V>) -> Result {
        batch.iter().try_for_each(|(number, value, payload)| self.put(number, value, payload))
    }

    /// Many values, by one call if there is such a call.
    fn get_many(&self, numbers: &[u64]) -> Result<Vec<V>> {
        numbers.iter().map(|number| self.get(*number)).collect()
    }

    /// Stores the values of many numbers, as fast as it goes.
    fn fill(&self, numbers: Range<u64>, mut source: V::Source) -> Result {
        for start in numbers.clone().step_by(10_000) {
            let stretch = start..numbers.end.min(start + 10_000);
            self.put_many(&Batch::of(stretch.map(|number| (number, number)), &mut source)?)?;
        }
        Ok(())
    }

    /// How many entries it holds when it is measured. A store that takes long to fill holds fewer, to its advantage.
    fn entries(&self) -> u64 {
        V::ENTRIES
    }

    /// How many times fewer calls it makes in a turn, so that nobody waits for it.
    fn slower(&self, manner: Manner) -> u64 {
        let _ = manner;
        1
    }
}

/// A peer's store, or why there is none.
pub(crate) type Opened<V> = Result<Box<dyn Store<V> + Sync>>;

/// What a store does in its turns.
pub(crate) fn stretch<'s, V: Value>(
    store: &'s (impl Store<V> + Sync + ?Sized),
    action: Action,
    manner: Manner,
    source: &V::Source,
) -> Stretch<'s> {
    let source = source.clone();
    match manner {
        Manner::OneByOne => one_by_one(store, action, source),
        Manner::ByEightThreads => threads(8, move || single(store, action, manner, source.clone())),
        Manner::AtOnce => at_once(store, action, source),
    }
}

/// A stretch of single calls.
pub(crate) fn one_by_one<'s, V: Value>(
    store: &'s (impl Store<V> + ?Sized),
    action: Action,
    source: V::Source,
) -> Stretch<'s> {
    each(single(store, action, Manner::OneByOne, source))
}

/// A stretch that is one call of the store.
pub(crate) fn at_once<'s, V: Value>(
    store: &'s (impl Store<V> + ?Sized),
    action: Action,
    mut source: V::Source,
) -> Stretch<'s> {
    let entries = store.entries();
    let number = move |call| action.number(Manner::AtOnce, call, entries);
    match action {
        Action::Get => all(move |calls| Ok(calls.map(number).collect::<Vec<_>>()), |numbers| store.get_many(numbers)),
        Action::PutOver | Action::PutNew => all(
            move |calls| Batch::of(calls.map(|call| (number(call), action.place(Manner::AtOnce, call))), &mut source),
            |batch| store.put_many(batch),
        ),
    }
}

/// A call by its number, which returns what a get found.
fn single<V: Value>(
    store: &(impl Store<V> + ?Sized),
    action: Action,
    manner: Manner,
    mut source: V::Source,
) -> impl FnMut(u64) -> Result<Option<V>> {
    let entries = store.entries();
    move |call| {
        let number = action.number(manner, call, entries);
        match action {
            Action::Get => store.get(number).map(Some),
            Action::PutOver | Action::PutNew => {
                let (value, payload) = source.of(action.place(manner, call))?;
                store.put(number, value, payload).map(|()| None)
            }
        }
    }
}

/// Ours, with the keys that programs have.
impl<V: Value> Store<V> for Cache {
    fn put(&self, number: u64, value: &V, _payload: &[u8]) -> Result {
        Cache::put(self, (V::KEY, number), value)?;
        Ok(())
    }

    fn get(&self, number: u64) -> Result<V> {
        Cache::get(self, (V::KEY, number))?.ok_or_else(|| absent(number))
    }

    fn put_many(&self, batch: &Batch<V>) -> Result {
        Cache::put_many(self, &batch.entries)?;
        Ok(())
    }

    fn get_many(&self, numbers: &[u64]) -> Result<Vec<V>> {
        let found = Cache::get_many(self, numbers.iter().map(|number| (V::KEY, number)))?;
        found.into_iter().collect::<Option<_>>().ok_or_else(|| "a miss".into())
    }
}

pub(crate) fn absent(number: u64) -> crate::Failure {
    format!("{number} is not there").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_new_is_new_in_every_manner_and_what_is_there_is_there() {
        let manners = [Manner::OneByOne, Manner::ByEightThreads, Manner::AtOnce];
        for manner in manners {
            assert!((0..1000).all(|call| Action::PutOver.number(manner, call, 1000) < 1000));
        }
        let number = |(manner, call)| Action::PutNew.number(manner, call, 200_000);
        let calls = manners.into_iter().flat_map(|manner| (0..1000).map(move |call| (manner, call)));
        let numbers: BTreeSet<u64> = calls.map(number).collect();
        assert_eq!(numbers.len(), 3000);
        assert!(numbers.iter().all(|number| *number >= 200_000));
    }
}
