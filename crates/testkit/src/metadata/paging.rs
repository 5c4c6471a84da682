//! Pages show every record once, in the order of the keys' bytes, whatever happens between them.

use super::reading::ODD_KEYS;
use super::steps::{apply, keys, pages, put, put_all, remove};
use crate::records::{complete, sample};
use crate::{MetadataSubject, Result};
use cacheness_storage::{Cursor, EntryKey, Field, Fields, Filter, Query};

/// Keys around everything that can go wrong with a prefix: wildcards, case, NUL, the last characters of each length
/// in UTF-8 and of the range before the surrogates.
const PREFIXED: [&str; 36] = [
    "a",
    "A",
    "aa",
    "ab",
    "a_",
    "a_b",
    "axb",
    "a%",
    "a%b",
    "a*",
    "a?",
    "a[b]",
    "a\\",
    "a\\_",
    "a\0",
    "a\0b",
    "a\u{1}",
    "a\u{7F}",
    "a\u{7F}x",
    "a\u{80}",
    "a\u{7FF}",
    "a\u{800}",
    "a\u{D7FE}",
    "a\u{D7FF}",
    "a\u{D7FF}x",
    "a\u{E000}",
    "a\u{E000}x",
    "a\u{FFFF}",
    "a\u{10000}",
    "a\u{10FFFE}",
    "a\u{10FFFF}",
    "a\u{10FFFF}x",
    "a\u{10FFFF}\u{10FFFF}",
    "b",
    "\u{10FFFE}",
    "\u{10FFFE}x",
];

pub(super) async fn an_empty_store_has_one_empty_page(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    assert!(pages(&*store, &Query::new()).await?.is_empty());
    let after = Some(Cursor::after(EntryKey::new("anywhere")));
    let page = store.page(&Query::new(), after).await?;
    assert!(page.records.is_empty() && page.next.is_none(), "{page:?}");
    Ok(())
}

pub(super) async fn pages_follow_the_bytes_of_the_keys(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let mut expected: Vec<_> = ODD_KEYS.into_iter().chain(["\u{10000}", "\u{E000}", "\u{D7FF}"]).collect();
    put_all(&*store, expected.iter().map(|key| sample(key))).await?;
    expected.sort_unstable();
    for limit in [1, 2, 5, expected.len() - 1, expected.len(), expected.len() + 1, 1000] {
        assert_eq!(keys(&*store, &Query::new().limit(limit)).await?, expected, "limit {limit}");
    }
    Ok(())
}

pub(super) async fn a_limit_of_zero_counts_as_one(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, ["a", "b", "c"].map(sample)).await?;
    let mut query = Query::new();
    query.limit = 0;
    assert_eq!(keys(&*store, &query).await?, ["a", "b", "c"]);
    Ok(())
}

pub(super) async fn a_prefix_means_bytes(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, PREFIXED.map(sample)).await?;
    for prefix in PREFIXED.into_iter().chain(["", "c", "a\u{10FFFF}\u{10FFFF}\u{10FFFF}", "%", "_"]) {
        let mut expected: Vec<_> = PREFIXED.into_iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        for limit in [2, 1000] {
            let query = Query::new().prefix(prefix).limit(limit);
            assert_eq!(keys(&*store, &query).await?, expected, "prefix {prefix:?}, limit {limit}");
        }
        let filtered = Query::new().filter(Filter::prefix(Field::Key, prefix));
        assert_eq!(keys(&*store, &filtered).await?, expected, "filter by prefix {prefix:?}");
    }
    Ok(())
}

pub(super) async fn a_cursor_is_a_place_not_a_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, ["b", "d", "f"].map(sample)).await?;
    for (after, expected) in [("", "bdf"), ("a", "bdf"), ("b", "df"), ("b\0", "df"), ("c", "df"), ("f", ""), ("z", "")]
    {
        let page = store.page(&Query::new(), Some(Cursor::after(EntryKey::new(after)))).await?;
        let found: String = page.records.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(found, expected, "after {after:?}");
    }
    let query = Query::new().prefix("d");
    for (after, expected) in [("a", 1), ("d", 0), ("e", 0)] {
        let page = store.page(&query, Some(Cursor::after(EntryKey::new(after)))).await?;
        assert_eq!(page.records.len(), expected, "prefix d after {after:?}");
    }
    Ok(())
}

pub(super) async fn pages_go_on_rightly_when_the_store_changes_between_them(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..20).map(|n| sample(&format!("key {n:02}")))).await?;
    let query = Query::new().limit(5);
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(&query, after.take()).await?;
        found.extend(page.records.iter().map(|record| record.key.to_string()));
        let Some(next) = page.next else { break };
        // What the cursor stands on goes, something comes behind it, and something in front of it.
        apply(&*store, remove(next.key().as_str())).await?;
        apply(&*store, put(sample(&format!("a key before {}", next.key())))).await?;
        if next.key().as_str() < "key 18" {
            apply(&*store, remove("key 18")).await?;
            apply(&*store, put(sample("key 18 and a half"))).await?;
        }
        after = Some(next);
    }
    let mut expected: Vec<_> = (0..20).filter(|n| *n != 18).map(|n| format!("key {n:02}")).collect();
    expected.insert(18, "key 18 and a half".into());
    assert_eq!(found, expected);
    Ok(())
}

pub(super) async fn pages_pass_over_system_records(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let system = EntryKey::system("lease");
    put_all(&*store, [sample("a"), sample("\u{10FFFE}"), sample(system.as_str())]).await?;
    for limit in [1, 2, 1000] {
        assert_eq!(keys(&*store, &Query::new().limit(limit)).await?, ["a", "\u{10FFFE}"]);
    }
    let query = Query::new().prefix(EntryKey::SYSTEM);
    assert!(pages(&*store, &query).await?.is_empty(), "a prefix does not lead to system records");
    let page = store.page(&Query::new(), Some(Cursor::after(EntryKey::new("\u{10FFFE}")))).await?;
    assert!(page.records.is_empty(), "a cursor does not lead to system records");
    let found = store.get(std::slice::from_ref(&system), Fields::ALL).await?;
    assert_eq!(found, [Some(sample(system.as_str()))], "they are found by their keys");
    Ok(())
}

pub(super) async fn pages_read_the_fields_asked_for(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [complete("a"), sample("b")]).await?;
    for fields in [Fields::ALL, Fields::HEAD, Fields::VALUE, Fields::LEAST] {
        let mut expected = [complete("a"), sample("b")];
        expected.iter_mut().for_each(|record| fields.project(record));
        assert_eq!(pages(&*store, &Query::new().fields(fields)).await?, expected, "{fields:?}");
    }
    let filter = Filter::eq(Field::Tag, "🦀");
    let found = pages(&*store, &Query::new().filter(filter).fields(Fields::LEAST)).await?;
    assert_eq!(found.len(), 1, "a filter sees fields that are not read");
    Ok(())
}

pub(super) async fn a_filter_that_few_records_meet_still_ends(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, (0..3000).map(|n| sample(&format!("key {n:04}")))).await?;
    for limit in [1, 100] {
        let filter = Filter::in_(Field::Key, ["key 0000", "key 1234", "key 2999", "none"]);
        let found = keys(&*store, &Query::new().filter(filter).limit(limit)).await?;
        assert_eq!(found, ["key 0000", "key 1234", "key 2999"], "limit {limit}");
        assert!(keys(&*store, &Query::new().filter(!Filter::All).limit(limit)).await?.is_empty());
    }
    Ok(())
}
