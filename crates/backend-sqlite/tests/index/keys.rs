//! Keys that SQL could mistake for others, and that a writer could expect wrongly.

use crate::{assert_totals_are_recounted, commit, open, place, put};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    Annotations, Change, Condition, EntryKey, Field, Fields, Filter, Location, MetadataBackend, Outcome, Query, Record,
};
use cacheness_testkit::records::{inline, sample};

const KEYS: [&str; 16] = [
    "",
    "\0",
    "\0\0",
    "a",
    "a\0",
    "a\0b",
    "a\u{1}",
    "a%",
    "a_b",
    "a\u{D7FF}",
    "a\u{E000}",
    "a\u{10FFFE}",
    "a\u{10FFFF}",
    "a\u{10FFFF}x",
    "🦀",
    "\u{10FFFE}\u{10FFFF}",
];

#[test]
fn keys_are_compared_whole_and_by_their_bytes() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    for key in KEYS {
        let outcomes = commit(&index, vec![put(sample(key)), put(sample(&format!("\u{10FFFF}{key}")))]).unwrap();
        let new = |outcome: &_| matches!(outcome, cacheness_storage::Outcome::Applied { previous: None, .. });
        assert!(outcomes.iter().all(new), "{key:?}: {outcomes:?}");
    }
    let keys = KEYS.map(EntryKey::from);
    let found = block_on(index.get(&keys, Fields::ALL)).unwrap();
    assert_eq!(found, KEYS.map(|key| Some(sample(key))));
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(all(&index, &Query::new()), sorted);
}

#[test]
fn a_prefix_ends_where_its_last_character_ends() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    for key in KEYS {
        commit(&index, vec![put(sample(key)), put(sample(&format!("\u{10FFFF}{key}")))]).unwrap();
    }
    for prefix in KEYS.into_iter().chain(["\u{10FFFF}", "\u{10FFFF}a", "a\u{D7FE}", "b", "\u{10FFFE}"]) {
        let mut meant: Vec<_> = KEYS.into_iter().filter(|key| key.starts_with(prefix)).map(EntryKey::from).collect();
        meant.sort();
        assert_eq!(all(&index, &Query::new().prefix(prefix)), meant, "{prefix:?}");
        let by_filter = Query::new().filter(Filter::prefix(Field::Key, prefix));
        assert_eq!(all(&index, &by_filter), meant, "{prefix:?}");
    }
}

#[test]
fn a_record_that_a_scan_ends_at_is_not_lost() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let key = |n: u64| format!("{n:04}");
    commit(&index, (0..1020).map(|n| put(sample(&key(n)))).collect()).unwrap();
    // With two records a page, a page looks at 1008 records.
    for n in 1000..1015 {
        for field in [Field::Key, Field::Description] {
            let record = Record {
                annotations: Annotations { description: Some(key(n)), ..Annotations::default() },
                ..sample(&key(n))
            };
            commit(&index, vec![put(record)]).unwrap();
            let query = Query::new().filter(Filter::eq(field, key(n)));
            assert_eq!(all(&index, &query), [EntryKey::new(key(n))]);
        }
    }
}

/// The keys of all pages, two records a page.
fn all(index: &impl MetadataBackend, query: &Query) -> Vec<EntryKey> {
    let query = query.clone().limit(2);
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = block_on(index.page(&query, after)).unwrap();
        assert!(page.records.len() <= 2);
        keys.extend(page.records.into_iter().map(|record| record.key));
        match page.next {
            Some(next) => after = Some(next),
            None => return keys,
        }
    }
}

#[test]
fn a_key_that_is_there_is_found_after_many_that_were_not() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let absent = |key: &str| Change::Put { record: Box::new(inline(key, vec![1; 10])), condition: Condition::Absent };
    for n in 0..10 {
        commit(&index, vec![put(inline(&format!("{n}"), vec![0; 10]))]).unwrap();
    }
    let outcomes = commit(&index, vec![put(inline("3", vec![1; 20]))]).unwrap();
    assert!(matches!(outcomes[..], [Outcome::Applied { previous: Some(_), .. }]), "{outcomes:?}");
    let new: Vec<_> = (10..20).map(|n| put(inline(&format!("{n}"), vec![0; 10]))).collect();
    let outcomes = commit(&index, new.into_iter().chain([absent("4"), absent("new")]).collect()).unwrap();
    assert!(matches!(outcomes[10..], [Outcome::Unmet { current: Some(_) }, Outcome::Applied { previous: None, .. }]));
    assert_totals_are_recounted(&index, &path);
    let found = block_on(index.get(&["3".into(), "4".into()], Fields::ALL)).unwrap();
    let payloads: Vec<_> = found.into_iter().map(|record| record.unwrap().location).collect();
    assert_eq!(payloads, [Location::Inline(vec![1; 20].into()), Location::Inline(vec![0; 10].into())]);
}
