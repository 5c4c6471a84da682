//! A change applies when its condition is met, and does nothing otherwise.

use super::steps::{applied, apply, find, patch_if, put, put_if, remove, remove_if, unmet};
use crate::records::{NOW, complete, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_storage::{Condition, Field, Filter, Patch, Record};

const KEY: &str = "key";

/// What a key can be like.
fn states() -> [Option<Record>; 3] {
    [None, Some(sample(KEY)), Some(complete(KEY))]
}

/// Conditions that each of the states meets or does not.
fn conditions() -> [Condition; 10] {
    let expires = || Filter::exists(Field::ExpiresAt);
    [
        Condition::Always,
        Condition::Absent,
        Condition::AbsentUnless(Filter::All),
        Condition::AbsentUnless(expires()),
        Condition::AbsentUnless(!expires()),
        Condition::Present(Filter::All),
        Condition::Present(expires()),
        Condition::Present(!expires()),
        Condition::Version(version(1)),
        Condition::Version(version(99)),
    ]
}

pub(super) async fn a_put_obeys_every_condition_in_every_state(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let new = Record { version: version(2), ..sample(KEY) };
    for (state, condition) in cases() {
        apply(&*store, state.clone().map_or_else(|| remove(KEY), put)).await?;
        let (met, previous) = expected(state.as_ref(), &condition);
        let outcome = apply(&*store, put_if(new.clone(), condition.clone())).await?;
        assert_eq!(outcome, if met { applied(previous, &[]) } else { unmet(previous) }, "{condition:?} on {state:?}");
        let left = if met { Some(new.clone()) } else { state };
        assert_eq!(find(&*store, KEY).await?, left, "{condition:?}");
    }
    Ok(())
}

pub(super) async fn a_patch_obeys_every_condition_in_every_state(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let patch = Patch { expires_at: Some(None), ..Patch::new(version(2), NOW.offset(5)) };
    for (mut state, condition) in cases() {
        apply(&*store, state.clone().map_or_else(|| remove(KEY), put)).await?;
        let (met, previous) = expected(state.as_ref(), &condition);
        let outcome = apply(&*store, patch_if(KEY, patch.clone(), condition.clone())).await?;
        match &mut state {
            Some(record) if met => {
                assert_eq!(outcome, applied(previous, &[]), "{condition:?} on {record:?}");
                patch.apply(record);
            }
            _ => assert_eq!(outcome, unmet(previous), "{condition:?} on {state:?}"),
        }
        assert_eq!(find(&*store, KEY).await?, state, "{condition:?}");
    }
    Ok(())
}

pub(super) async fn a_removal_obeys_every_condition_in_every_state(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for (state, condition) in cases() {
        apply(&*store, state.clone().map_or_else(|| remove(KEY), put)).await?;
        let (met, previous) = expected(state.as_ref(), &condition);
        let outcome = apply(&*store, remove_if(KEY, condition.clone())).await?;
        assert_eq!(outcome, if met { applied(previous, &[]) } else { unmet(previous) }, "{condition:?} on {state:?}");
        assert_eq!(find(&*store, KEY).await?, if met { None } else { state }, "{condition:?}");
    }
    Ok(())
}

pub(super) async fn a_version_is_met_once(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    apply(&*store, put(sample(KEY))).await?;
    let swap = |to| put_if(Record { version: version(to), ..sample(KEY) }, Condition::Version(version(1)));
    assert_eq!(apply(&*store, swap(2)).await?, applied(Some(version(1)), &[]));
    assert_eq!(apply(&*store, swap(3)).await?, unmet(Some(version(2))));
    let patch = patch_if(KEY, Patch::new(version(4), NOW), Condition::Version(version(2)));
    assert_eq!(apply(&*store, patch.clone()).await?, applied(Some(version(2)), &[]));
    assert_eq!(apply(&*store, patch).await?, unmet(Some(version(4))), "a patch gives a new version");
    Ok(())
}

fn cases() -> impl Iterator<Item = (Option<Record>, Condition)> {
    states().into_iter().flat_map(|state| conditions().map(|condition| (state.clone(), condition)))
}

/// Whether the condition is met, and the version that is there before.
fn expected(state: Option<&Record>, condition: &Condition) -> (bool, Option<cacheness_storage::Version>) {
    (condition.is_met(state, NOW), state.map(|record| record.version))
}
