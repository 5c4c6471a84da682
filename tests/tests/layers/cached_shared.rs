//! Several processes use one directory of local copies.

use crate::cached::{Place, file, taken};
use crate::{noise, put, read};
use cacheness_storage::layers::Cached;
use cacheness_storage::{BlobBackend, OpenContext, block_on};
use cacheness_testkit::records::blob;
use cacheness_tests::scripted::ScriptedBlobs;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Where the copies are, and the first name of the blobs to put, for the test that runs in another process.
const DIRECTORY: &str = "CACHENESS_TEST_COPIES";
const FIRST: &str = "CACHENESS_TEST_FIRST";

const LIMIT: u64 = 100_000;
const PUTS: u64 = 300;

fn work(dir: &Path, first: u64) {
    let cached = Cached::in_backend(crate::cached::local(dir), LIMIT);
    let blobs: Arc<dyn BlobBackend> =
        block_on(cached.around_blobs(ScriptedBlobs::in_memory(true), &OpenContext::new())).unwrap();
    for n in first..first + PUTS {
        put(&*blobs, blob(n), &noise(1000 + n as usize)).unwrap();
        let back = first + (n - first) / 2;
        assert!(read(&*blobs, blob(back)).unwrap() == Some(noise(1000 + back as usize)), "{back}");
    }
    assert_eq!(cached.stats().failures, 0, "{:?}", cached.stats());
}

#[test]
fn processes_share_a_directory_and_stay_near_the_limit_together() {
    if let (Some(dir), Some(first)) = (env::var_os(DIRECTORY), env::var_os(FIRST)) {
        return work(Path::new(&dir), first.to_str().unwrap().parse().unwrap());
    }
    let place = Place::new(LIMIT, true);
    let start = |first: u64| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "cached_shared::processes_share_a_directory_and_stay_near_the_limit_together"]);
        command.env(DIRECTORY, place.dir.path()).env(FIRST, first.to_string()).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut children = [start(1000), start(2000), start(3000)];
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let taken = taken(place.dir.path());
    // A tenth of the limit for each, and the one copy that made it due.
    assert!(taken <= LIMIT + 3 * (LIMIT / 10 + 5000), "{taken} bytes");
    let last = 1000 + PUTS - 1;
    let survivors = (1000..4000).filter(|n| file(place.dir.path(), blob(*n)).exists()).count();
    assert!(survivors > 10, "{survivors}");
    // What another process copied is found here, without asking the remote, which never had it.
    let there = (1000..=last).chain(2000..3300).find(|n| file(place.dir.path(), blob(*n)).exists()).unwrap();
    assert!(read(&*place.blobs, blob(there)).unwrap() == Some(noise(1000 + there as usize)));
    assert_eq!(place.script.calls(), [""; 0]);
}

#[test]
fn what_one_opening_deletes_or_evicts_another_fetches_again() {
    let place = Place::new(LIMIT, true);
    let (other_cached, other) = place.reopened(LIMIT);
    put(&*place.blobs, blob(1), &noise(1000)).unwrap();
    assert!(read(&*other, blob(1)).unwrap() == Some(noise(1000)));
    assert_eq!(other_cached.stats().hits, 1);
    std::fs::remove_file(file(place.dir.path(), blob(1))).unwrap();
    assert!(read(&*other, blob(1)).unwrap() == Some(noise(1000)));
    assert_eq!(other_cached.stats().misses, 1);
    block_on(other.delete(&[blob(1)])).unwrap();
    assert_eq!(read(&*place.blobs, blob(1)).unwrap(), None);
}
