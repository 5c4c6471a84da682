//! The file: its bytes, several handles on it, and what is refused.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_core::ErrorKind;
use cacheness_generations::{Generations, Reader};
use common::*;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

const GOLDEN_HEADER: &str = include_str!("golden/header-v1.hex");
const GOLDEN_STRIPES: &str = include_str!("golden/stripes-v1.tsv");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a new file.
fn fresh() -> Vec<u8> {
    let (_directory, path) = place();
    drop(Generations::open(&path).unwrap());
    fs::read(path).unwrap()
}

#[test]
fn a_new_file_has_the_golden_header_and_zeros() {
    let bytes = fresh();
    assert_eq!(bytes.len(), LENGTH);
    assert_eq!(hex(&bytes[..HEADER]), GOLDEN_HEADER.trim());
    assert!(bytes[HEADER..].iter().all(|byte| *byte == 0));
}

#[test]
fn keys_have_their_golden_stripes() {
    let (_directory, path) = place();
    let generations = Generations::open(&path).unwrap();
    let rows: Vec<_> = GOLDEN_STRIPES.lines().collect();
    for row in &rows {
        let (stripe, key) = row.split_once('\t').unwrap();
        let stripe: usize = stripe.parse().unwrap();
        let before = words(&path)[stripe];
        change(&generations, key.as_bytes());
        assert_eq!(words(&path)[stripe], before + made(1, 0), "{key:?}");
    }
    assert!(rows.len() > 4);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_and_has_its_blocks() {
    use std::os::unix::fs::MetadataExt;
    let (_directory, path) = place();
    let _open = Generations::open(&path).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert!(metadata.blocks() * 512 >= LENGTH as u64, "a hole could need a block when the disk is full");
}

#[test]
fn two_handles_on_a_file_see_each_other() {
    let (_directory, path) = place();
    let ours = Generations::open(&path).unwrap();
    let theirs = Generations::open(&path).unwrap();
    for _ in 0..3 {
        let taken = stamp(&ours, b"key");
        let changing = theirs.change([&b"key"[..]]);
        assert!(!ours.is_fresh(taken));
        assert_eq!(ours.stamp(b"key"), None);
        drop(changing);
        assert!(!ours.is_fresh(taken));
    }
    let taken = stamp(&theirs, b"key");
    change(&ours, b"key");
    assert!(!theirs.is_fresh(taken));
}

#[test]
fn a_reader_sees_changes_and_writes_nothing() {
    let (_directory, path) = place();
    assert!(Reader::open(&path).unwrap().is_none());
    assert!(!path.exists());

    let generations = Generations::open(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let reader = Reader::open(&path).unwrap().unwrap();
    let taken = reader.stamp(b"key").unwrap();
    assert!(reader.is_fresh(taken));
    assert_eq!(fs::read(&path).unwrap(), before);

    let changing = generations.change([&b"key"[..]]);
    assert!(!reader.is_fresh(taken));
    assert_eq!(reader.stamp(b"key"), None);
    drop(changing);
    assert!(!reader.is_fresh(taken));
    assert!(reader.is_fresh(reader.stamp(b"key").unwrap()));
}

#[test]
fn a_reader_of_an_unfinished_file_has_no_proof_and_finishes_nothing() {
    let (_directory, path) = place();
    for unfinished in [0, 10, LENGTH] {
        fs::write(&path, vec![0; unfinished]).unwrap();
        assert!(Reader::open(&path).unwrap().is_none());
        assert_eq!(fs::read(&path).unwrap(), vec![0; unfinished]);
    }
}

#[test]
fn an_unfinished_file_is_finished() {
    let (_directory, path) = place();
    for unfinished in [0, 1, HEADER, LENGTH - 1, LENGTH] {
        fs::write(&path, vec![0; unfinished]).unwrap();
        let generations = Generations::open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fresh());
        change(&generations, b"key");
    }
}

#[test]
fn an_unfinished_file_is_finished_by_who_came_while_it_was_locked() {
    let expected = fresh();
    for _ in 0..40 {
        let (_directory, path) = place();
        let other = File::create(&path).unwrap();
        other.lock_shared().unwrap();
        thread::scope(|scope| {
            let opening = scope.spawn(|| Generations::open(&path).map(drop));
            (0..10).for_each(|_| thread::yield_now());
            other.unlock().unwrap();
            opening.join().unwrap().unwrap();
        });
        assert_eq!(fs::read(&path).unwrap(), expected);
    }
}

#[test]
fn who_is_alone_ends_what_killed_processes_left() {
    let (_directory, path) = place();
    let mut bytes = fresh();
    let mut put = |key: &[u8], word: u64| {
        let at = HEADER + stripe(key) * 8;
        bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    };
    put(b"settled", made(7, 0));
    put(b"killed", made(7, 1));
    put(b"killed thrice", made(9, 3));
    fs::write(&path, &bytes).unwrap();

    assert!(Reader::open(&path).unwrap().unwrap().stamp(b"killed").is_none());
    assert_eq!(word(&path, b"killed"), made(7, 1));

    let _generations = Generations::open(&path).unwrap();
    assert_eq!(word(&path, b"settled"), made(7, 0));
    assert_eq!(word(&path, b"killed"), made(8, 0));
    assert_eq!(word(&path, b"killed thrice"), made(10, 0));
    assert_eq!(words(&path).iter().filter(|word| **word != 0).count(), 3);
}

#[test]
fn who_is_not_alone_ends_nothing() {
    let (_directory, path) = place();
    let first = Generations::open(&path).unwrap();
    let changing = first.change([&b"key"[..]]);
    drop(first);
    let second = Generations::open(&path).unwrap();
    assert_eq!(second.stamp(b"key"), None);
    assert_eq!(word(&path, b"key"), made(0, 1));
    drop(second);

    let reader = Reader::open(&path).unwrap().unwrap();
    drop(changing);
    let taken = reader.stamp(b"key").unwrap();
    let third = Generations::open(&path).unwrap();
    assert!(reader.is_fresh(taken));
    assert!(third.stamp(b"key").is_some());
}

#[test]
fn a_reader_keeps_others_from_being_alone() {
    let (_directory, path) = place();
    let mut bytes = fresh();
    let at = HEADER + stripe(b"key") * 8;
    bytes[at..at + 8].copy_from_slice(&made(7, 1).to_ne_bytes());
    fs::write(&path, &bytes).unwrap();
    let reader = Reader::open(&path).unwrap().unwrap();
    assert_eq!(Generations::open(&path).unwrap().stamp(b"key"), None);
    drop(reader);
    assert!(Generations::open(&path).unwrap().stamp(b"key").is_some());
}

#[test]
fn racing_first_openings_of_threads_lose_no_change() {
    for _ in 0..30 {
        let (_directory, path) = place();
        let start = Barrier::new(4);
        let race = || {
            start.wait();
            let generations = Generations::open(&path).unwrap();
            for _ in 0..50 {
                change(&generations, b"key");
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(race))));
        assert_eq!(word(&path, b"key"), made(200, 0));
    }
}

#[track_caller]
fn refused(path: &Path, kind: ErrorKind, expected: &str) {
    let before = path.is_file().then(|| fs::read(path).unwrap());
    for error in [Generations::open(path).unwrap_err(), Reader::open(path).unwrap_err()] {
        let line = error.to_string();
        assert_eq!(error.kind(), kind, "{line}");
        assert!(line.contains(expected) && line.contains(path.to_str().unwrap()), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
    assert_eq!(path.is_file().then(|| fs::read(path).unwrap()), before, "it was written to");
}

#[track_caller]
fn bytes_refused(bytes: &[u8], kind: ErrorKind, expected: &str) {
    let (_directory, path) = place();
    fs::write(&path, bytes).unwrap();
    refused(&path, kind, expected);
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let mut zeros_first = vec![0; 1000];
    zeros_first[999] = 1;
    let mut zero_header = fresh();
    zero_header[..HEADER].fill(0);
    zero_header[LENGTH - 1] = 1;
    let foreign: [&[u8]; 6] =
        [b"x", b"SQLite format 3\0", b"\x89PNG\r\n\x1a\n", &zeros_first, &zero_header, &vec![0; LENGTH + 1]];
    for bytes in foreign {
        bytes_refused(bytes, ErrorKind::ForeignStore, "does not hold generation counters");
    }
}

#[test]
fn a_later_version_is_refused_whatever_follows() {
    let mut later = fresh();
    later[8] = 2;
    bytes_refused(&later, ErrorKind::FormatTooNew, "format 2");
    bytes_refused(&later[..12], ErrorKind::FormatTooNew, "format 2");
    later[8..12].fill(0xff);
    bytes_refused(&later, ErrorKind::FormatTooNew, "format 4294967295");
}

#[test]
fn another_length_is_refused_with_advice() {
    let whole = fresh();
    for length in [1, 7, 8, 11, 12, HEADER - 1, HEADER, LENGTH - 1] {
        bytes_refused(&whole[..length], ErrorKind::Corrupt, "delete it while no program has the store open");
    }
    let longer = [&whole[..], &[0]].concat();
    bytes_refused(&longer, ErrorKind::Corrupt, "has 131137 bytes");
}

#[test]
fn every_damaged_byte_of_the_header_is_noticed() {
    let whole = fresh();
    for at in 0..HEADER {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        let (kind, expected) = match at {
            0..8 => (ErrorKind::ForeignStore, "does not hold"),
            8..12 => (ErrorKind::FormatTooNew, "holds generation counters of format"),
            _ => (ErrorKind::Corrupt, "is damaged (delete it"),
        };
        bytes_refused(&damaged, kind, expected);
    }
    let mut zero_version = whole;
    zero_version[8] = 0;
    bytes_refused(&zero_version, ErrorKind::Corrupt, "is damaged");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    refused(directory.path(), ErrorKind::ForeignStore, "is not a regular file");
    #[cfg(unix)]
    refused(Path::new("/dev/null"), ErrorKind::ForeignStore, "is not a regular file");
}

#[test]
fn a_missing_directory_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("generations");
    let error = Generations::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(Reader::open(&path).unwrap().is_none());
}
