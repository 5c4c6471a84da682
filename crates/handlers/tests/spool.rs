//! The spool: where payloads wait, and that they leave nothing behind.
#![allow(clippy::panic, clippy::unwrap_used)]

use cacheness_core::{Error, ErrorKind};
use cacheness_handlers::spool::{FILE_PREFIX, Spool, Spooled, SpooledFile, recycle};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use tempfile::TempDir;

fn spooled(memory_limit: usize, staging: &Path, pieces: &[&[u8]]) -> Spooled {
    let mut spool = Spool::new(memory_limit, Some(staging));
    for piece in pieces {
        spool.write_all(piece).unwrap();
    }
    spool.finish().unwrap()
}

fn in_file(spooled: Spooled) -> SpooledFile {
    match spooled {
        Spooled::File(file) => file,
        Spooled::Memory(bytes) => panic!("{} bytes stayed in memory", bytes.len()),
    }
}

fn read_all(mut reader: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

fn is_empty(directory: &TempDir) -> bool {
    fs::read_dir(directory.path()).unwrap().next().is_none()
}

#[test]
fn a_payload_up_to_the_limit_stays_in_memory() {
    let staging = TempDir::new().unwrap();
    for pieces in [&[][..], &[&b"abc"[..]], &[b"ab", b"", b"cde"]] {
        let whole = pieces.concat();
        let spooled = spooled(5, staging.path(), pieces);
        assert_eq!(spooled.len(), whole.len() as u64);
        assert_eq!(spooled.is_empty(), whole.is_empty());
        assert!(matches!(spooled, Spooled::Memory(bytes) if bytes == whole));
    }
    assert!(is_empty(&staging));
}

#[test]
fn a_payload_beyond_the_limit_moves_to_a_file() {
    let staging = TempDir::new().unwrap();
    for (limit, pieces) in [(0, &[&b"x"[..]][..]), (5, &[b"abcdef"]), (5, &[&b"abc"[..], b"de", b"f", b"ghijklmnop"])] {
        let whole = pieces.concat();
        let file = in_file(spooled(limit, staging.path(), pieces));
        assert_eq!(file.len(), whole.len() as u64);
        assert!(!file.is_empty());
        assert_eq!(file.path().parent(), Some(staging.path()));
        assert!(file.path().file_name().unwrap().to_str().unwrap().starts_with(FILE_PREFIX));
        assert_eq!(read_all(file.reader().unwrap()), whole);
        assert_eq!(read_all(file.reader().unwrap()), whole, "a second reader starts at the start, too");
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let staging = TempDir::new().unwrap();
    let file = in_file(spooled(0, staging.path(), &[b"secret"]));
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_dropped_spool_leaves_nothing_behind() {
    let staging = TempDir::new().unwrap();
    let mut spool = Spool::new(0, Some(staging.path()));
    spool.write_all(b"half a payload").unwrap();
    assert!(!is_empty(&staging));
    drop(spool);
    assert!(is_empty(&staging));

    drop(spooled(0, staging.path(), &[b"a whole payload"]));
    assert!(is_empty(&staging));
}

#[test]
fn a_file_can_be_published_without_a_copy() {
    let staging = TempDir::new().unwrap();
    let name = staging.path().join("blob");
    let (mut file, path) = in_file(spooled(2, staging.path(), &[b"abc"])).into_parts();
    file.write_all(b" and a trailer").unwrap();
    path.persist_noclobber(&name).unwrap();
    assert_eq!(fs::read(&name).unwrap(), b"abc and a trailer");
    assert_eq!(fs::read_dir(staging.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let staging = TempDir::new().unwrap();
    let missing = staging.path().join("missing");
    let mut spool = Spool::new(4, Some(&missing));
    spool.write_all(b"abc").unwrap();
    let error = Error::from(spool.write_all(b"def").unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");

    fs::create_dir(&missing).unwrap();
    spool.write_all(b"def").unwrap();
    let file = in_file(spool.finish().unwrap());
    assert_eq!(read_all(file.reader().unwrap()), b"abcdef", "what was taken before the error is still there");
}

#[test]
fn without_a_staging_directory_the_one_of_the_system_serves() {
    let mut spool = Spool::new(0, None);
    spool.write_all(b"x").unwrap();
    assert_eq!(in_file(spool.finish().unwrap()).path().parent(), Some(&*std::env::temp_dir()));
}

#[test]
fn a_payload_that_is_said_to_be_too_large_for_memory_is_never_there() {
    for (said, in_memory) in [(0, true), (100, true), (101, false), (u64::MAX, false)] {
        let mut spool = Spool::new(100, None).with_capacity(said);
        spool.write_all(&[7; 50]).unwrap();
        spool.write_all(&[7; 50]).unwrap();
        let spooled = spool.finish().unwrap();
        assert_eq!(matches!(spooled, Spooled::Memory(_)), in_memory, "{said}");
        assert_eq!(spooled.into_bytes().unwrap(), [7; 100][..]);
    }
}

#[test]
fn memory_that_was_given_back_serves_the_next_payload_and_nobody_who_still_holds_it() {
    let spooled = |byte: u8| {
        let mut spool = Spool::new(1 << 20, None).with_capacity(100_000);
        spool.write_all(&[byte; 90_000]).unwrap();
        spool.finish().unwrap().into_bytes().unwrap()
    };
    let first = spooled(1);
    let held = first.clone();
    recycle(first);
    let second = spooled(2);
    assert_eq!((held, &second), ([1; 90_000][..].into(), &[2; 90_000][..].into()));
    let place = second.as_ptr();
    recycle(second);
    assert_eq!(spooled(3).as_ptr(), place);
}

#[test]
fn a_payload_much_smaller_than_its_memory_holds_no_more_than_itself() {
    let mut spool = Spool::new(1 << 20, None).with_capacity(100_000);
    spool.write_all(b"few").unwrap();
    let Spooled::Memory(bytes) = spool.finish().unwrap() else { panic!("it is small") };
    assert_eq!(Vec::from(bytes).capacity(), 3);
}
