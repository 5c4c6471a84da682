//! What a put, a patch and a removal do to one record.

use super::steps::{applied, apply, everything, find, patch_if, put, put_all, remove, unmet};
use crate::records::{NOW, annotations, complete, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_storage::{Annotations, Bytes, Condition, ErrorKind, Filter, OnUnmet, Patch, Record};

pub(super) async fn overwriting_replaces_every_field(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let plain = Record { version: version(2), ..sample("key") };
    let full = complete("key");
    for record in [&full, &plain, &full] {
        apply(&*store, put(record.clone())).await?;
        assert_eq!(find(&*store, "key").await?.as_ref(), Some(record));
    }
    Ok(())
}

pub(super) async fn a_put_tells_the_version_it_replaced(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    assert_eq!(apply(&*store, put(sample("key"))).await?, applied(None, &[]));
    let second = Record { version: version(2), ..sample("key") };
    assert_eq!(apply(&*store, put(second)).await?, applied(Some(version(1)), &[]));
    assert_eq!(apply(&*store, put(sample("other"))).await?, applied(None, &[]));
    Ok(())
}

pub(super) async fn a_patch_changes_what_it_names_and_nothing_else(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let new = || Patch::new(version(2), NOW.offset(7));
    let patches = [
        new(),
        Patch { expires_at: Some(Some(NOW.offset(1))), ..new() },
        Patch { expires_at: Some(None), ..new() },
        Patch { drop_at: Some(Some(NOW.offset(2))), ..new() },
        Patch { drop_at: Some(None), ..new() },
        Patch { annotations: Some(annotations()), ..new() },
        Patch { annotations: Some(Annotations::default()), ..new() },
        Patch { signature: Some(Some(Bytes::from_static(b"another"))), ..new() },
        Patch { signature: Some(None), ..new() },
    ];
    for patch in patches {
        for mut record in [sample("key"), complete("key")] {
            put_all(&*store, [record.clone()]).await?;
            let outcome = apply(&*store, patch_if("key", patch.clone(), Condition::Always)).await?;
            assert_eq!(outcome, applied(Some(record.version), &[]), "{patch:?}");
            patch.apply(&mut record);
            assert_eq!(find(&*store, "key").await?, Some(record), "{patch:?}");
        }
    }
    Ok(())
}

pub(super) async fn annotations_that_could_not_be_read_back_are_refused(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let nested = |levels| (1..levels).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]));
    let mut deepest = sample("key");
    deepest.annotations.metadata.insert("deep".into(), nested(100));
    put_all(&*store, [deepest.clone()]).await?;
    assert_eq!(find(&*store, "key").await?.as_ref(), Some(&deepest));
    let before = everything(&*store).await?;
    let mut deeper = sample("key");
    deeper.annotations.metadata.insert("deep".into(), nested(128));
    let mut patch = Patch::new(version(9), NOW);
    patch.annotations = Some(deeper.annotations.clone());
    for change in [put(deeper), patch_if("key", patch, Condition::Always)] {
        let refused = store.commit(vec![put(sample("other")), change], OnUnmet::Skip).await;
        assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Serialization));
        assert_eq!(everything(&*store).await?, before, "a refused commit left something");
    }
    Ok(())
}

pub(super) async fn a_patch_of_an_absent_record_is_never_met(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let patch = Patch { annotations: Some(annotations()), ..Patch::new(version(2), NOW) };
    for condition in [
        Condition::Always,
        Condition::Absent,
        Condition::AbsentUnless(Filter::All),
        Condition::Present(Filter::All),
        Condition::Version(version(1)),
    ] {
        let outcome = apply(&*store, patch_if("key", patch.clone(), condition.clone())).await?;
        assert_eq!(outcome, unmet(None), "{condition:?}");
    }
    assert_eq!(find(&*store, "key").await?, None);
    assert_eq!(store.stats().await?.entries, 0);
    Ok(())
}

pub(super) async fn a_removed_record_is_gone_and_nothing_else_is(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key"), complete("other")]).await?;
    assert_eq!(apply(&*store, remove("key")).await?, applied(Some(version(1)), &[]));
    assert_eq!(find(&*store, "key").await?, None);
    assert_eq!(find(&*store, "other").await?, Some(complete("other")));
    assert_eq!(apply(&*store, remove("key")).await?, applied(None, &[]), "nothing was there to remove");
    put_all(&*store, [sample("key")]).await?;
    assert_eq!(find(&*store, "key").await?, Some(sample("key")));
    Ok(())
}
