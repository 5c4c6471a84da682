//! What a use does to a record, and what else does to its usage.

use super::steps::{applied, apply, everything, find, patch_if, put, put_all, put_if, reclaim, remove, unmet, use_of};
use crate::records::{NOW, annotations, blob, complete, in_blob, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::Timestamp;
use cacheness_storage::{
    Condition, EntryKey, Fields, Filter, Locality, OnUnmet, Outcome, Patch, Query, Reclaim, ReclaimOrder, Record, Usage,
};

/// Used so many times, the last of them so many microseconds after the time of the store's beginning.
pub(super) fn used(micros: i64, hits: u64) -> Usage {
    Usage { accessed_at: Some(NOW.offset(micros)), hits }
}

pub(super) async fn a_use_is_noted_and_changes_nothing_else(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let system = sample(EntryKey::system("lease").as_str());
    let records = [sample("small"), complete("complete"), in_blob("in a blob", blob(1), 10), system];
    put_all(&*store, records.clone()).await?;
    let (_, condemned, totals) = everything(&*store).await?;
    for record in records {
        let outcome = apply(&*store, use_of(record.key.as_str(), NOW.offset(5), 3)).await?;
        assert_eq!(outcome, applied(Some(record.version), &[]));
        let expected = Record { usage: used(5, 3), ..record };
        assert_eq!(find(&*store, expected.key.as_str()).await?.as_ref(), Some(&expected));
    }
    let (_, condemned_now, totals_now) = everything(&*store).await?;
    assert_eq!((condemned_now, totals_now), (condemned, totals));
    Ok(())
}

pub(super) async fn the_latest_use_counts_and_hits_add_up(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key"), sample("extremes")]).await?;
    for (at, hits, expected) in [
        (5, 2, used(5, 2)),
        (3, 3, used(5, 5)),
        (5, 1, used(5, 6)),
        (9, 0, used(9, 6)),
        (-9, 1 << 40, used(9, 6 + (1 << 40))),
    ] {
        apply(&*store, use_of("key", NOW.offset(at), hits)).await?;
        assert_eq!(find(&*store, "key").await?.map(|record| record.usage), Some(expected));
    }
    for at in [i64::MIN, -1, 0, i64::MAX].map(Timestamp::from_micros) {
        apply(&*store, use_of("extremes", at, 0)).await?;
        let usage = find(&*store, "extremes").await?.map(|record| record.usage);
        assert_eq!(usage, Some(Usage { accessed_at: Some(at), hits: 0 }));
    }
    let most = i64::MAX.cast_unsigned();
    for more in [most, most, 2, u64::MAX, 1] {
        apply(&*store, use_of("extremes", NOW, more)).await?;
        let hits = find(&*store, "extremes").await?.map(|record| record.usage.hits);
        // How far a backend counts beyond any number that somebody reaches is its own affair.
        assert!(hits.is_some_and(|hits| hits >= most), "the count went around: {hits:?}");
    }
    Ok(())
}

pub(super) async fn a_use_of_an_absent_record_is_never_met(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("other")]).await?;
    let before = everything(&*store).await?;
    for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
        assert_eq!(store.commit(vec![use_of("key", NOW, 1)], on_unmet).await?, [unmet(None)]);
    }
    assert_eq!(find(&*store, "key").await?, None);
    assert_eq!(everything(&*store).await?, before);
    Ok(())
}

pub(super) async fn uses_and_other_changes_of_a_commit_see_each_other(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for on_unmet in [OnUnmet::Abort, OnUnmet::Skip] {
        let second = Record { version: version(2), ..complete("key") };
        let changes = vec![
            put_if(sample("key"), Condition::Absent),
            use_of("key", NOW.offset(1), 1),
            put(second.clone()),
            use_of("key", NOW.offset(3), 2),
            use_of("key", NOW.offset(2), 4),
            put(sample("again")),
            use_of("again", NOW.offset(8), 8),
            remove("again"),
            put_if(sample("again"), Condition::Absent),
            use_of("again", NOW.offset(4), 1),
        ];
        let outcomes = store.commit(changes, on_unmet).await?;
        let previous = [None, Some(1), Some(1), Some(2), Some(2), None, Some(1), Some(1), None, Some(1)];
        assert_eq!(outcomes, previous.map(|n| applied(n.map(version), &[])));
        assert_eq!(find(&*store, "key").await?, Some(Record { usage: used(3, 7), ..second }));
        assert_eq!(find(&*store, "again").await?, Some(Record { usage: used(4, 1), ..sample("again") }));
        let changes = vec![remove("key"), use_of("key", NOW, 1), remove("again")];
        let outcomes = store.commit(changes, OnUnmet::Skip).await?;
        assert_eq!(outcomes, [applied(Some(version(2)), &[]), unmet(None), applied(Some(version(1)), &[])]);
    }
    Ok(())
}

pub(super) async fn an_aborted_commit_takes_its_uses_back(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("a"), complete("b")]).await?;
    apply(&*store, use_of("a", NOW, 1)).await?;
    let before = everything(&*store).await?;
    let uses = vec![use_of("a", NOW.offset(9), 9), use_of("b", NOW, 1), put_if(sample("a"), Condition::Absent)];
    let others = vec![put(sample("new")), remove("b"), use_of("absent", NOW, 1), use_of("a", NOW, 1)];
    for (changes, current) in [(uses, Some(version(1))), (others, None)] {
        let mut expected = vec![Outcome::Aborted; changes.len()];
        expected[2] = unmet(current);
        assert_eq!(store.commit(changes, OnUnmet::Abort).await?, expected);
        assert_eq!(everything(&*store).await?, before, "an aborted commit left something");
    }
    Ok(())
}

pub(super) async fn puts_and_patches_keep_the_usage_that_is_there(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for record in [sample("key"), Record { location: in_blob("", blob(1), 0).location, ..complete("key") }] {
        let new = Record { usage: used(2, 2), ..record };
        put_all(&*store, [new.clone()]).await?;
        assert_eq!(find(&*store, "key").await?.as_ref(), Some(&new), "a new key begins with what the record brings");
        for brought in [Usage::default(), used(50, 50)] {
            let next = Record { version: version(2), usage: brought, ..complete("key") };
            put_all(&*store, [next.clone()]).await?;
            assert_eq!(find(&*store, "key").await?, Some(Record { usage: used(2, 2), ..next }));
        }
        let patch = Patch { annotations: Some(annotations()), ..Patch::new(version(3), NOW) };
        apply(&*store, patch_if("key", patch, Condition::Always)).await?;
        assert_eq!(find(&*store, "key").await?.map(|record| record.usage), Some(used(2, 2)));
        apply(&*store, remove("key")).await?;
    }
    Ok(())
}

pub(super) async fn a_key_that_is_put_again_begins_anew(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for is_reclaimed in [false, true] {
        put_all(&*store, [sample("key")]).await?;
        apply(&*store, use_of("key", NOW.offset(7), 7)).await?;
        if is_reclaimed {
            let plan = Reclaim::Entries {
                filter: Filter::All,
                order: ReclaimOrder::Key,
                limit: 10,
                until_bytes: None,
                until_entries: None,
            };
            assert_eq!(reclaim(&*store, plan).await?.keys.len(), 1);
        } else {
            apply(&*store, remove("key")).await?;
        }
        assert_eq!(apply(&*store, use_of("key", NOW, 1)).await?, unmet(None), "nothing is left to be used");
        put_all(&*store, [sample("key")]).await?;
        assert_eq!(find(&*store, "key").await?, Some(sample("key")), "reclaimed: {is_reclaimed}");
        apply(&*store, use_of("key", NOW.offset(1), 1)).await?;
        assert_eq!(find(&*store, "key").await?.map(|record| record.usage), Some(used(1, 1)));
        apply(&*store, remove("key")).await?;
    }
    Ok(())
}

pub(super) async fn usage_is_read_with_the_annotations(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let record = Record { usage: used(4, 2), ..complete("key") };
    put_all(&*store, [record.clone()]).await?;
    for fields in [Fields::ALL, Fields::HEAD, Fields::VALUE, Fields::LEAST] {
        let mut expected = record.clone();
        fields.project(&mut expected);
        assert_eq!(expected.usage, if fields.annotations { used(4, 2) } else { Usage::default() });
        let found = store.get(std::slice::from_ref(&record.key), fields).await?;
        assert_eq!(found, [Some(expected.clone())], "{fields:?}");
        for filter in [Filter::All, Filter::exists(cacheness_storage::Field::Tag)] {
            let page = store.page(&Query::new().filter(filter).fields(fields), None).await?;
            assert_eq!(page.records, [expected.clone()], "{fields:?}");
        }
    }
    Ok(())
}

pub(super) async fn usage_is_there_when_it_is_opened_again(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [Record { usage: used(1, 1), ..complete("brought") }, sample("told"), sample("unused")]).await?;
    apply(&*store, use_of("told", NOW.offset(3), 2)).await?;
    let before = everything(&*store).await?;
    store.close().await?;
    let lasts = store.info().locality != Locality::Process;
    drop(store);
    if lasts {
        let store = subject.open().await?;
        assert_eq!(everything(&*store).await?, before);
        apply(&*store, use_of("told", NOW.offset(2), 3)).await?;
        assert_eq!(find(&*store, "told").await?.map(|record| record.usage), Some(used(3, 5)));
    }
    Ok(())
}
