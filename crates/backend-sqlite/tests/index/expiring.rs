//! Pages of records that expire within a range: the same whether the index finds them by their expiry or by their keys.

use crate::{commit, open, place, put};
use cacheness_backend_sqlite::SqliteMetadata;
use cacheness_core::runtime::block_on;
use cacheness_storage::{Change, Field, Filter, MetadataBackend, Query, Record};
use cacheness_testkit::records::{NOW, sample};
use rusqlite::Connection;

const MINUTE: i64 = 60_000_000;

/// A record whose expiry has nothing to do with the order of the keys.
fn expiring(n: i64) -> Change {
    let expires_at = NOW.offset((n * 7919 % 10_000) * MINUTE);
    put(Record { expires_at: Some(expires_at), ..sample(&format!("{n:05}")) })
}

fn keys(index: &SqliteMetadata, filter: &Filter, limit: usize) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let query = Query::new().filter(filter.clone()).limit(limit);
        let page = block_on(index.page(&query, after)).unwrap();
        assert!(page.records.len() <= limit);
        keys.extend(page.records.into_iter().map(|record| record.key.to_string()));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

fn expected(from: i64, to: i64) -> Vec<String> {
    (0..10_000).filter(|n| (from..to).contains(&(n * 7919 % 10_000))).map(|n| format!("{n:05}")).collect()
}

#[test]
fn few_and_many_that_expire_are_found_in_the_order_of_their_keys() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, (0..10_000).map(expiring).collect()).unwrap();
    commit(&index, (0..100).map(|n| put(sample(&format!("{n:05} for ever")))).collect()).unwrap();
    let at = |minutes| NOW.offset(minutes * MINUTE);
    let between = |from, to| Filter::ge(Field::ExpiresAt, at(from)) & Filter::lt(Field::ExpiresAt, at(to));
    for (from, to) in [(0, 100), (40, 41), (0, 4999), (0, 6000), (9990, 20_000), (20_000, 30_000)] {
        assert_eq!(keys(&index, &between(from, to), 70), expected(from, to), "{from}..{to}");
    }
    let soon_and_one = between(0, 100) & Filter::prefix(Field::Key, "004");
    let some: Vec<_> = expected(0, 100).into_iter().filter(|key| key.starts_with("004")).collect();
    assert_eq!(keys(&index, &soon_and_one, 3), some);
    let or_for_ever = between(0, 1) | Filter::prefix(Field::Key, "00007 ");
    assert_eq!(keys(&index, &or_for_ever, 3), ["00000", "00007 for ever"]);
}

#[test]
fn what_cannot_be_read_among_the_few_is_told() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    commit(&index, (0..10).map(expiring).collect()).unwrap();
    let damage = "UPDATE records SET content = x'ff' WHERE key = '00003'";
    Connection::open(&path).unwrap().execute(damage, []).unwrap();
    let page = block_on(index.page(&Query::new().filter(Filter::exists(Field::ExpiresAt)), None)).unwrap();
    assert_eq!((page.records.len(), page.unreadable), (9, vec!["00003".into()]));
}
