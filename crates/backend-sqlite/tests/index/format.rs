//! The format on disk: what version 1 wrote stays readable.

use crate::{assert_totals_are_recounted, commit, open, place, put};
use cacheness_core::runtime::block_on;
use cacheness_handlers::{CodecId, Encoding, Extra};
use cacheness_storage::{
    Annotations, BlobId, BlobQuery, Bytes, Change, Content, Digest, EntryKey, Fields, Location, MetadataBackend, Query,
    Record, Terms, Timestamp, Usage, Version,
};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn the_tables_are_those_of_version_1() {
    let (_directory, path) = place();
    let _index = open(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let mut select = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").unwrap();
    let tables = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let text: String = tables.map(|table| table.unwrap() + ";\n").collect();
    assert_eq!(text, fs::read_to_string(golden("schema-v1.sql")).unwrap());
}

#[test]
fn the_header_says_what_the_file_is() {
    let (_directory, path) = place();
    let _index = open(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("application_id").to_be_bytes()[4..], *b"CACH");
    assert_eq!(pragma("user_version"), 1);
    assert_eq!(pragma("page_size"), 4096);
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn an_index_that_version_1_wrote_is_readable() {
    let (_directory, path) = place();
    fs::copy(golden("index-v1.db"), &path).unwrap();
    let index = open(&path).unwrap();
    let page = block_on(index.page(&Query::new().fields(Fields::ALL), None)).unwrap();
    assert_eq!(page.records, records());
    let store = EntryKey::system("store");
    let found = block_on(index.get(&[store], Fields::ALL)).unwrap();
    assert_eq!(found, [Some(system_record())]);
    let condemned = BlobQuery::Condemned { until: Timestamp::from_micros(i64::MAX), after: None, limit: 10 };
    assert_eq!(block_on(index.blobs(&condemned)).unwrap()[0].id, BlobId::from_bytes([0xBB; 16]));
    assert_totals_are_recounted(&index, &path);

    assert!(commit(&index, records().into_iter().map(put).collect()).unwrap().iter().all(|it| it.is_applied()));
    assert_totals_are_recounted(&index, &path);
}

/// What the golden file is a copy of, as this version writes it.
#[test]
fn this_version_writes_what_the_golden_file_holds() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let mut changes: Vec<_> = records().into_iter().chain([system_record()]).map(put).collect();
    changes.push(Change::Condemn { blob: BlobId::from_bytes([0xBB; 16]) });
    assert!(commit(&index, changes).unwrap().iter().all(|outcome| outcome.is_applied()));
    block_on(index.close()).unwrap();
    let rows = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        let sql = "SELECT key, version, hex(content), payload, tags, not_before, accessed_at, hits \
            FROM records LEFT JOIN usage USING (id) ORDER BY key";
        let mut select = connection.prepare(sql).unwrap();
        let rows = select.query_map([], |row| {
            Ok(format!("{:?}", (0..8).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect::<Vec<_>>()))
        });
        rows.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let (_golden_directory, copy) = place();
    fs::copy(golden("index-v1.db"), &copy).unwrap();
    assert_eq!(rows(&path), rows(&copy));
}

/// Written once, compared for ever: these values never change.
fn records() -> Vec<Record> {
    let content = Content {
        type_tag: "object".into(),
        type_name: "experiment::Results".into(),
        format: "msgpack".into(),
        format_version: 1,
        schema: Some(0x0123_4567_89AB_CDEF),
        extra: Extra::from([("shape".into(), json!([2, 3]))]),
        encoding: Encoding { codec: CodecId::Zstd, shuffle: 4 },
        raw_size: 5_000_000_000,
        stored_size: 4_000_000_000,
        digest: Digest::Blake3([0xD1; 32]),
        key_digest: Some([0xE1; 32]),
        terms: Terms::default(),
        object: None,
    };
    let in_blob = Record {
        key: "a/blob".into(),
        version: Version::from_bytes([0xA1; 16]),
        created_at: Timestamp::from_micros(1_700_000_000_000_000),
        updated_at: Timestamp::from_micros(1_700_000_000_000_001),
        expires_at: Some(Timestamp::from_micros(1_800_000_000_000_000)),
        drop_at: Some(Timestamp::from_micros(1_900_000_000_000_000)),
        content,
        location: Location::Blob(BlobId::from_bytes([0xB1; 16])),
        annotations: Annotations {
            metadata: json!({"accuracy": 0.1, "größe": ["🦀", null, true, u64::MAX]}).as_object().cloned().unwrap(),
            tags: vec!["b".into(), "a".into()],
            description: Some("line one\nline two\0".into()),
        },
        usage: Usage::default(),
        signature: Some(Bytes::from_static(&[0xF1; 32])),
    };
    let usage = Usage { accessed_at: Some(Timestamp::from_micros(1_750_000_000_000_000)), hits: u64::MAX - 1 };
    let version = Version::from_bytes([0xA2; 16]);
    let same_blob = Record { key: "a/copy\0🦀".into(), version, usage, ..in_blob.clone() };
    vec![in_blob, same_blob, inline("inline", b"payload"), inline("inline/empty", b"")]
}

fn system_record() -> Record {
    inline(EntryKey::system("store").as_str(), &[0xC1; 16])
}

fn inline(key: &str, payload: &'static [u8]) -> Record {
    Record {
        key: key.into(),
        version: Version::from_bytes([0xA3; 16]),
        created_at: Timestamp::from_micros(-1),
        updated_at: Timestamp::from_micros(0),
        expires_at: None,
        drop_at: None,
        content: Content {
            type_tag: "bytes".into(),
            type_name: "alloc::vec::Vec<u8>".into(),
            format: "raw".into(),
            format_version: 1,
            schema: None,
            extra: Extra::new(),
            encoding: Encoding { codec: CodecId::None, shuffle: 1 },
            raw_size: payload.len() as u64,
            stored_size: payload.len() as u64,
            digest: Digest::Xxh3([0xD2; 16]),
            key_digest: None,
            terms: Terms::default(),
            object: None,
        },
        location: Location::Inline(Bytes::from_static(payload)),
        annotations: Annotations::default(),
        usage: Usage::default(),
        signature: None,
    }
}
