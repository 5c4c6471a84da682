//! Damaged files: a typed error or the right answer, never a panic.

use crate::{commit, open, place, put};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    BlobQuery, Change, Digest, EntryKey, ErrorKind, Field, Fields, Filter, Location, MetadataBackend, Query, Reclaim,
    ReclaimOrder, Record, Result, Timestamp,
};
use cacheness_testkit::SeededRng;
use cacheness_testkit::records::{NOW, blob, complete, in_blob, inline, sample, version};
use rusqlite::Connection;
use std::fs;
use std::path::Path;

/// An index with every kind of record, closed.
fn fill(path: &Path) {
    let index = open(path).unwrap();
    for n in 0..40 {
        let inline = inline(&format!("inline {n}"), vec![n; 700]);
        let in_blob = in_blob(&format!("blob {n}"), blob(n.into()), 50);
        let used = Change::Use { key: inline.key.clone(), at: NOW, hits: 1 };
        commit(&index, vec![put(inline), put(in_blob), put(complete(&format!("complete {n}"))), used]).unwrap();
    }
    block_on(index.close()).unwrap();
}

/// Reads and writes everything; gives the first error.
fn use_all(path: &Path) -> Result<()> {
    let index = open(path)?;
    let mut first = block_on(index.stats()).map(drop);
    let mut note = |result: Result<()>| first = std::mem::replace(&mut first, Ok(())).and(result);
    for n in 0..40 {
        let keys = ["inline", "blob", "complete"].map(|kind| EntryKey::new(format!("{kind} {n}")));
        note(block_on(index.get(&keys, Fields::ALL)).map(drop));
    }
    note(block_on(index.page(&Query::new().fields(Fields::ALL), None)).map(drop));
    let used = Change::Use { key: "inline 5".into(), at: NOW, hits: 1 };
    note(commit(&index, vec![used, put(sample("inline 3")), put(in_blob("blob 4", blob(99), 1))]).map(drop));
    let condemned = BlobQuery::Condemned { until: Timestamp::from_micros(i64::MAX), after: None, limit: 100 };
    note(block_on(index.blobs(&condemned)).map(drop));
    note(block_on(index.blobs(&BlobQuery::Content(Digest::Blake3([1; 32])))).map(drop));
    for order in [
        ReclaimOrder::Used,
        ReclaimOrder::Expiry,
        ReclaimOrder::Random,
        ReclaimOrder::Created,
        ReclaimOrder::Hits,
        ReclaimOrder::Key,
    ] {
        let plan = Reclaim::Entries { filter: Filter::All, order, limit: 20, until_bytes: None, until_entries: None };
        note(block_on(index.reclaim(&plan)).map(drop));
    }
    note(block_on(index.close()));
    first
}

#[test]
fn a_truncated_index_is_corrupt() {
    let (_directory, path) = place();
    fill(&path);
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() / 2, 4096, whole.len() - 4096, whole.len() - 1000] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(use_all(&path).unwrap_err().kind(), ErrorKind::Corrupt, "{length} of {} bytes", whole.len());
    }
}

#[test]
fn a_page_of_garbage_is_corrupt() {
    let (_directory, path) = place();
    fill(&path);
    let whole = fs::read(&path).unwrap();
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0xA5);
        fs::write(&path, &damaged).unwrap();
        let error = use_all(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "page {page}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn damage_anywhere_is_an_error_or_nothing_but_never_a_panic() {
    let (_directory, path) = place();
    fill(&path);
    let whole = fs::read(&path).unwrap();
    let chance = SeededRng::new(1);
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..=chance.below(8) {
            let at = chance.below(whole.len() as u64) as usize;
            damaged[at] = chance.next_u64() as u8;
        }
        // The pages that hold the structure are hit more often.
        let at = chance.below(4096 * 3) as usize;
        damaged[at] ^= 1 << chance.below(8);
        fs::write(&path, &damaged).unwrap();
        drop(use_all(&path));
    }
}

#[test]
fn a_row_that_is_damaged_is_named() {
    let (_directory, path) = place();
    for damage in [
        "version = x'00'",
        "content = x'00'",
        "content = x''",
        "metadata = '{'",
        "metadata = '[]'",
        "tags = '{}'",
        "blob = x'0102', payload = NULL",
        "key = CAST(x'61ff' AS TEXT)",
        "description = CAST(x'ff' AS TEXT)",
    ] {
        let index = open(&path).unwrap();
        commit(&index, vec![put(sample("damaged")), put(sample("whole"))]).unwrap();
        let sql = format!("UPDATE records SET {damage} WHERE key = 'damaged'");
        Connection::open(&path).unwrap().execute(&sql, []).unwrap();
        let whole = block_on(index.get(&["whole".into()], Fields::ALL)).unwrap();
        assert_eq!(whole, [Some(sample("whole"))]);
        let error = if damage.starts_with("key") {
            block_on(index.page(&Query::new(), None)).unwrap_err()
        } else {
            let error = block_on(index.get(&["damaged".into()], Fields::ALL)).unwrap_err();
            assert!(error.to_string().contains("damaged"), "{error}");
            for query in
                [Query::new().fields(Fields::ALL), Query::new().filter(Filter::ne(Field::Key, "x")).fields(Fields::ALL)]
            {
                let page = block_on(index.page(&query, None)).unwrap();
                assert_eq!(page.records, [sample("whole")], "{damage}: the others are listed");
                assert_eq!(page.unreadable, ["damaged".into()], "{damage}");
            }
            error
        };
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew), "{damage}: {error}");
        block_on(index.close()).unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let mut deep = serde_json::Value::Null;
    for _ in 0..126 {
        deep = serde_json::Value::Array(vec![deep]);
    }
    let mut record = sample("deep");
    record.annotations.metadata.insert("deep".into(), deep.clone());
    assert!(commit(&index, vec![put(record.clone())]).unwrap()[0].is_applied());
    assert_eq!(block_on(index.get(&["deep".into()], Fields::ALL)).unwrap(), [Some(record.clone())]);

    record.annotations.metadata.insert("deep".into(), serde_json::Value::Array(vec![deep]));
    record.version = version(2);
    assert_eq!(commit(&index, vec![put(record)]).unwrap_err().kind(), ErrorKind::Serialization);

    let omitted = Record { location: Location::Omitted, ..sample("omitted") };
    assert_eq!(commit(&index, vec![put(omitted)]).unwrap_err().kind(), ErrorKind::Internal);

    let mut endless = in_blob("endless", blob(1), 1);
    endless.content.stored_size = u64::MAX;
    assert_eq!(commit(&index, vec![put(endless)]).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(block_on(index.stats()).unwrap().entries, 1);
}
