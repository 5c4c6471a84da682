//! A store on a disk that is full soon: typed errors, old values intact, and work goes on when there is room again.

use crate::support::noise;
use cacheness::{ErrorKind, sync::Cache};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_store_on_a_full_disk_keeps_every_acknowledged_value_and_goes_on_when_there_is_room() {
    let name = "full_disk::a_store_on_a_full_disk_keeps_every_acknowledged_value_and_goes_on_when_there_is_room";
    cacheness_testkit::full_disk::run(name, 6 << 10, fill);
}

fn fill(disk: &Path) {
    let cache = Cache::builder().dir(disk.join("cache")).grace(Duration::ZERO).open().unwrap();
    std::fs::write(disk.join("somebody-elses"), noise(400_000)).unwrap();
    let mut expected = BTreeMap::new();
    let mut refused = 0;
    for round in 0..400_usize {
        // Overwrites and new keys, small ones in the index and large ones in files.
        let (key, size) = (round % 90, [300, 12_000, 70_000, 200_000][round % 4] + round);
        match cache.put(key, &noise(size)) {
            Ok(_) => drop(expected.insert(key, size)),
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::OutOfSpace, "{error}");
                assert!(error.to_string().contains("free space"), "{error}");
            }
        }
        if round % 40 == 39 {
            for key in 0..90 {
                let found = cache.get::<Vec<u8>>(key).unwrap().map(|value| value.len());
                assert_eq!(found.as_ref(), expected.get(&key), "key {key} in round {round}");
            }
            assert!(cache.verify().unwrap().is_clean());
        }
    }
    assert!(refused > 20, "the disk was never full: {refused}");
    // Even forgetting takes room in the log of the index: somebody makes a little.
    std::fs::remove_file(disk.join("somebody-elses")).unwrap();
    for key in 0..90 {
        if key % 3 > 0 {
            cache.invalidate(key).unwrap();
            expected.remove(&key);
        }
    }
    cache.sweep().unwrap();
    for key in 100..110 {
        cache.put(key, &noise(60_000)).unwrap();
    }
    for (key, size) in expected {
        assert_eq!(cache.get::<Vec<u8>>(key).unwrap(), Some(noise(size)));
    }
    let verified = cache.verify().unwrap();
    assert!(verified.is_clean());
    assert_eq!((verified.unreferenced, verified.staging_files), (0, 0), "{verified:?}");
}
