//! Records to test with. The same arguments make the same record.

use cacheness_core::Timestamp;
use cacheness_handlers::{CodecId, Encoding, Extra};
use cacheness_storage::{
    Annotations, BlobId, Bytes, Content, Digest, DigestAlgorithm, EntryKey, Location, Record, Terms, Usage, Version,
};
use serde_json::{Value as Json, json};

/// When the clock of a subject starts: 2023-11-14T22:13:20Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// The `n`th version.
pub fn version(n: u64) -> Version {
    Version::from_bytes(numbered(0xa1, n))
}

/// The `n`th blob name. Names are ordered as their numbers.
pub fn blob(n: u64) -> BlobId {
    BlobId::from_bytes(numbered(0xb1, n))
}

fn numbered(first: u8, n: u64) -> [u8; 16] {
    (u128::from(first) << 120 | u128::from(n)).to_be_bytes()
}

/// A record with a small payload inside, which depends on the key, and nothing optional. Its version is the first;
/// write `Record { version: version(2), ..sample("key") }` for another.
pub fn sample(key: &str) -> Record {
    inline(key, format!("the payload of {key}"))
}

/// A record with this payload inside.
pub fn inline(key: &str, payload: impl Into<Bytes>) -> Record {
    let payload = payload.into();
    let content = content(payload.len() as u64, Digest::of(DigestAlgorithm::Xxh3, &payload));
    record(key, content, Location::Inline(payload))
}

/// A record whose payload, of `size` bytes, is in a blob.
pub fn in_blob(key: &str, blob: BlobId, size: u64) -> Record {
    record(key, content(size, Digest::of(DigestAlgorithm::Xxh3, blob.as_bytes())), Location::Blob(blob))
}

/// A record that was never used, with every other optional field, odd characters in every string and the extremes of every number.
pub fn complete(key: &str) -> Record {
    let payload = Bytes::from_iter(0..=u8::MAX);
    Record {
        version: Version::from_bytes([0xff; 16]),
        created_at: NOW.offset(-1),
        updated_at: NOW,
        expires_at: Some(NOW.offset(3_600_000_000)),
        drop_at: Some(NOW.offset(7_200_000_001)),
        content: Content {
            type_tag: "tag 'with' \"quotes\"; --".into(),
            type_name: "alloc::vec::Vec<(&str, Größe)>".into(),
            format: "f\0rmat".into(),
            format_version: u16::MAX,
            schema: Some(u64::MAX),
            extra: Extra::from([
                (String::new(), Json::Null),
                ("shape".into(), json!([3, 0, { "deep": [[], {}, "\0"] }])),
                ("numbers".into(), json!([u64::MAX, i64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1])),
            ]),
            encoding: Encoding { codec: CodecId::Zstd, shuffle: 8 },
            raw_size: (1 << 53) + 1,
            stored_size: payload.len() as u64,
            digest: Digest::of(DigestAlgorithm::Blake3, &payload),
            key_digest: Some(std::array::from_fn(|at| u8::MAX - at as u8)),
            terms: Terms {
                namespace: Some("team-1.über".into()),
                parameters: Some(r#"{"größe":[1,"\u0000",null],"a.b":{"$gte":1}}"#.into()),
                epoch: Some(u64::MAX),
                idle: Some(1),
                until: Some(Timestamp::from_micros(i64::MIN)),
            },
            object: None,
        },
        location: Location::Inline(payload),
        annotations: annotations(),
        signature: Some(Bytes::from_static(b"\0sign\xff\xfe\0")),
        ..sample(key)
    }
}

/// Annotations with odd characters in every string and the extremes of every number.
pub fn annotations() -> Annotations {
    let metadata = json!({
        "": "the empty name",
        "a.b": { "$gte": 1, "c'd\"e": [null, true, false] },
        "größe 🦀": "snowman ☃, NUL \0, line\nend, quote ' and \", backslash \\ %_*",
        "numbers": [u64::MAX, i64::MIN, i64::MAX, 0, -1, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1, 1.0],
        "nested": { "object": { "in": { "object": [[[[1]]]] } } },
    });
    Annotations {
        metadata: metadata.as_object().cloned().unwrap_or_default(),
        tags: ["b", "a", "", "b", "größe", "🦀", "with space, comma; semicolon", "\0", "%", "_", "'\"\\", "{\"$\":1}"]
            .map(str::to_owned)
            .to_vec(),
        description: Some("line one\nline two\0 🦀 'quoted' \"twice\"".into()),
    }
}

fn record(key: &str, content: Content, location: Location) -> Record {
    Record {
        key: EntryKey::new(key),
        version: version(1),
        created_at: NOW,
        updated_at: NOW,
        expires_at: None,
        drop_at: None,
        content,
        location,
        annotations: Annotations::default(),
        usage: Usage::default(),
        signature: None,
    }
}

fn content(size: u64, digest: Digest) -> Content {
    Content {
        type_tag: "bytes".into(),
        type_name: "alloc::vec::Vec<u8>".into(),
        format: "raw".into(),
        format_version: 1,
        schema: None,
        extra: Extra::new(),
        encoding: Encoding { codec: CodecId::None, shuffle: 1 },
        raw_size: size,
        stored_size: size,
        digest,
        key_digest: None,
        terms: Terms::default(),
        object: None,
    }
}
