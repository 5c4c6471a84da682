//! Many changes in one commit.

use super::steps::{applied, everything, find, patch_if, put, put_all, put_if, remove, remove_if, unmet};
use crate::records::{NOW, annotations, blob, complete, in_blob, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_storage::{Change, Condition, Field, Filter, OnUnmet, Outcome, Patch, Record};

pub(super) async fn an_empty_commit_changes_nothing(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
        assert_eq!(store.commit(Vec::new(), on_unmet).await?, []);
    }
    assert_eq!(store.stats().await?.entries, 0);
    Ok(())
}

pub(super) async fn changes_apply_in_order_and_see_each_other(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
        let tagged = Patch { annotations: Some(annotations()), ..Patch::new(version(3), NOW) };
        let changes = vec![
            put_if(sample("key"), Condition::Absent),
            put_if(Record { version: version(2), ..sample("key") }, Condition::Version(version(1))),
            patch_if("key", tagged, Condition::Version(version(2))),
            remove_if("key", Condition::Present(Filter::eq(Field::Tag, "🦀"))),
            put_if(complete("key"), Condition::Absent),
            put(sample("other")),
            remove("other"),
        ];
        let outcomes = store.commit(changes, on_unmet).await?;
        let previous = [None, Some(1), Some(2), Some(3), None, None, Some(1)];
        assert_eq!(outcomes, previous.map(|n| applied(n.map(version), &[])));
        assert_eq!(find(&*store, "key").await?, Some(complete("key")));
        assert_eq!(find(&*store, "other").await?, None);
        store.commit(vec![remove("key")], on_unmet).await?;
    }
    Ok(())
}

pub(super) async fn an_unmet_change_aborts_the_whole_commit(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("blob", blob(1), 10), in_blob("shared", blob(1), 10), sample("inline")]).await?;
    store.commit(vec![Change::Condemn { blob: blob(7) }], OnUnmet::Abort).await?;
    let before = everything(&*store).await?;
    let changes = || {
        vec![
            put(in_blob("new", blob(2), 20)),
            put(Record { version: version(2), ..in_blob("inline", blob(3), 30) }),
            patch_if(
                "blob",
                Patch { annotations: Some(annotations()), ..Patch::new(version(3), NOW) },
                Condition::Always,
            ),
            remove("blob"),
            remove("shared"),
            Change::Condemn { blob: blob(8) },
            Change::Forget { blob: blob(7) },
        ]
    };
    let count = changes().len();
    for at in [0, 3, count] {
        let mut aborted = changes();
        aborted.insert(at, put_if(sample("absent"), Condition::Present(Filter::All)));
        let mut expected = vec![Outcome::Aborted; count];
        expected.insert(at, unmet(None));
        assert_eq!(store.commit(aborted, OnUnmet::Abort).await?, expected);
        assert_eq!(everything(&*store).await?, before, "an aborted commit left something");
    }
    let outcomes = store.commit(changes(), OnUnmet::Abort).await?;
    assert!(outcomes.iter().all(Outcome::is_applied), "without the unmet change it is applied: {outcomes:?}");
    Ok(())
}

pub(super) async fn the_first_unmet_change_decides(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key")]).await?;
    let changes = vec![
        put(sample("new")),
        put_if(sample("key"), Condition::Absent),
        put_if(sample("missing"), Condition::Version(version(1))),
    ];
    let outcomes = store.commit(changes, OnUnmet::Abort).await?;
    assert_eq!(outcomes, [Outcome::Aborted, unmet(Some(version(1))), Outcome::Aborted]);
    Ok(())
}

pub(super) async fn skipping_applies_every_change_on_its_own_condition(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10)]).await?;
    let changes = vec![
        put(in_blob("new", blob(2), 20)),
        put_if(sample("key"), Condition::Absent),
        put_if(sample("missing"), Condition::Version(version(1))),
        remove_if("key", Condition::Version(version(1))),
        put_if(sample("key"), Condition::Absent),
    ];
    let outcomes = store.commit(changes, OnUnmet::Skip).await?;
    let expected = [
        applied(None, &[]),
        unmet(Some(version(1))),
        unmet(None),
        applied(Some(version(1)), &[blob(1)]),
        applied(None, &[]),
    ];
    assert_eq!(outcomes, expected);
    let (records, condemned, _) = everything(&*store).await?;
    assert_eq!(records, [sample("key"), in_blob("new", blob(2), 20)]);
    assert_eq!(condemned, [blob(1)]);
    Ok(())
}

pub(super) async fn a_commit_may_hold_many_changes(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let keys: Vec<_> = (0..2000).map(|n| format!("key {n}")).collect();
    let outcomes = store.commit(keys.iter().map(|key| put(sample(key))).collect(), OnUnmet::Abort).await?;
    assert_eq!(outcomes, vec![applied(None, &[]); keys.len()]);
    assert_eq!(store.stats().await?.entries, keys.len() as u64);
    let outcomes = store.commit(keys.iter().map(|key| remove(key)).collect(), OnUnmet::Skip).await?;
    assert_eq!(outcomes, vec![applied(Some(version(1)), &[]); keys.len()]);
    assert_eq!(store.stats().await?.entries, 0);
    Ok(())
}
