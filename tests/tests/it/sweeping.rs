//! Sweeps: leftovers go, everything that is used or foreign stays, and puts under way get through.

use crate::stores::{Hold, assert_tidy, assert_tidy_over, graceless, open, open_held, open_over, open_over_held, tree};
use crate::support::{Place, noise};
use cacheness::backends::fs::FsBlobs;
use cacheness::core::runtime::block_on;
use cacheness::handlers::Spool;
use cacheness::storage::memory::MemoryMetadata;
use cacheness::sync::BlobStore;
use cacheness_storage::engine::{EngineOptions, Point};
use cacheness_storage::{BlobBackend, BlobId, Bytes, ErrorKind, OpenContext, PutBlob, Staged, Trailer};
use cacheness_tests::pairs::Pair;
use cacheness_tests::servers;
use std::fs;
use std::io::{Cursor, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Puts of every kind that makes a blob: from memory, through a staging file, from a reader.
type Put = fn(&BlobStore, &str, Vec<u8>);
const PUTS: [(usize, Put); 3] = [
    (50_000, |store, key, value| store.put(key, &value).unwrap()),
    (500_000, |store, key, value| store.put(key, &value).unwrap()),
    (500_000, |store, key, value| store.put_reader(key, Cursor::new(value)).unwrap()),
];

fn options() -> EngineOptions {
    let mut options = graceless();
    options.staging_memory = 100_000;
    options
}

/// Pairs whose commits and blobs travel differently.
const PAIRS: [Pair; 3] = [Pair::Sqlite, Pair::PostgresFs, Pair::PostgresS3];

#[test]
fn a_put_held_between_blob_and_commit_gets_through_two_sweeps() {
    for (pair, (size, put)) in PAIRS.into_iter().flat_map(|pair| PUTS.map(|put| (pair, put))) {
        let place = Place::new();
        let (held, failpoints) = open_over_held(pair, &place, options());
        let sweeper = open_over(pair, &place, options());
        thread::scope(|scope| {
            let hold = Hold::at(&failpoints, Point::BlobStored);
            scope.spawn(|| put(&held, "key", noise(size)));
            hold.wait();
            let swept = sweeper.sweep().unwrap();
            let taken = (swept.condemned, swept.deleted);
            assert_eq!(taken, (1, 1), "{pair:?}: without a grace the blob under way is gone");
            sweeper.sweep().unwrap();
            hold.go();
            hold.wait();
            hold.go();
        });
        assert_eq!(sweeper.get::<Vec<u8>>("key").unwrap(), Some(noise(size)), "{pair:?}");
        if pair != Pair::PostgresS3 {
            let blob = fs::read(place.blobs().pop().unwrap()).unwrap();
            let trailer = Trailer::from_end_of(&blob).unwrap();
            let behind = &blob[trailer.content.stored_size as usize..];
            assert!(behind == trailer.to_bytes(), "one trailer, right behind the value: {} bytes", behind.len());
        }
        assert_tidy_over(pair, &place, &sweeper);
    }
}

#[test]
fn a_put_under_way_is_younger_than_the_grace_and_is_left_alone() {
    for pair in PAIRS {
        let place = Place::new();
        let (held, failpoints) = open_over_held(pair, &place, EngineOptions::default());
        let sweeper = open_over(pair, &place, EngineOptions::default());
        thread::scope(|scope| {
            let hold = Hold::at(&failpoints, Point::BlobStored);
            scope.spawn(|| held.put("key", &noise(50_000)).unwrap());
            hold.wait();
            let swept = sweeper.sweep().unwrap();
            assert_eq!((swept.condemned, swept.deleted), (0, 0), "{pair:?}");
            hold.go();
        });
        assert_eq!(sweeper.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)), "{pair:?}");
    }
}

#[test]
fn a_put_that_is_swept_away_every_time_says_so() {
    for pair in PAIRS {
        let place = Place::new();
        let (held, failpoints) = open_over_held(pair, &place, options());
        let sweeper = Arc::new(open_over(pair, &place, options()));
        let sweeps = Arc::new(AtomicUsize::new(0));
        let (again, counted) = (sweeper.clone(), sweeps.clone());
        failpoints.set(Point::BlobStored, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let sweeper = again.clone();
            // A failpoint is met inside an operation, where a blocking call would have to be refused.
            thread::spawn(move || sweeper.sweep().map(drop)).join().unwrap()
        });
        let error = held.put("key", &noise(50_000)).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Conflict, true), "{pair:?}: {error}");
        assert_eq!(sweeps.load(Ordering::SeqCst), 3, "{pair:?}");
        assert_tidy_over(pair, &place, &sweeper);
    }
}

#[test]
fn what_a_killed_process_left_of_an_upload_in_parts_goes_with_a_sweep_and_what_others_upload_stays() {
    let (place, other) = (Place::new(), Place::new());
    let patient = open_over(Pair::PostgresS3, &place, EngineOptions::default());
    for place in [&place, &other] {
        servers::begin_upload(&place.path());
    }
    patient.sweep().unwrap();
    assert_eq!(servers::uploads(&place.path()), 1, "it may be under way");
    open_over(Pair::PostgresS3, &place, graceless()).sweep().unwrap();
    assert_eq!((servers::uploads(&place.path()), servers::uploads(&other.path())), (0, 1));
}

#[test]
fn what_an_interrupted_put_left_is_condemned_first_and_deleted_after_the_grace() {
    let place = Place::new();
    let store = open(&place, EngineOptions::default());
    store.put("kept", &noise(50_000)).unwrap();
    let leftover = leave(&place, BlobId::from_bytes([7; 16]), &noise(1000));
    assert_eq!(store.sweep().unwrap().condemned, 0, "it is too young");
    let mut patient = graceless();
    patient.grace = std::time::Duration::from_secs(3600);
    let old = fs::File::options().write(true).open(&leftover).unwrap();
    old.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    let swept = open(&place, patient.clone()).sweep().unwrap();
    assert_eq!((swept.condemned, swept.deleted), (1, 0), "condemned, and not deleted yet");
    assert!(leftover.exists());
    assert_eq!(open(&place, patient).sweep().unwrap().deleted, 0, "the grace is not over");
    let swept = open(&place, graceless()).sweep().unwrap();
    assert_eq!((swept.condemned, swept.deleted, swept.forgotten), (0, 1, 0));
    assert!(!leftover.exists());
    assert_tidy(&place, &store);
}

/// Leaves a blob that no record names, as a killed put does.
fn leave(place: &Place, id: BlobId, bytes: &[u8]) -> std::path::PathBuf {
    let blobs = FsBlobs::open(place.path().join("blobs"), &OpenContext::new(), Default::default()).unwrap();
    block_on(blobs.put(&id, Staged::Bytes(Bytes::copy_from_slice(bytes)), PutBlob::default())).unwrap();
    let id = id.to_string();
    place.path().join("blobs").join(&id[..2]).join(format!("{id}.blob"))
}

#[test]
fn a_name_that_was_condemned_before_its_commit_is_refused_for_good() {
    use cacheness_storage::{
        BlobQuery, Change, Condition, EntryKey, Fields, MetadataBackend, OnUnmet, Outcome, Timestamp,
    };
    let place = Place::new();
    let store = open(&place, graceless());
    store.put("key", &noise(40_000)).unwrap();
    let context = OpenContext::new();
    let index =
        cacheness::backends::sqlite::SqliteMetadata::open(place.path().join("index.db"), &context, Default::default())
            .unwrap();
    let late = BlobId::from_bytes([9; 16]);
    leave(&place, late, &noise(100));
    block_on(index.commit(vec![Change::Condemn { blob: late }], OnUnmet::Skip)).unwrap();
    let mut record = block_on(index.get(&[EntryKey::new("key")], Fields::ALL)).unwrap().remove(0).unwrap();
    record.location = cacheness_storage::Location::Blob(late);
    for round in 0..3 {
        store.put("other", &noise(30_000 + round)).unwrap();
        store.sweep().unwrap();
        let change = Change::Put { record: Box::new(record.clone()), condition: Condition::Always };
        assert_eq!(block_on(index.commit(vec![change], OnUnmet::Skip)).unwrap(), [Outcome::Condemned], "round {round}");
    }
    let until = Timestamp::from_micros(i64::MAX);
    let tombs = block_on(index.blobs(&BlobQuery::Condemned { until, after: None, limit: 9 })).unwrap();
    assert_eq!(tombs.iter().map(|blob| blob.id).collect::<Vec<_>>(), [late]);
}

#[test]
fn foreign_files_and_the_blobs_of_another_store_survive_clear_and_sweep() {
    let place = Place::new();
    let other = Place::new();
    let store = open(&place, graceless());
    for number in 0..20 {
        store.put(format!("ours {number}"), &noise(20_000 + number)).unwrap();
        open(&other, graceless()).put(format!("theirs {number}"), &noise(30_000 + number)).unwrap();
    }
    let ours = place.blobs();
    let root = place.path().join("blobs");
    for blob in other.blobs() {
        let shard = root.join(blob.parent().unwrap().file_name().unwrap());
        fs::create_dir_all(&shard).unwrap();
        fs::copy(&blob, shard.join(blob.file_name().unwrap())).unwrap();
    }
    fs::create_dir_all(root.join("ab")).unwrap();
    for name in
        ["notes.txt", "ab/readme", "ab/abcdef.blob", "staging/theirs.tmp", "ab/0123456789abcdef0123456789abcdef"]
    {
        fs::write(root.join(name), "not ours").unwrap();
    }
    fs::create_dir_all(root.join("ab/abababababababababababababababab.blob")).unwrap();
    let foreign = || tree(&root).into_iter().filter(|(path, _)| !ours.contains(path)).collect::<Vec<_>>();
    let before = foreign();
    assert_eq!(store.clear().unwrap(), 20);
    for _ in 0..2 {
        assert_eq!(store.sweep().unwrap().foreign, 20);
    }
    assert_eq!(foreign(), before);
    assert!(!ours.iter().any(|path| path.exists()));
    assert_eq!(store.stats().unwrap().entries, 0);
}

#[test]
fn the_staging_files_of_living_processes_stay_and_those_of_killed_ones_go() {
    let place = Place::new();
    let store = open(&place, graceless());
    let staging = place.path().join("blobs/staging");
    let mut living = Spool::new(10, Some(&staging));
    living.write_all(&noise(1000)).unwrap();
    fs::write(staging.join("cacheness-spool-dead"), noise(1000)).unwrap();
    fs::write(staging.join("somebody-elses"), "not ours").unwrap();
    assert_eq!(store.sweep().unwrap().staging_files, 1);
    let mut left: Vec<_> = fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|name| name != "cacheness-spool-dead"));
    assert_eq!(
        open(&place, EngineOptions::default()).sweep().unwrap().staging_files,
        0,
        "the grace goes for files, too"
    );
    drop(living);
}

#[test]
fn an_index_that_ends_with_its_process_does_not_judge_the_blobs_of_others() {
    let place = Place::new();
    let open = || {
        let context = OpenContext::new();
        let blobs = FsBlobs::open(place.path().join("blobs"), &context, Default::default()).unwrap();
        let index = MemoryMetadata::new(&context);
        BlobStore::builder().metadata_backend(index).blob_backend(blobs).options(graceless()).open().unwrap()
    };
    let (one, other) = (open(), open());
    one.put("key", &noise(50_000)).unwrap();
    other.put("mine", &noise(60_000)).unwrap();
    let swept = other.sweep().unwrap();
    assert_eq!((swept.condemned, swept.unjudged), (0, 1));
    assert_eq!(one.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
}

/// Counts a writer out, also when it panics.
struct Done<'w>(&'w AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn sweeps_may_run_beside_each_other_and_beside_puts() {
    let place = Place::new();
    let store = open(&place, options());
    let writers = AtomicUsize::new(3);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (store, writers) = (&store, &writers);
            scope.spawn(move || {
                let _done = Done(writers);
                for number in 0..60 {
                    let value = noise(20_000 + 1000 * number);
                    // Three sweeps in a row may hit it: the error says that trying again helps.
                    while let Err(error) = store.put(format!("{writer} {}", number % 7), &value) {
                        assert!(error.is_retryable(), "{error}");
                    }
                    assert_eq!(store.get(format!("{writer} {}", number % 7)).unwrap(), Some(value));
                }
            });
        }
        for _ in 0..2 {
            let sweeper = open(&place, options());
            let writers = &writers;
            scope.spawn(move || {
                while writers.load(Ordering::SeqCst) > 0 {
                    sweeper.sweep().unwrap();
                }
            });
        }
    });
    store.sweep().unwrap();
    assert_eq!(store.stats().unwrap().entries, 21);
    assert_tidy(&place, &store);
}

#[test]
fn a_put_whose_blob_was_condemned_takes_it_away_itself() {
    use cacheness_storage::{Change, MetadataBackend, OnUnmet};
    let place = Place::new();
    let (held, failpoints) = open_held(&place, EngineOptions::default());
    let index = cacheness::backends::sqlite::SqliteMetadata::open(
        place.path().join("index.db"),
        &OpenContext::new(),
        Default::default(),
    )
    .unwrap();
    thread::scope(|scope| {
        let hold = Hold::at(&failpoints, Point::BlobStored);
        scope.spawn(|| held.put("key", &noise(50_000)).unwrap());
        hold.wait();
        let name = place.blobs().pop().unwrap().file_stem().unwrap().to_str().unwrap().to_owned();
        let condemn = Change::Condemn { blob: name.parse().unwrap() };
        assert!(block_on(index.commit(vec![condemn], OnUnmet::Skip)).unwrap()[0].is_applied());
        hold.go();
        hold.wait();
        hold.go();
    });
    assert_eq!(held.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
    assert_eq!(place.blobs().len(), 1, "no sweep had to come");
}

#[test]
fn a_blob_that_is_committed_while_a_sweep_looks_at_it_stays() {
    for pair in PAIRS {
        let place = Place::new();
        let (writer, writes) = open_over_held(pair, &place, graceless());
        let (sweeper, sweeps) = open_over_held(pair, &place, graceless());
        thread::scope(|scope| {
            let (write, sweep) = (Hold::at(&writes, Point::BlobStored), Hold::at(&sweeps, Point::SweepListed));
            let put = scope.spawn(|| writer.put("key", &noise(50_000)).unwrap());
            write.wait();
            let swept = scope.spawn(|| sweeper.sweep().unwrap());
            sweep.wait();
            write.go();
            put.join().unwrap();
            sweep.go();
            let swept = swept.join().unwrap();
            assert_eq!((swept.condemned, swept.deleted), (0, 0), "{pair:?}");
        });
        assert_eq!(sweeper.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)), "{pair:?}");
        assert_tidy_over(pair, &place, &sweeper);
    }
}

#[test]
fn a_blob_of_a_later_version_is_left_to_those_who_know_its_trailer() {
    let place = Place::new();
    let store = open(&place, graceless());
    store.put("key", &noise(50_000)).unwrap();
    let mut bytes = fs::read(place.blobs().pop().unwrap()).unwrap();
    // Behind the version: flags, two reserved bytes, checksum, magic.
    let version = bytes.len() - 20;
    bytes[version] += 1;
    let later = leave(&place, BlobId::from_bytes([7; 16]), &bytes);
    let swept = store.sweep().unwrap();
    assert_eq!((swept.condemned, swept.deleted, swept.foreign), (0, 0, 1));
    assert!(later.exists());
}

#[test]
fn on_files_that_machines_share_a_replaced_blob_stays_for_its_readers_until_the_delete_grace_is_over() {
    use cacheness::backends::{fs::FsConfig, sqlite::SqliteMetadata};
    use std::time::Duration;
    let place = Place::new();
    let open = |delete_grace| {
        let context = OpenContext::new();
        let index = SqliteMetadata::open(place.path().join("index.db"), &context, Default::default()).unwrap();
        let config = FsConfig::new().shared(true);
        let blobs = FsBlobs::open(place.path().join("blobs"), &context, config).unwrap();
        let mut options = graceless();
        (options.allow_split_locality, options.delete_grace) = (true, delete_grace);
        BlobStore::builder().metadata_backend(index).blob_backend(blobs).options(options).open().unwrap()
    };
    let store = open(Duration::from_secs(3600));
    store.put("key", &noise(50_000)).unwrap();
    store.put("key", &noise(60_000)).unwrap();
    assert_eq!(place.blobs().len(), 2, "somebody on another machine may be about to open the first");
    assert_eq!(store.sweep().unwrap().deleted, 0);
    assert_eq!(place.blobs().len(), 2);
    let swept = open(Duration::ZERO).sweep().unwrap();
    assert_eq!((swept.deleted, swept.forgotten), (1, 1));
    assert_eq!(place.blobs().len(), 1);
}

#[test]
fn a_replaced_blob_that_could_not_be_deleted_goes_with_the_next_sweep_and_needs_no_grace() {
    let place = Place::new();
    let (store, failpoints) = open_held(&place, EngineOptions::default());
    store.put("key", &noise(40_000)).unwrap();
    crate::stores::fill_disk_at(&failpoints, Point::Condemned);
    store.put("key", &noise(50_000)).unwrap();
    failpoints.clear(Point::Condemned);
    // A commit forgets what was deleted, and nothing else.
    store.put("other", "value").unwrap();
    assert_eq!(place.blobs().len(), 2);
    let swept = store.sweep().unwrap();
    assert_eq!((swept.condemned, swept.deleted, swept.forgotten), (0, 1, 1));
    assert_eq!(place.blobs().len(), 1);
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
}

#[test]
fn a_staging_file_that_is_young_or_of_the_future_stays_and_a_directory_is_nobodys_business() {
    use std::time::{Duration, SystemTime};
    let place = Place::new();
    let mut patient = graceless();
    patient.grace = Duration::from_secs(3600);
    let store = open(&place, patient);
    let staging = place.path().join("blobs/staging");
    // Nobody holds them.
    fs::write(staging.join("cacheness-spool-young"), "young").unwrap();
    let ahead = fs::File::create(staging.join("cacheness-spool-ahead")).unwrap();
    ahead.set_modified(SystemTime::now() + Duration::from_secs(7200)).unwrap();
    drop(ahead);
    fs::create_dir(staging.join("cacheness-spool-directory")).unwrap();
    assert_eq!(store.verify().unwrap().staging_files, 2);
    assert_eq!(store.sweep().unwrap().staging_files, 0);
    assert_eq!(open(&place, graceless()).sweep().unwrap().staging_files, 2);
    assert_eq!(fs::read_dir(staging).unwrap().count(), 1);
}
