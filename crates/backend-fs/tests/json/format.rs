//! The bytes of the file, and what people do with them.

use super::*;
use cacheness_storage::{BlobQuery, OnUnmet, Patch, Terms, Timestamp, Usage};
use cacheness_testkit::records::{blob, complete, in_blob, inline, sample, version};
use serde_json::Value as Json;

/// What version 1 wrote. Every later version reads it.
const GOLDEN: &str = include_str!("golden/index-v1.jsonl");
const COMPACTED: &str = include_str!("golden/compacted-v1.jsonl");

/// How many of its lines are older than terms and uses.
const FIRST: usize = 10;

/// One of everything that can be in the file.
fn fill(index: &JsonMetadata) {
    let mut without_terms = complete("models/best \"ü\"\n");
    without_terms.content.terms = Terms::default();
    commit(index, put(without_terms));
    commit(index, put(inline("bytes", vec![0, 159, 146, 150])));
    let changes = vec![put(in_blob("kept", blob(1), 10)), put(in_blob("removed", blob(2), 20)), put(sample("gone"))];
    block_on(index.commit(changes, OnUnmet::Abort)).unwrap();
    let mut patch = Patch::new(version(2), NOW.offset(1));
    patch.expires_at = Some(Some(NOW.offset(2)));
    commit(index, Change::Patch { key: "kept".into(), patch: Box::new(patch), condition: Condition::Always });
    block_on(index.commit(vec![remove("removed"), remove("gone")], OnUnmet::Abort)).unwrap();
    commit(index, Change::Condemn { blob: blob(3) });
    commit(index, Change::Condemn { blob: blob(4) });
    commit(index, Change::Forget { blob: blob(4) });
    commit(index, put(sample(EntryKey::system("store").as_str())));
    commit(index, put(complete("with terms")));
    block_on(index.commit(vec![use_of("with terms", 5, 3), use_of("kept", 7, 1)], OnUnmet::Abort)).unwrap();
    commit(index, use_of("kept", 6, 2));
    let patch = Box::new(Patch::new(version(3), NOW.offset(8)));
    commit(index, Change::Patch { key: "kept".into(), patch, condition: Condition::Always });
}

fn contents(index: &JsonMetadata) -> impl PartialEq + std::fmt::Debug + use<> {
    let blobs = block_on(index.blobs(&BlobQuery::Named((0..9).map(blob).collect()))).unwrap();
    (all(index), blobs, block_on(index.stats()).unwrap(), find(index, EntryKey::system("store").as_str()))
}

#[test]
fn the_file_is_the_golden_one_and_is_read_back() {
    let (_home, path) = place();
    let index = open(&path);
    fill(&index);
    assert_eq!(fs::read_to_string(&path).unwrap(), GOLDEN);
    for golden in [GOLDEN, COMPACTED] {
        let (_other_home, other) = place();
        fs::write(&other, golden).unwrap();
        assert_eq!(contents(&open(&other)), contents(&index));
    }
}

#[test]
fn lines_from_before_terms_and_uses_are_read() {
    let (_home, path) = place();
    fs::write(&path, GOLDEN.split_inclusive('\n').take(FIRST).collect::<String>()).unwrap();
    let index = open(&path);
    assert_eq!(keys(&index), ["bytes", "kept", "models/best \"ü\"\n"]);
    for record in all(&index) {
        assert_eq!((record.content.terms, record.usage), (Terms::default(), Usage::default()));
    }
}

#[test]
fn many_uses_told_at_once_are_one_small_line() {
    let (_home, path) = place();
    let index = open(&path);
    let names: Vec<_> = (0..1000).map(|number| format!("{number:032x}")).collect();
    block_on(index.commit(names.iter().map(|key| put(sample(key))).collect(), OnUnmet::Abort)).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let uses = names.iter().zip(0..).map(|(key, number)| use_of(key, number, 1 + number.unsigned_abs()));
    block_on(index.commit(uses.collect(), OnUnmet::Skip)).unwrap();
    let after = fs::read_to_string(&path).unwrap();
    let line = after.strip_prefix(&before).unwrap();
    assert_eq!(line.lines().count(), 1);
    assert!(line.len() < 100_000, "{} bytes", line.len());
    for (record, number) in all(&open(&path)).into_iter().zip(0..) {
        assert_eq!(record.usage, Usage { accessed_at: Some(NOW.offset(number)), hits: 1 + number.unsigned_abs() });
    }
}

#[test]
fn uses_of_an_entry_whose_line_a_person_took_away_are_passed_over() {
    let (_home, path) = place();
    let index = open(&path);
    commit(&index, put(sample("gone")));
    commit(&index, put(sample("kept")));
    block_on(index.commit(vec![use_of("gone", 1, 1), use_of("kept", 2, 2)], OnUnmet::Abort)).unwrap();
    drop(index);
    let text = fs::read_to_string(&path).unwrap();
    let kept = text.split_inclusive('\n').filter(|line| !line.contains("the payload of gone"));
    fs::write(&path, kept.collect::<String>()).unwrap();
    let index = open(&path);
    assert_eq!(keys(&index), ["kept"]);
    assert_eq!(find(&index, "kept").unwrap().usage.hits, 2);
}

#[test]
fn a_compacted_file_is_the_golden_one() {
    let (_home, path) = place();
    let index = open(&path);
    fill(&index);
    let expected = contents(&index);
    let mut rounds = 0;
    while fs::read_to_string(&path).unwrap().contains("\"generation\":1}") {
        commit(&index, put(inline("bytes", vec![0, 159, 146, 150])));
        rounds += 1;
        assert!(rounds < 200);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), COMPACTED);
    assert_eq!(contents(&index), expected);
    assert_eq!(contents(&open(&path)), expected);
}

#[test]
fn what_is_known_of_a_blob_stays_known_when_its_first_record_is_gone() {
    let (_home, path) = place();
    let index = open(&path);
    commit(&index, put(in_blob("first", blob(1), 10)));
    commit(&index, put(in_blob("second", blob(1), 99)));
    commit(&index, remove("first"));
    let expected = contents(&index);
    while fs::read_to_string(&path).unwrap().contains("\"generation\":1}") {
        commit(&index, put(in_blob("second", blob(1), 99)));
    }
    assert_eq!(contents(&open(&path)), expected);
}

#[test]
fn a_person_finds_an_entry_with_one_search() {
    let (_home, path) = place();
    let index = open(&path);
    for user in 0..50 {
        commit(&index, put(sample(&format!("user:{user}"))));
    }
    let text = fs::read_to_string(&path).unwrap();
    let found: Vec<&str> = text.lines().filter(|line| line.contains("\"key\":\"user:42\"")).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("\"text\":\"the payload of user:42\""), "{}", found[0]);
    assert!(text.lines().all(|line| serde_json::from_str::<Json>(line).is_ok_and(|json| json.is_object())));
}

#[test]
fn a_person_edits_a_line_and_takes_its_sum_away() {
    let (_home, path) = place();
    commit(&open(&path), put(sample("key")));
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("the payload of key", "another payload");
    fs::write(&path, &edited).unwrap();
    let error = try_open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("without its sum"), "it says what to do: {error}");

    let start = edited.rfind(",\"sum\"").unwrap();
    let unsummed = format!("{}}}\n", &edited[..start]);
    fs::write(&path, &unsummed).unwrap();
    let expected = Record { location: inline("key", "another payload").location, ..sample("key") };
    assert_eq!(find(&open(&path), "key"), Some(expected.clone()));
    // An editor that ends the file without a line end.
    fs::write(&path, unsummed.trim_end()).unwrap();
    let index = open(&path);
    commit(&index, put(sample("other")));
    assert_eq!(find(&index, "key"), Some(expected));
    // A line that somebody writes by hand.
    fs::write(&path, fs::read_to_string(&path).unwrap() + "{\"changes\": [{\"remove\": \"key\"}], \"at\": 0}\n")
        .unwrap();
    assert_eq!(keys(&open(&path)), ["other"]);
    assert_eq!(keys(&index), ["other"], "what is open sees it, too");
}

#[test]
fn a_file_that_an_editor_put_in_its_place_is_taken_by_who_has_it_open() {
    let (home, path) = place();
    let index = open(&path);
    commit(&index, put(sample("a")));
    commit(&index, put(sample("b")));
    let text = fs::read_to_string(&path).unwrap();
    let (new, kept) = (home.path().join("edited"), text.lines().take(2).map(|line| format!("{line}\n")));
    fs::write(&new, kept.collect::<String>()).unwrap();
    fs::rename(&new, &path).unwrap();
    assert_eq!(keys(&index), ["a"]);
    commit(&index, put(sample("c")));
    assert_eq!(keys(&open(&path)), ["a", "c"]);
}

#[test]
fn values_nested_as_deep_as_they_may_be_come_back() {
    let (_home, path) = place();
    let index = open(&path);
    let nested = |levels| (0..levels).fold(Json::Null, |inner, _| vec![inner].into());
    let mut record = sample("deep");
    record.annotations.metadata.insert("x".into(), nested(126));
    record.content.extra.insert("x".into(), nested(126));
    record.created_at = Timestamp::from_micros(i64::MIN);
    record.expires_at = Some(Timestamp::from_micros(i64::MAX));
    record.content.raw_size = u64::MAX;
    commit(&index, put(record.clone()));
    assert_eq!(find(&open(&path), "deep"), Some(record.clone()));
    record.annotations.metadata.insert("x".into(), nested(127));
    assert_eq!(try_commit(&index, put(record)).unwrap_err().kind(), ErrorKind::Serialization);
}

#[test]
fn a_file_that_an_editor_wrote_longer_in_place_is_read_anew() {
    let (_home, path) = place();
    let index = open(&path);
    commit(&index, put(sample("a")));
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("the payload of a", "a payload that is far longer than the one before");
    fs::write(&path, format!("{}}}\n", &edited[..edited.rfind(",\"sum\"").unwrap()])).unwrap();
    let location = inline("a", "a payload that is far longer than the one before").location;
    assert_eq!(find(&index, "a"), Some(Record { location, ..sample("a") }));
}
