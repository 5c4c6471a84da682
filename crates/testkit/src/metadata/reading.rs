//! Records come back as they were put.

use super::steps::{apply, find, put, put_all};
use crate::records::{NOW, blob, complete, in_blob, inline, sample};
use crate::{MetadataSubject, Result, SeededRng};
use cacheness_core::Timestamp;
use cacheness_storage::{EntryKey, Fields, ObjectTag, Record, Terms};
use serde_json::{Value as Json, json};
use std::iter;

/// Keys that a store of bytes keeps apart, and others confuse: case, trailing space, NUL, wildcards, composed and
/// decomposed letters, order by UTF-16.
pub(super) const ODD_KEYS: [&str; 24] = [
    "",
    " ",
    "\0",
    "a",
    "a ",
    "a\0",
    "a\0b",
    "A",
    "á",
    "a\u{301}",
    "%",
    "_",
    "*",
    "?",
    "'",
    "\"",
    "\\",
    "\n",
    "a/b",
    "../a",
    "🦀",
    "\u{FFFF}",
    "\u{10FFFE}",
    "ß",
];

pub(super) async fn a_missing_key_has_no_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    assert_eq!(find(&*store, "missing").await?, None);
    put_all(&*store, [sample("key")]).await?;
    for key in ["missing", "ke", "key ", "KEY", ""] {
        assert_eq!(find(&*store, key).await?, None, "{key:?}");
    }
    Ok(())
}

pub(super) async fn a_record_comes_back_whole(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let mut of_an_object = in_blob("an object", blob(3), 7);
    let tag = ObjectTag { etag: Some(r#""ab\"c-3""#.into()), version: Some("größe".into()) };
    of_an_object.content.object = Some(Box::new(tag));
    for record in [
        of_an_object,
        complete("complete"),
        sample("small"),
        inline("without bytes", ""),
        inline("large", vec![0xa5; 100_000]),
        in_blob("in a blob", blob(1), 1 << 40),
        Record { location: in_blob("", blob(2), 0).location, ..complete("complete, in a blob") },
    ] {
        put_all(&*store, [record.clone()]).await?;
        assert_eq!(find(&*store, record.key.as_str()).await?, Some(record));
    }
    Ok(())
}

pub(super) async fn any_text_is_a_key_of_its_own(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let long = "k".repeat(2000);
    let keys: Vec<&str> = ODD_KEYS.into_iter().chain([long.as_str()]).collect();
    put_all(&*store, keys.iter().map(|key| sample(key))).await?;
    assert_eq!(store.stats().await?.entries, keys.len() as u64);
    for key in keys {
        assert_eq!(find(&*store, key).await?, Some(sample(key)));
    }
    Ok(())
}

pub(super) async fn a_get_answers_every_key_in_its_place(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("a"), sample("b")]).await?;
    let asked = ["b", "missing", "a", "b"].map(EntryKey::new);
    let found = store.get(&asked, Fields::ALL).await?;
    assert_eq!(found, [Some(sample("b")), None, Some(sample("a")), Some(sample("b"))]);
    assert_eq!(store.get(&[], Fields::ALL).await?, []);
    Ok(())
}

pub(super) async fn many_keys_are_read_at_once(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key 7"), sample("key 39999")]).await?;
    let asked: Vec<_> = (0..40_000).map(|n| EntryKey::new(format!("key {n}"))).collect();
    let found = store.get(&asked, Fields::LEAST).await?;
    assert_eq!(found.len(), asked.len());
    let there: Vec<_> = found.iter().enumerate().filter(|(_, record)| record.is_some()).map(|(at, _)| at).collect();
    assert_eq!(there, [7, 39_999]);
    Ok(())
}

pub(super) async fn fields_say_what_is_read_of_a_record(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let records = [complete("inline"), Record { location: in_blob("", blob(1), 0).location, ..complete("in a blob") }];
    put_all(&*store, records.clone()).await?;
    for fields in [Fields::ALL, Fields::HEAD, Fields::VALUE, Fields::LEAST] {
        for record in &records {
            let mut expected = record.clone();
            fields.project(&mut expected);
            assert_eq!(store.get(std::slice::from_ref(&record.key), fields).await?, [Some(expected)], "{fields:?}");
        }
    }
    Ok(())
}

pub(super) async fn every_number_of_the_metadata_comes_back_exactly(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let rng = SeededRng::new(1);
    let floats = iter::repeat_with(|| f64::from_bits(rng.next_u64())).filter(|float| float.is_finite()).take(2000);
    let mut record = sample("numbers");
    let numbers: Vec<Json> = floats.map(Json::from).chain((0..64).map(|bit| Json::from(u64::MAX >> bit))).collect();
    record.annotations.metadata.insert("numbers".into(), numbers.clone().into());
    record.content.extra.insert("numbers".into(), numbers.into());
    put_all(&*store, [record.clone()]).await?;
    let found = find(&*store, "numbers").await?.map(|record| (record.annotations.metadata, record.content.extra));
    assert!(found == Some((record.annotations.metadata, record.content.extra)), "a number changed");
    Ok(())
}

pub(super) async fn nested_metadata_comes_back(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let mut record = sample("nested");
    let nested =
        (0..100).fold(Json::Null, |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "": inner }) });
    record.annotations.metadata.insert("nested".into(), nested);
    put_all(&*store, [record.clone()]).await?;
    assert_eq!(find(&*store, "nested").await?, Some(record));
    Ok(())
}

pub(super) async fn every_part_of_the_terms_comes_back(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let text = |text: &str| Some(text.into());
    let parts = [
        Terms { namespace: text("team"), ..Terms::default() },
        Terms { namespace: text(""), ..Terms::default() },
        Terms { parameters: text(r#"{"a":1.50,"a":2e400,"b":[ "\u0000" ]}"#), ..Terms::default() },
        Terms { parameters: text("[]"), ..Terms::default() },
        Terms { epoch: Some(0), ..Terms::default() },
        Terms { epoch: Some(u64::MAX), ..Terms::default() },
        Terms { idle: Some(0), ..Terms::default() },
        Terms { idle: Some(u64::MAX), ..Terms::default() },
        Terms { until: Some(Timestamp::from_micros(0)), ..Terms::default() },
        Terms { until: Some(Timestamp::from_micros(i64::MAX)), ..Terms::default() },
        Terms::default(),
    ];
    for terms in parts {
        let mut record = sample("key");
        record.content.terms = terms;
        put_all(&*store, [record.clone()]).await?;
        for fields in [Fields::ALL, Fields::LEAST] {
            let found = store.get(std::slice::from_ref(&record.key), fields).await?;
            let found = found.into_iter().flatten().map(|found| found.content.terms).next();
            assert_eq!(found.as_ref(), Some(&record.content.terms), "{fields:?}");
        }
    }
    Ok(())
}

pub(super) async fn times_at_the_ends_of_the_range_come_back(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let times = [i64::MIN, i64::MIN + 1, -1, 0, 1, NOW.as_micros(), i64::MAX].map(Timestamp::from_micros);
    for time in times {
        let record = Record {
            created_at: time,
            updated_at: time,
            expires_at: Some(time),
            drop_at: Some(time),
            ..sample("times")
        };
        apply(&*store, put(record.clone())).await?;
        assert_eq!(find(&*store, "times").await?, Some(record));
    }
    Ok(())
}
