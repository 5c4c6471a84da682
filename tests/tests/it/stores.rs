//! Blob stores over SQLite and files, several at one place, with points inside the protocol where a test takes hold.

use crate::support::Place;
use cacheness::backends::fs::FsBlobs;
use cacheness::backends::sqlite::SqliteMetadata;
use cacheness::sync::BlobStore;
use cacheness_storage::engine::{EngineOptions, Failpoints, Point};
use cacheness_storage::{Error, ErrorKind, OpenContext};
use cacheness_tests::pairs::Pair;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Options without grace, so that a sweep does everything at once.
pub(crate) fn graceless() -> EngineOptions {
    let mut options = EngineOptions::default();
    options.grace = Duration::ZERO;
    options.delete_grace = Duration::ZERO;
    options
}

/// Opens the store at a place once more.
pub(crate) fn open(place: &Place, options: EngineOptions) -> BlobStore {
    let context = OpenContext::new().durability(options.durability).read_only(options.read_only);
    let index = SqliteMetadata::open(place.path().join("index.db"), &context, Default::default()).unwrap();
    let blobs = FsBlobs::open(place.path().join("blobs"), &context, Default::default()).unwrap();
    BlobStore::builder().metadata_backend(index).blob_backend(blobs).options(options).open().unwrap()
}

/// Opens the store at a place once more, with a hold on its protocol.
pub(crate) fn open_held(place: &Place, mut options: EngineOptions) -> (BlobStore, Failpoints) {
    let failpoints = Failpoints::default();
    options.failpoints = failpoints.clone();
    (open(place, options), failpoints)
}

/// The store of a pair that outlives its process.
pub(crate) fn open_over(pair: Pair, place: &Place, options: EngineOptions) -> BlobStore {
    if pair == Pair::Sqlite {
        return open(place, options);
    }
    let [metadata, blobs] = pair.urls(&place.path());
    BlobStore::builder().metadata(metadata).blobs(blobs).options(options).open().unwrap()
}

/// The same, with a hold on its protocol.
pub(crate) fn open_over_held(pair: Pair, place: &Place, mut options: EngineOptions) -> (BlobStore, Failpoints) {
    let failpoints = Failpoints::default();
    options.failpoints = failpoints.clone();
    (open_over(pair, place, options), failpoints)
}

/// Stops whoever reaches a point until he is let go.
pub(crate) struct Hold {
    reached: Receiver<()>,
    go: Sender<()>,
}

impl Hold {
    pub(crate) fn at(failpoints: &Failpoints, point: Point) -> Self {
        let (arrive, reached) = channel();
        let (go, wait) = channel();
        let wait = Arc::new(Mutex::new(wait));
        failpoints.set(point, move || {
            // When the test is over, nobody is held any more.
            let _ = arrive.send(());
            let _ = wait.lock().unwrap().recv();
            Ok(())
        });
        Self { reached, go }
    }

    pub(crate) fn wait(&self) {
        self.reached.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    pub(crate) fn go(&self) {
        self.go.send(()).unwrap();
    }
}

/// Makes whoever reaches a point fail as on a full disk.
pub(crate) fn fill_disk_at(failpoints: &Failpoints, point: Point) {
    failpoints.set(point, || Err(Error::new(ErrorKind::OutOfSpace, "the disk is full, says this test")));
}

/// Every file below a directory with its bytes, in order.
pub(crate) fn tree(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(tree(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// Nothing is damaged, nothing is left, and the files of blobs are exactly those that entries name.
pub(crate) fn assert_tidy(place: &Place, store: &BlobStore) {
    assert_tidy_over(Pair::Sqlite, place, store);
}

/// The same, over a pair.
pub(crate) fn assert_tidy_over(pair: Pair, place: &Place, store: &BlobStore) {
    let verified = store.verify().unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!((verified.unreferenced, verified.staging_files), (0, 0), "{verified:?}");
    let named = store.list(&Default::default()).unwrap().entries.iter().filter_map(|entry| entry.blob()).count();
    let distinct = store.stats().unwrap().blobs;
    assert!(named as u64 >= distinct);
    assert_eq!(pair.blobs(&place.path()), distinct, "{pair:?}: blobs that are there and blobs that entries name");
}
