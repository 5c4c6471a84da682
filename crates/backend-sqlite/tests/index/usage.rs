//! What is known of the use of records: what noting it costs, and which records an eviction finds by it.

use crate::{assert_totals_are_recounted, commit, open, place, put};
use cacheness_backend_sqlite::SqliteMetadata;
use cacheness_core::runtime::block_on;
use cacheness_storage::memory::Index;
use cacheness_storage::{
    Change, Condition, EntryKey, Field, Fields, Filter, MetadataBackend, OnUnmet, Query, Reclaim, ReclaimOrder,
    Reclaimed, Record, Usage,
};
use cacheness_testkit::SeededRng;
use cacheness_testkit::records::{NOW, inline, sample, version};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;

fn use_at(key: &str, offset: i64, hits: u64) -> Change {
    Change::Use { key: key.into(), at: NOW.offset(offset), hits }
}

fn reclaim(index: &SqliteMetadata, order: ReclaimOrder, filter: Filter, limit: usize) -> Reclaimed {
    block_on(index.reclaim(&Reclaim::Entries { filter, order, limit, until_bytes: None, until_entries: None })).unwrap()
}

fn integer(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Ten thousand records of 800 bytes.
fn fill(index: &SqliteMetadata) -> Vec<String> {
    let keys: Vec<_> = (0..10_000).map(|n| format!("key {n}")).collect();
    for keys in keys.chunks(1000) {
        commit(index, keys.iter().map(|key| put(inline(key, vec![7; 800]))).collect()).unwrap();
    }
    keys
}

#[test]
fn a_thousand_uses_cost_less_than_half_a_megabyte_of_log() {
    for completed in [false, true] {
        let (_directory, path) = place();
        let index = open(&path).unwrap();
        let keys = fill(&index);
        if completed {
            // The way to an eviction gives a usage to all.
            assert!(reclaim(&index, ReclaimOrder::Used, Filter::eq(Field::Key, "none"), 1).keys.is_empty());
            assert_eq!(integer(&path, "SELECT count(*) FROM usage"), 10_000);
        }
        for round in 0..3 {
            let log_of = |changes| {
                let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
                Connection::open(&path).unwrap().query_row(checkpoint, [], |_| Ok(())).unwrap();
                commit(&index, changes).unwrap();
                path.with_extension("db-wal").metadata().unwrap().len()
            };
            let chance = SeededRng::new(round);
            let mut chosen = BTreeSet::new();
            while chosen.len() < 1000 {
                chosen.insert(chance.below(keys.len() as u64) as usize);
            }
            let log = log_of(chosen.into_iter().map(|at| use_at(&keys[at], round as i64, 1)).collect());
            assert!(log > 0 && log < 500_000, "completed: {completed}, round {round}: {log} bytes");
        }
        assert_totals_are_recounted(&index, &path);
    }
}

#[test]
fn puts_and_gets_of_values_leave_the_usage_alone() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, vec![put(sample("new")), put(sample("used")), use_at("used", 5, 2)]).unwrap();
    let usage = "SELECT sum(id * 1000003 + not_before + accessed_at + hits) * 10 + count(*) FROM usage";
    let before = integer(&path, usage);
    let overwritten = |key: &str| put(Record { version: version(2), created_at: NOW.offset(9), ..sample(key) });
    commit(&index, vec![overwritten("new"), overwritten("used"), put(sample("newer"))]).unwrap();
    assert_eq!(integer(&path, usage), before);

    Connection::open(&path).unwrap().execute_batch("DROP TABLE usage").unwrap();
    for fields in [Fields::VALUE, Fields::LEAST] {
        assert!(block_on(index.get(&["used".into()], fields)).unwrap()[0].is_some());
        let filter = Filter::eq(Field::Namespace, "x") | Filter::exists(Field::Epoch) | Filter::exists(Field::TypeTag);
        let filter = filter | Filter::exists(Field::parameter("x"));
        let page = block_on(index.page(&Query::new().filter(filter).fields(fields), None)).unwrap();
        assert_eq!(page.records.len(), 3);
    }
    assert!(block_on(index.get(&["used".into()], Fields::HEAD)).is_err());
}

#[test]
fn the_number_of_a_removed_record_brings_no_usage_to_its_heir() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let keys: Vec<_> = (0..1500).map(|n| format!("{n:04}")).collect();
    commit(&index, keys.iter().map(|key| put(sample(key))).collect()).unwrap();
    reclaim(&index, ReclaimOrder::Used, Filter::eq(Field::Key, "none"), 1);
    assert_eq!(integer(&path, "SELECT usage_to FROM totals"), 1500);
    commit(&index, vec![use_at("1499", 5, 2)]).unwrap();
    let removed = |key: &str| Change::Remove { key: key.into(), condition: Condition::Always };
    let changes = vec![removed("1499"), removed("1498"), put(sample("heir")), put(sample("\u{10FFFF}system"))];
    commit(&index, changes).unwrap();
    assert_eq!(integer(&path, "SELECT max(id) FROM records"), 1500, "the numbers were given once more");
    let heir = block_on(index.get(&["heir".into()], Fields::ALL)).unwrap();
    assert_eq!(heir[0].as_ref().unwrap().usage, Usage::default());
    assert_totals_are_recounted(&index, &path);
    let first = Filter::eq(Field::Key, "heir") | Filter::prefix(Field::Key, "\u{10FFFF}");
    assert_eq!(reclaim(&index, ReclaimOrder::Used, first, 9).keys, ["heir".into()]);
    assert_totals_are_recounted(&index, &path);
}

/// Removals of an eviction, and the records that are left, are what the reference says, however the table of usages
/// looks: for no record, for some, for all, and behind what was overwritten since.
#[test]
fn an_eviction_takes_what_the_reference_takes() {
    for seed in 0..12 {
        let (_directory, path) = place();
        let index = open(&path).unwrap();
        let mut reference = Index::default();
        let chance = SeededRng::new(seed);
        let apply = |changes: Vec<Change>, reference: &mut Index| {
            let expected = reference.commit(changes.clone(), OnUnmet::Skip, NOW, |_| ());
            reference.keep();
            assert_eq!(commit(&index, changes).unwrap(), expected);
        };
        // With few times, many records have the same place but for their keys.
        let times = [20, 1 << 40][seed as usize % 2];
        let time = || NOW.offset(chance.below(times) as i64);
        let mut number = 0;
        for round in 0..6 {
            let changes = (0..if round == 0 { 1800 } else { 600 }).map(|_| {
                number += 1;
                let key = format!("{}{}", ["a", "b"][chance.below(2) as usize], chance.below(1500));
                match chance.below(8) {
                    0 => Change::Remove { key: EntryKey::new(key), condition: Condition::Always },
                    1 | 2 => Change::Use {
                        key: EntryKey::new(key),
                        at: time(),
                        hits: [0, 1, 2, 3, i64::MAX as u64, u64::MAX][chance.below(6) as usize],
                    },
                    _ => {
                        let record = Record { version: version(number), created_at: time(), ..sample(&key) };
                        let accessed_at = (chance.below(8) == 0).then(time);
                        put(Record { usage: Usage { accessed_at, hits: chance.below(9) / 8 }, ..record })
                    }
                }
            });
            apply(changes.collect(), &mut reference);
            let order = [ReclaimOrder::Used, ReclaimOrder::Hits, ReclaimOrder::Created][chance.below(3) as usize];
            let filter = [
                Filter::All,
                Filter::prefix(Field::Key, "a"),
                Filter::prefix(Field::Key, "a9"),
                Filter::gt(Field::CreatedAt, NOW.offset(times as i64 / 2)),
                Filter::ne(Field::TypeTag, "x"),
            ][chance.below(5) as usize]
                .clone();
            let limit = [1, 10, 100, 5000][chance.below(4) as usize];
            let plan = Reclaim::Entries { filter, order, limit, until_bytes: None, until_entries: None };
            let expected = reference.reclaim(&plan, NOW, |_| ());
            reference.keep();
            assert_eq!(block_on(index.reclaim(&plan)).unwrap(), expected, "seed {seed}, round {round}: {plan:?}");
            assert_totals_are_recounted(&index, &path);
        }
        let page = block_on(index.page(&Query::new().limit(9999), None)).unwrap();
        let expected = reference.page(&Query::new().limit(9999), None, NOW);
        assert_eq!(page.records, expected.records);
    }
}

#[test]
fn what_was_overwritten_is_looked_at_once() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let keys: Vec<_> = (0..1500).map(|n| format!("{n:04}")).collect();
    let at = |key: &String, n: u64| {
        put(Record { version: version(n), created_at: NOW.offset(n as i64), ..inline(key, vec![0; 10]) })
    };
    commit(&index, keys.iter().map(|key| at(key, 1)).collect()).unwrap();
    let none = || Filter::eq(Field::Size, 11i64);
    reclaim(&index, ReclaimOrder::Used, none(), 1);
    commit(&index, keys[..1000].iter().map(|key| at(key, 2)).collect()).unwrap();
    let behind = "SELECT count(*) FROM usage JOIN records USING (id) WHERE not_before < created_at";
    assert_eq!(integer(&path, behind), 1000);
    let reclaimed = reclaim(&index, ReclaimOrder::Used, Filter::All, 400);
    assert_eq!(reclaimed.keys, keys[1000..1400].iter().map(|key| key.as_str().into()).collect::<Vec<_>>());
    assert_eq!(integer(&path, behind), 600, "one removal brings as many up to date as it may remove");
    assert_totals_are_recounted(&index, &path);
}

#[test]
fn a_random_reclaim_takes_each_record_once_and_none_that_its_filter_spares() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let keys: Vec<_> = (0..3000).map(|n| format!("{}{n}", ["a", "b"][n % 2])).collect();
    commit(&index, keys.iter().map(|key| put(sample(key))).collect()).unwrap();
    let mut removed = BTreeSet::new();
    let mut take = |filter: &Filter, limit, expected| {
        let reclaimed = reclaim(&index, ReclaimOrder::Random, filter.clone(), limit);
        assert_eq!(reclaimed.keys.len(), expected);
        for key in reclaimed.keys {
            assert!(removed.insert(key.clone()), "{key} twice");
        }
        reclaimed.more
    };
    let (a, b99) = (Filter::prefix(Field::Key, "a"), Filter::prefix(Field::Key, "b99"));
    assert!(take(&a, 100, 100));
    assert!(!take(&b99, 100, 6), "few among many are all found");
    assert!(take(&a, 1000, 1000));
    assert!(take(&a, 399, 399));
    assert!(!take(&a, 1, 1), "the last one is found");
    assert!(take(&Filter::All, 1, 1));
    assert!(!take(&Filter::All, 9999, 1493));
    assert_totals_are_recounted(&index, &path);
}

#[test]
fn a_random_reclaim_prefers_no_part_of_the_records() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, (0..4000).map(|n| put(sample(&format!("{n:04}")))).collect()).unwrap();
    let mut quarters = [0; 4];
    for key in reclaim(&index, ReclaimOrder::Random, Filter::All, 800).keys {
        quarters[key.as_str().parse::<usize>().unwrap() / 1000] += 1;
    }
    // 200 are expected with a standard deviation of 11.
    assert!(quarters.iter().all(|count| (100..300).contains(count)), "{quarters:?}");
}
