//! Generations: a copy of a record that looks fresh is what the index holds, whoever changed it and however they ended.

use crate::other_process::{KEY, Writer};
use crate::{commit, open, open_read_only, place, put};
use cacheness_backend_sqlite::SqliteMetadata;
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    Coherence, EntryKey, ErrorKind, Fields, GenerationReader, MetadataBackend, Record, Stamp, Version,
};
use cacheness_testkit::SeededRng;
use cacheness_testkit::records::{sample, version};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::TempDir;

fn reader(index: &SqliteMetadata) -> GenerationReader {
    match index.coherence() {
        Coherence::Generations(reader) => reader,
        other => panic!("{other:?}"),
    }
}

fn find(index: &SqliteMetadata, key: &str) -> Option<Version> {
    let found = block_on(index.get(&[EntryKey::new(key)], Fields::LEAST)).unwrap();
    found[0].as_ref().map(|record| record.version)
}

fn put_version(index: &SqliteMetadata, key: &str, n: u64) {
    assert!(commit(index, vec![put(Record { version: version(n), ..sample(key) })]).unwrap()[0].is_applied());
}

/// A copy as a memory layer keeps it: the stamp was taken before the record was read.
struct Copy {
    stamp: Stamp,
    version: Option<Version>,
}

impl Copy {
    /// `None` while the record is being changed.
    fn take(reader: &GenerationReader, index: &SqliteMetadata, key: &str) -> Option<Self> {
        let stamp = reader.stamp(key.as_bytes())?;
        Some(Self { stamp, version: find(index, key) })
    }
}

#[test]
fn a_copy_is_stale_when_another_process_has_changed_its_record() {
    let (_directory, path) = place();
    let ours = open(&path).unwrap();
    put_version(&ours, KEY, 0);
    let read_only = open_read_only(&path).unwrap();
    let mut theirs = Writer::start(&path);
    for n in 1..100 {
        for index in [&ours, &read_only] {
            let copy = Copy::take(&reader(index), index, KEY).unwrap();
            assert!(reader(index).is_fresh(copy.stamp));
            theirs.put(2 * n);
            assert!(!reader(index).is_fresh(copy.stamp));
        }
    }
}

#[test]
fn copies_are_stale_when_many_threads_commit_together() {
    let (_directory, path) = place();
    let (writing, looking) = (open(&path).unwrap(), open(&path).unwrap());
    thread::scope(|scope| {
        for thread in 0..8 {
            let (writing, looking) = (&writing, &looking);
            scope.spawn(move || {
                let (key, reader) = (format!("thread {thread}"), reader(looking));
                for n in 0..300 {
                    let copy = Copy::take(&reader, looking, &key).expect("nobody else changes the key");
                    assert_eq!(copy.version, u64::checked_sub(n, 1).map(version));
                    assert!(reader.is_fresh(copy.stamp), "no other key shares the stripe");
                    put_version(writing, &key, n);
                    assert!(!reader.is_fresh(copy.stamp), "{key}: {n}");
                }
            });
        }
    });
}

/// What one reads from the index is never newer than what looks fresh.
#[test]
fn what_anybody_has_seen_makes_older_copies_stale() {
    let (_directory, path) = place();
    let (writing, looking) = (open(&path).unwrap(), open(&path).unwrap());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = reader(&looking);
                let mut fresh = 0;
                while !done.load(Ordering::Relaxed) || fresh == 0 {
                    let Some(copy) = Copy::take(&reader, &looking, KEY) else { continue };
                    let seen = find(&looking, KEY);
                    if reader.is_fresh(copy.stamp) {
                        assert_eq!(copy.version, seen, "a fresh copy is older than what was read since");
                        fresh += 1;
                    }
                }
            });
        }
        for n in 0..10_000 {
            put_version(&writing, KEY, n);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_writer_that_is_killed_leaves_no_stale_copy_that_looks_fresh() {
    let (_directory, path) = place();
    let index = open(&path).unwrap();
    let reader = reader(&index);
    let chance = SeededRng::new(7);
    let (mut rounds, mut busy) = (0, 0);
    for life in 0..25 {
        let key = &format!("life {life}");
        let mut writer = Writer::start(&path);
        let mut copy = Copy::take(&reader, &index, key).unwrap();
        let mut check = |n: u64| {
            let is_fresh = reader.is_fresh(copy.stamp);
            assert!(
                !is_fresh || copy.version >= Some(version(n)),
                "{n} is acknowledged, and {:?} is fresh",
                copy.version
            );
            if let Some(newer) = Copy::take(&reader, &index, key) {
                copy = newer;
            }
        };
        writer.run(key);
        for _ in 0..50 + chance.below(150) {
            check(writer.acknowledged().unwrap());
            rounds += 1;
        }
        writer.kill();
        while let Some(n) = writer.acknowledged() {
            check(n);
            rounds += 1;
        }
        drop(writer);
        let last = find(&index, key);
        assert!(!reader.is_fresh(copy.stamp) || copy.version == last, "{last:?}, and {:?} is fresh", copy.version);
        busy += u64::from(reader.stamp(key.as_bytes()).is_none());
        put_version(&index, key, 1 << 40);
        assert!(!reader.is_fresh(copy.stamp));
    }
    assert!(rounds > 2000, "{rounds}");
    drop((index, reader));

    // Who opens the index alone ends what the killed ones left.
    let index = open(&path).unwrap();
    for life in 0..25 {
        let copy = Copy::take(&self::reader(&index), &index, &format!("life {life}"));
        assert_eq!(copy.map(|copy| copy.version), Some(Some(version(1 << 40))), "{busy} keys were left under way");
    }
}

#[cfg(unix)]
#[test]
fn whoever_opens_the_index_by_a_link_marks_the_same_generations() {
    let (directory, path) = place();
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("link.db");
    let direct = open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (linked, looking) = (open(&link).unwrap(), open_read_only(&link).unwrap());
    for (writing, n) in [(&direct, 1), (&linked, 2)] {
        for index in [&direct, &linked, &looking] {
            let copy = Copy::take(&reader(index), index, KEY).unwrap();
            put_version(writing, KEY, n);
            assert!(!reader(index).is_fresh(copy.stamp));
        }
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    assert!(directory.path().join("index.db-generations").is_file());
}

#[test]
fn without_generations_a_read_only_opening_has_its_copies_probed() {
    let (directory, path) = place();
    drop(open(&path).unwrap());
    let generations = directory.path().join("index.db-generations");
    assert!(matches!(open_read_only(&path).unwrap().coherence(), Coherence::Generations(_)));
    fs::write(&generations, "something else".repeat(100)).unwrap();
    assert!(matches!(open_read_only(&path).unwrap().coherence(), Coherence::Probe));
    fs::remove_file(&generations).unwrap();
    assert!(matches!(open_read_only(&path).unwrap().coherence(), Coherence::Probe));
    assert!(!generations.exists());
}

#[test]
fn generations_that_are_something_else_are_refused_and_stay_as_they_are() {
    let (directory, path) = place();
    drop(open(&path).unwrap());
    let generations = directory.path().join("index.db-generations");
    let text = "something else".repeat(100);
    fs::write(&generations, &text).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore, "{error}");
    assert!(error.to_string().contains("index.db-generations"), "{error}");
    assert_eq!(fs::read_to_string(&generations).unwrap(), text);
}
