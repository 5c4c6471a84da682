//! What is torn, damaged, hostile or not ours.

use super::*;
use cacheness_storage::StoreId;
use cacheness_testkit::records::{complete, in_blob, inline, sample};
use serde_json::{Value as Json, json};
use std::io::Write;
use xxhash_rust::xxh3::xxh3_64;

/// An index with three entries, one commit each.
fn three() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let (home, path) = place();
    let index = open(&path);
    for key in ["a", "b", "c"] {
        commit(&index, put(complete(key)));
    }
    let bytes = fs::read(&path).unwrap();
    (home, path, bytes)
}

/// Where each line begins.
fn beginnings(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    std::iter::once(0).chain(ends).collect()
}

/// A line with its checksum.
fn summed(line: &str) -> String {
    let line = line.strip_suffix('}').unwrap();
    format!("{line},\"sum\":\"{:016x}\"}}\n", xxh3_64(line.as_bytes()))
}

fn check_refused(path: &Path, bytes: &[u8], kind: ErrorKind, problem: &str) {
    fs::write(path, bytes).unwrap();
    for read_only in [false, true] {
        let error = JsonMetadata::open(path, &context().read_only(read_only), JsonConfig::new()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(problem), "{problem:?} is not in {error}");
    }
    assert_eq!(fs::read(path).unwrap(), bytes, "the file was changed");
}

#[test]
fn a_last_line_that_is_torn_at_any_byte_is_passed_over_and_cut_off_by_the_next_commit() {
    let (_home, _, bytes) = three();
    let last = beginnings(&bytes)[3];
    for end in last..bytes.len() {
        let (_home, path) = place();
        fs::write(&path, &bytes[..last]).unwrap();
        let before = open(&path);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&bytes[last..end]).unwrap();
        let reader = JsonMetadata::open(&path, &context().read_only(true), JsonConfig::new()).unwrap();
        assert_eq!((keys(&reader), keys(&before)), (keys(&open(&path)), vec!["a".into(), "b".into()]));
        assert_eq!(fs::read(&path).unwrap().len(), end, "reading changed the file");
        let writer = open(&path);
        commit(&writer, put(sample("d")));
        let is_whole = end == bytes.len() - 1;
        let expected = if is_whole { vec!["a", "b", "c", "d"] } else { vec!["a", "b", "d"] };
        for index in [&reader, &writer, &before, &open(&path)] {
            assert_eq!(keys(index), expected, "{end} of {last}..{}", bytes.len());
        }
    }
}

#[test]
fn damage_anywhere_else_is_told_with_its_line_and_nothing_is_changed() {
    let (_home, path, bytes) = three();
    let beginnings = beginnings(&bytes);
    for line in 1..4 {
        let (from, to) = (beginnings[line], beginnings[line + 1] - 1);
        for place in (from..to).step_by(7).chain([from, to - 1, to - 2, to - 10, to - 20]) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            check_refused(&path, &damaged, ErrorKind::Corrupt, &format!("line {} of ", line + 1));
        }
    }
    let mut joined = bytes.clone();
    joined.remove(beginnings[2] - 1);
    check_refused(&path, &joined, ErrorKind::Corrupt, "line 2 of ");
    let mut halved = bytes.clone();
    halved.drain(beginnings[2] + 20..beginnings[3] - 20);
    check_refused(&path, &halved, ErrorKind::Corrupt, "line 3 of ");
}

#[test]
fn damage_while_it_is_open_is_told_by_every_call_until_it_is_repaired() {
    let (_home, path, bytes) = three();
    let index = open(&path);
    let mut damaged = bytes.clone();
    damaged[beginnings(&bytes)[2] + 30] ^= 1;
    fs::write(&path, [&damaged[..], b"{}\n"].concat()).unwrap();
    for _ in 0..2 {
        assert_eq!(try_find(&index, "a").unwrap_err().kind(), ErrorKind::Corrupt);
        let error = try_commit(&index, remove("a")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!error.is_retryable());
    }
    assert_eq!(fs::read(&path).unwrap(), [&damaged[..], b"{}\n"].concat());
    fs::write(&path, &bytes).unwrap();
    assert_eq!(keys(&index), ["a", "b", "c"]);
    commit(&index, remove("a"));
    assert_eq!(keys(&open(&path)), ["b", "c"]);
}

#[test]
fn what_is_not_an_index_or_of_a_later_version_is_refused_and_left_as_it_is() {
    let (home, path) = place();
    let later = b"{\"format\":\"cacheness-index\",\"version\":2,\"shape\":[1]}\nanything\n";
    let long =
        [b"{\"format\":\"cacheness-index\",\"version\":1,\"generation\":1", &b" ".repeat(5000)[..], b"}\n"].concat();
    for (bytes, kind) in [
        (&b"Dear diary\n"[..], ErrorKind::ForeignStore),
        (b"{\"a\":1}\n", ErrorKind::ForeignStore),
        (b"\n", ErrorKind::ForeignStore),
        (b"[\"cacheness-index\"]\n", ErrorKind::ForeignStore),
        (&[0; 8192], ErrorKind::ForeignStore),
        (&[b'['; 8192], ErrorKind::ForeignStore),
        (&long, ErrorKind::ForeignStore),
        (b"{\"format\":\"cacheness-index\",\"version\":1,\"generation\":1}", ErrorKind::ForeignStore),
        (b"{\"format\":\"cacheness-blobs\",\"version\":1,\"generation\":1}\n", ErrorKind::ForeignStore),
        (later, ErrorKind::FormatTooNew),
        (b"{\"format\":\"cacheness-index\",\"version\":18446744073709551615}\n", ErrorKind::FormatTooNew),
        (b"{\"format\":\"cacheness-index\",\"version\":0,\"generation\":1}\n", ErrorKind::Corrupt),
        (b"{\"format\":\"cacheness-index\",\"version\":\"1\",\"generation\":1}\n", ErrorKind::Corrupt),
        (b"{\"format\":\"cacheness-index\",\"version\":1,\"generation\":-1}\n", ErrorKind::Corrupt),
        (b"{\"format\":\"cacheness-index\",\"version\":1,\"generation\":1,\"more\":1}\n", ErrorKind::Corrupt),
        (b"{\"format\":\"cacheness-index\",\"version\":1}\n", ErrorKind::Corrupt),
    ] {
        check_refused(&path, bytes, kind, "index");
        assert_eq!(names(home.path()), ["index.jsonl"], "something was made beside it");
    }
}

/// The only change of the last line of the journal, as JSON.
fn last_change(path: &Path) -> Json {
    let text = fs::read_to_string(path).unwrap();
    let line: Json = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    line["changes"][0].clone()
}

#[test]
fn a_hostile_line_is_refused_even_with_a_checksum() {
    let (_home, path) = place();
    let index = open(&path);
    let header = fs::read_to_string(&path).unwrap();
    commit(&index, put(inline("key", vec![0xff, 0])));
    let good = last_change(&path);
    let with = |name: &str, value: Json| {
        let mut change = good.clone();
        *change.pointer_mut(&format!("/put{name}")).unwrap() = value;
        json!({"at": 1, "changes": [change]}).to_string()
    };
    let added = |name: &str, value: Json| {
        let mut change = good.clone();
        change["put"][name] = value;
        json!({"at": 1, "changes": [change]}).to_string()
    };
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let good_line = json!({"at": 1, "changes": [good]}).to_string();
    let id = StoreId::from_bytes([7; 16]).to_string();
    let lines = [
        String::from("{}"),
        deep(100_000),
        format!("{{\"at\":1,\"changes\":{}}}", deep(100_000)),
        good_line.replacen("\"at\":1", "\"at\":1e999", 1),
        good_line.replacen("\"at\":1", "\"at\":9223372036854775808", 1),
        good_line.replacen("\"at\":1", "\"at\":1,\"at\":1", 1),
        good_line.replacen("\"key\":\"key\"", "\"key\":\"key\",\"key\":\"other\"", 1),
        with("/version", json!("../../../../../../etc/passwd/../.")),
        with("/version", json!(id.to_uppercase() + "A")),
        with("/created_at", json!(1.5)),
        with("/content/stored_size", json!(-1)),
        with("/content/format_version", json!(65536)),
        with("/content/shuffle", json!(256)),
        with("/content/digest", json!("xxh3:00")),
        with("/base64", json!("_w==")),
        with("/base64", json!(["/wA="])),
        added("blob", json!(id)),
        added("text", json!("two payloads")),
        added("owner", json!("nobody knows")),
        added("schema", json!("0")),
        added("metadata", json!([])),
        added("metadata", serde_json::from_str(&format!("{{\"x\":{}}}", deep(120))).unwrap()).replacen(
            &deep(120),
            &deep(130),
            1,
        ),
        json!({"at": 1, "changes": [{"put": 1}]}).to_string(),
        json!({"at": 1, "changes": [{"chmod": "key"}]}).to_string(),
        json!({"at": 1, "changes": [{"forget": "../x"}]}).to_string(),
        json!({"at": 1, "changes": [{"remove": "a", "forget": id}]}).to_string(),
        json!({"at": 1, "changes": [{"blob": {"id": "..", "size": 0, "condemned_at": 1}}]}).to_string(),
        json!({"at": 1, "changes": [{"blob": {"id": id, "size": 0}}]}).to_string(),
        json!({"at": 1, "changes": {"length": 1_000_000_000_000u64}}).to_string(),
        String::from("{\"at\":1,\"changes\":[]}{}"),
        String::from("{\"at\":1,\"sum\":\"0000000000000000\",\"changes\":[]}"),
    ];
    for line in lines {
        let shown: String = line.chars().take(300).collect();
        for line in [summed_if(&line), format!("{line}\n")] {
            fs::write(&path, format!("{header}{line}")).unwrap();
            let error = try_open(&path).expect_err(&shown);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{shown}: {error}");
            assert!(error.to_string().contains("line 2 of "), "{error}");
        }
    }
    for line in [with("/content/codec", json!("rot13")), with("/content/digest", json!("md5:00"))] {
        fs::write(&path, format!("{header}{}", summed(&line))).unwrap();
        assert_eq!(refusal(&path), ErrorKind::FormatTooNew);
    }
    fs::write(&path, format!("{header}{}", summed(&good_line))).unwrap();
    assert_eq!(keys(&open(&path)), ["key"]);
}

/// With a checksum, if it ends as an object does.
fn summed_if(line: &str) -> String {
    if line.ends_with('}') { summed(line) } else { format!("{line}\n") }
}

#[test]
fn lines_that_contradict_each_other_are_refused() {
    let (_home, path) = place();
    let index = open(&path);
    let blob = cacheness_testkit::records::blob(1);
    commit(&index, put(in_blob("a", blob, 10)));
    let named = fs::read_to_string(&path).unwrap();
    for line in [
        json!({"at": 1, "changes": [{"forget": blob.to_string()}]}),
        json!({"at": 1, "changes": [{"blob": {"id": blob.to_string(), "size": 1, "condemned_at": 1}}]}),
    ] {
        fs::write(&path, format!("{named}{}", summed(&line.to_string()))).unwrap();
        let error = try_open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("line 3 of ") && error.to_string().contains("does not follow"), "{error}");
    }
    let put_line = named.lines().nth(1).unwrap();
    let condemned = json!({"at": 1, "changes": [{"remove": "a"}]});
    fs::write(&path, format!("{named}{}{put_line}\n", summed(&condemned.to_string()))).unwrap();
    assert!(try_open(&path).unwrap_err().to_string().contains("line 4 of "), "a condemned blob was named");
}
