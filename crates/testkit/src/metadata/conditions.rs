//! A change applies when its condition is met, and does nothing otherwise.

use super::steps::{applied, apply, find, patch_if, put, put_if, remove, remove_if, unmet};
use crate::records::{NOW, complete, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_storage::{Condition, Field, Filter, Patch, Record, Terms};

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

pub(super) async fn conditions_see_the_terms_of_a_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let mut record = sample(KEY);
    record.content.terms = Terms {
        namespace: Some("team".into()),
        parameters: Some(r#"{"depth":{"of":3},"name":"é"}"#.into()),
        epoch: Some(7),
        ..Terms::default()
    };
    let inside = Field::Parameter(vec!["depth".into(), "of".into()]);
    let filters = [
        Filter::eq(Field::Namespace, "team"),
        Filter::prefix(Field::Namespace, "te"),
        Filter::eq(inside.clone(), 3),
        Filter::ge(inside, 2.5),
        Filter::eq(Field::parameter("name"), "é"),
        Filter::exists(Field::parameter("depth")),
        Filter::ge(Field::Epoch, 7),
        Filter::lt(Field::Epoch, 8),
        Filter::exists(Field::Epoch) & Filter::exists(Field::Namespace),
    ];
    let new = || put(Record { version: version(2), ..record.clone() });
    let put_new = |condition| put_if(Record { version: version(2), ..record.clone() }, condition);
    for filter in filters {
        for (filter, is_meant) in [(filter.clone(), true), (!filter, false)] {
            for (condition, is_met) in
                [(Condition::Present(filter.clone()), is_meant), (Condition::AbsentUnless(filter.clone()), !is_meant)]
            {
                let expected = if is_met { applied(Some(version(2)), &[]) } else { unmet(Some(version(2))) };
                apply(&*store, new()).await?;
                let patch = Patch::new(version(2), NOW);
                assert_eq!(apply(&*store, patch_if(KEY, patch, condition.clone())).await?, expected, "{condition:?}");
                assert_eq!(apply(&*store, put_new(condition.clone())).await?, expected, "{condition:?}");
                assert_eq!(apply(&*store, remove_if(KEY, condition.clone())).await?, expected, "{condition:?}");
                apply(&*store, put(sample(KEY))).await?;
                let bare = condition.is_met(Some(&sample(KEY)), NOW);
                let outcome = apply(&*store, remove_if(KEY, condition.clone())).await?;
                assert_eq!(outcome.is_applied(), bare, "{condition:?} without terms");
            }
        }
    }
    Ok(())
}

fn cases() -> impl Iterator<Item = (Option<Record>, Condition)> {
    states().into_iter().flat_map(|state| conditions().map(|condition| (state.clone(), condition)))
}

/// Whether the condition is met, and the version that is there before.
fn expected(state: Option<&Record>, condition: &Condition) -> (bool, Option<cacheness_storage::Version>) {
    (condition.is_met(state, NOW), state.map(|record| record.version))
}
