//! Giving space back: which records go, in which order, and when it stops.

use super::steps::{apply, condemned, keys, put, put_all, reclaim, totals, use_of};
use super::using::used;
use crate::records::{NOW, blob, in_blob, inline, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::Timestamp;
use cacheness_storage::{EntryKey, Field, Fields, Filter, Query, Reclaim, ReclaimOrder, Reclaimed, Record};
use std::collections::BTreeSet;

const ORDERS: [ReclaimOrder; 6] = [
    ReclaimOrder::Key,
    ReclaimOrder::Expiry,
    ReclaimOrder::Created,
    ReclaimOrder::Used,
    ReclaimOrder::Hits,
    ReclaimOrder::Random,
];

fn entries(order: ReclaimOrder, limit: usize, until_bytes: Option<u64>) -> Reclaim {
    Reclaim::Entries { filter: Filter::All, order, limit, until_bytes, until_entries: None }
}

/// Until the store holds so many bytes, and so many records.
fn until(limit: usize, until_bytes: Option<u64>, until_entries: Option<u64>) -> Reclaim {
    Reclaim::Entries { filter: Filter::All, order: ReclaimOrder::Key, limit, until_bytes, until_entries }
}

fn names(reclaimed: &Reclaimed) -> Vec<&str> {
    reclaimed.keys.iter().map(EntryKey::as_str).collect()
}

pub(super) async fn reclaiming_an_empty_store_gives_nothing_back(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    for order in ORDERS {
        for until_bytes in [None, Some(0), Some(100)] {
            assert_eq!(reclaim(&*store, entries(order, 10, until_bytes)).await?, Reclaimed::default());
        }
    }
    for until_bytes in [None, Some(0)] {
        assert_eq!(reclaim(&*store, until(10, until_bytes, Some(0))).await?, Reclaimed::default());
    }
    Ok(())
}

pub(super) async fn each_order_says_which_record_goes_first(subject: &MetadataSubject) -> Result<()> {
    let time = |micros| Some(Timestamp::from_micros(micros));
    for (order, expected) in [
        (ReclaimOrder::Key, ["a", "b", "c", "é"]),
        (ReclaimOrder::Expiry, ["c", "a", "b", "é"]),
        (ReclaimOrder::Created, ["é", "b", "c", "a"]),
        (ReclaimOrder::Used, ["b", "a", "é", "c"]),
        (ReclaimOrder::Hits, ["a", "é", "b", "c"]),
    ] {
        let store = subject.open().await?;
        let records = [
            Record { created_at: NOW, expires_at: time(5), usage: used(-50, 0), ..sample("a") },
            Record {
                created_at: NOW.offset(-20),
                expires_at: time(NOW.as_micros()),
                usage: used(-20, 2),
                ..sample("b")
            },
            Record { created_at: NOW.offset(-10), expires_at: time(-5), usage: used(9, 3), ..sample("c") },
            Record { created_at: Timestamp::from_micros(-1), expires_at: None, usage: used(7, 1), ..sample("é") },
        ];
        put_all(&*store, records).await?;
        for (n, key) in expected.iter().enumerate() {
            let reclaimed = reclaim(&*store, entries(order, 1, None)).await?;
            assert_eq!(names(&reclaimed), [*key], "{order:?}");
            assert!(reclaimed.more || n == 3, "{order:?}: there are more");
        }
        assert_eq!(reclaim(&*store, entries(order, 1, None)).await?, Reclaimed::default());
    }
    Ok(())
}

pub(super) async fn a_limit_ends_a_reclaim_and_says_so(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| sample(&format!("{n}")))).await?;
    let first = reclaim(&*store, entries(ReclaimOrder::Key, 4, None)).await?;
    assert_eq!(names(&first), ["0", "1", "2", "3"]);
    assert!(first.more, "the limit ended it");
    let rest = reclaim(&*store, entries(ReclaimOrder::Key, 100, None)).await?;
    assert_eq!(names(&rest), ["4", "5", "6", "7", "8", "9"]);
    assert!(!rest.more, "nothing is left");
    assert!(keys(&*store, &Query::new()).await?.is_empty());
    Ok(())
}

pub(super) async fn uses_decide_which_record_goes_first(subject: &MetadataSubject) -> Result<()> {
    for (order, expected) in
        [(ReclaimOrder::Used, ["d", "c", "e", "a", "b"]), (ReclaimOrder::Hits, ["d", "c", "e", "b", "a"])]
    {
        let store = subject.open().await?;
        let put_at = |key, micros| Record { created_at: NOW.offset(micros), ..sample(key) };
        put_all(&*store, [put_at("a", -9), put_at("b", -8), put_at("c", 0), put_at("d", -1), put_at("e", 0)]).await?;
        for (key, at, hits) in [("a", 5, 2), ("b", 6, 1), ("a", 3, 1), ("d", -5, 0), ("c", -1, 0)] {
            apply(&*store, use_of(key, NOW.offset(at), hits)).await?;
        }
        // A new value is a use of it, and nobody is told of it.
        apply(&*store, put(Record { version: version(2), ..sample("e") })).await?;
        let reclaimed = reclaim(&*store, entries(order, 10, None)).await?;
        assert_eq!(names(&reclaimed), expected, "{order:?}");
    }
    Ok(())
}

pub(super) async fn any_order_means_all_records(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let expected: BTreeSet<EntryKey> = (0..20).map(|n| EntryKey::new(format!("{n}"))).collect();
    for order in ORDERS {
        let numbered = |(n, key): (u64, &EntryKey)| Record { version: version(n * 7919 % 20), ..sample(key.as_str()) };
        put_all(&*store, (0..).zip(&expected).map(numbered)).await?;
        let mut gone = Vec::new();
        for round in 0..4 {
            let reclaimed = reclaim(&*store, entries(order, 6, None)).await?;
            assert_eq!(reclaimed.more, round < 3, "{order:?}");
            gone.extend(reclaimed.keys);
        }
        assert_eq!(gone.len(), expected.len(), "{order:?}: each goes once");
        assert_eq!(BTreeSet::from_iter(gone), expected, "{order:?}");
    }
    Ok(())
}

pub(super) async fn a_reclaim_stops_at_the_entries_asked_for(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| inline(&format!("{n}"), vec![0; n]))).await?;
    put_all(&*store, [sample(EntryKey::system("lease").as_str())]).await?;
    for entries in [10, 11, u64::MAX] {
        let nothing = reclaim(&*store, until(100, None, Some(entries))).await?;
        assert_eq!(nothing, Reclaimed::default(), "the store holds as few records already");
    }
    let two = reclaim(&*store, until(100, None, Some(8))).await?;
    assert_eq!(names(&two), ["0", "1"]);
    assert!(!two.more, "the entries ended it, not the limit");
    let limited = reclaim(&*store, until(3, None, Some(2))).await?;
    assert_eq!(names(&limited), ["2", "3", "4"]);
    assert!(limited.more, "the limit ended it");
    let exact = reclaim(&*store, until(2, None, Some(3))).await?;
    assert_eq!((names(&exact), exact.more), (vec!["5", "6"], false), "both ended it at once");
    let odd = Filter::in_(Field::Key, ["7", "9"]);
    let plan = Reclaim::Entries {
        filter: odd,
        order: ReclaimOrder::Key,
        limit: 100,
        until_bytes: None,
        until_entries: Some(2),
    };
    assert_eq!(names(&reclaim(&*store, plan).await?), ["7"], "records that it does not mean count, too");
    assert_eq!(names(&reclaim(&*store, until(100, None, Some(0))).await?), ["8", "9"]);
    Ok(())
}

pub(super) async fn a_reclaim_with_two_bounds_goes_on_until_both_are_kept(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| inline(&format!("{n}"), vec![0; 10]))).await?;
    for (bytes, entries, expected) in
        [(100, 10, 0), (u64::MAX, 9, 1), (80, u64::MAX, 1), (70, 8, 1), (70, 4, 3), (15, 4, 3), (10, 0, 1)]
    {
        let reclaimed = reclaim(&*store, until(100, Some(bytes), Some(entries))).await?;
        assert_eq!(reclaimed.keys.len(), expected, "until {bytes} bytes and {entries} entries");
        assert!(!reclaimed.more);
    }
    put_all(&*store, (0..4).map(|n| inline(&format!("{n}"), vec![0; 10]))).await?;
    let limited = reclaim(&*store, until(2, Some(30), Some(0))).await?;
    assert_eq!((names(&limited), limited.more), (vec!["0", "1"], true), "one bound is kept, the other is not");
    Ok(())
}

pub(super) async fn a_reclaim_stops_at_the_bytes_asked_for(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..10).map(|n| inline(&format!("{n}"), vec![0; 10]))).await?;
    let nothing = reclaim(&*store, entries(ReclaimOrder::Key, 100, Some(100))).await?;
    assert_eq!(nothing, Reclaimed::default(), "the store holds as few bytes already");
    let two = reclaim(&*store, entries(ReclaimOrder::Key, 100, Some(81))).await?;
    assert_eq!(names(&two), ["0", "1"]);
    assert!(!two.more, "the bytes ended it, not the limit");
    let limited = reclaim(&*store, entries(ReclaimOrder::Key, 3, Some(10))).await?;
    assert_eq!(names(&limited), ["2", "3", "4"]);
    assert!(limited.more, "the limit ended it");
    assert_eq!(totals(&*store).await?, [5, 50, 0, 0]);
    let rest = reclaim(&*store, entries(ReclaimOrder::Key, 100, Some(0))).await?;
    assert_eq!(names(&rest), ["5", "6", "7", "8", "9"]);
    Ok(())
}

pub(super) async fn a_shared_blob_gives_its_bytes_back_with_its_last_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, ["a", "b"].map(|key| in_blob(key, blob(1), 100))).await?;
    put_all(&*store, ["c", "d"].map(|key| inline(key, vec![0; 10]))).await?;
    let reclaimed = reclaim(&*store, entries(ReclaimOrder::Key, 100, Some(15))).await?;
    assert_eq!(names(&reclaimed), ["a", "b", "c"], "removing only a frees nothing");
    assert_eq!(reclaimed.condemned, [blob(1)]);
    assert_eq!(totals(&*store).await?, [1, 10, 0, 1]);
    Ok(())
}

pub(super) async fn records_without_bytes_are_reclaimed_too(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, ["a", "b"].map(|key| inline(key, ""))).await?;
    assert_eq!(reclaim(&*store, entries(ReclaimOrder::Key, 100, Some(0))).await?, Reclaimed::default());
    assert_eq!(names(&reclaim(&*store, entries(ReclaimOrder::Key, 100, None)).await?), ["a", "b"]);
    Ok(())
}

pub(super) async fn reclaimed_blobs_are_condemned_once(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("a", blob(1), 10), in_blob("b", blob(2), 10), in_blob("c", blob(1), 10)]).await?;
    let mut reclaimed = reclaim(&*store, entries(ReclaimOrder::Key, 2, None)).await?;
    assert_eq!(reclaimed.condemned, [blob(2)], "c still names the other");
    reclaimed = reclaim(&*store, entries(ReclaimOrder::Key, 2, None)).await?;
    assert_eq!(reclaimed.condemned, [blob(1)]);
    assert_eq!(condemned(&*store).await?, [blob(1), blob(2)]);
    Ok(())
}

pub(super) async fn a_reclaim_spares_what_its_filter_does_not_mean(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let expired = Record { expires_at: Some(NOW.offset(-1)), ..sample("expired") };
    let live = Record { expires_at: Some(NOW.offset(1)), ..sample("live") };
    put_all(&*store, [expired, live, sample("endless")]).await?;
    let filter = Filter::le(Field::ExpiresAt, NOW);
    let plan =
        Reclaim::Entries { filter, order: ReclaimOrder::Expiry, limit: 100, until_bytes: None, until_entries: None };
    assert_eq!(names(&reclaim(&*store, plan).await?), ["expired"]);
    assert_eq!(keys(&*store, &Query::new()).await?, ["endless", "live"]);
    Ok(())
}

pub(super) async fn system_records_survive_every_reclaim(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let system = EntryKey::system("identity");
    put_all(&*store, [sample(system.as_str()), sample("key")]).await?;
    for order in ORDERS {
        for until_bytes in [None, Some(0)] {
            let reclaimed = reclaim(&*store, entries(order, 100, until_bytes)).await?;
            assert!(!reclaimed.keys.contains(&system), "{order:?}");
        }
    }
    let found = store.get(std::slice::from_ref(&system), Fields::ALL).await?;
    assert_eq!(found, [Some(sample(system.as_str()))]);
    Ok(())
}
