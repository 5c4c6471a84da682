//! A second process with the same cache, for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test support")]

use cacheness::core::{ManualClock, Timestamp};
use cacheness::{PutOptions, StoreParameters, key, sync::Cache};
use std::io::Read;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["open", dir] => match Cache::open(dir) {
            Ok(_) => println!("opened"),
            Err(error) => println!("{error:?}"),
        },
        ["get", dir, key] => println!("{}", Cache::open(dir).unwrap().get::<String>(key).unwrap().unwrap()),
        ["length", dir, key] => println!("{}", Cache::open(dir).unwrap().get::<Vec<u8>>(key).unwrap().unwrap().len()),
        ["put", dir, key, value] => drop(Cache::open(dir).unwrap().put(key, value).unwrap()),
        ["put-forever", dir] => put_forever(&Cache::open(dir).unwrap()),
        ["golden", dir] => golden(dir),
        ["readers", dir, size] => through_readers(&Cache::open(dir).unwrap(), size.parse().unwrap()),
        ["remote-readers", metadata, blobs, size] => {
            through_readers(&Cache::builder().metadata(metadata).blobs(blobs).open().unwrap(), size.parse().unwrap());
        }
        ["peak", dir, key] => {
            let outcome = Cache::open(dir).unwrap().get::<Vec<u8>>(key).map(|value| value.map(|value| value.len()));
            println!("{} {outcome:?}", peak_memory());
        }
        _ => panic!("unknown arguments {words:?}"),
    }
}

/// Writes the store that `golden/store-v1` is a copy of.
fn golden(dir: &str) {
    let clock = ManualClock::starting_at(Timestamp::from_micros(cacheness_tests::NOW));
    let cache = Cache::builder().dir(dir).clock(clock).store_parameters(StoreParameters::On).open().unwrap();
    cache.put_with("text", "written by version 1", PutOptions::new().tags(["golden"])).unwrap();
    cache.put("object", &cacheness_tests::Results::sample()).unwrap();
    cache.put("large", &cacheness_tests::noise(20_000)).unwrap();
    cache.put_typed("array", &ndarray::Array1::from_iter(0..5000_i16)).unwrap();
    cache.put_with("invalidated", "by its tag", PutOptions::new().tags(["old"])).unwrap();
    cache.invalidate_tag("old").unwrap();
    cache.put_with("tagged", "anew", PutOptions::new().tags(["old"])).unwrap();
    let both = PutOptions::new().idle_ttl(Duration::from_hours(1)).ttl(Duration::from_hours(24));
    cache.namespace("team").unwrap().put_with(key! { n: 1 }, "in a namespace", both).unwrap();
    assert!(cache.get::<String>("text").unwrap().is_some());
    cache.close().unwrap();
}

/// Puts a value of many bytes from a reader, reads it back by another, and prints the most memory that was resident, in
/// KiB.
fn through_readers(cache: &Cache, size: u64) {
    cache.put_reader("large", cacheness_tests::Noise::new().take(size)).unwrap();
    let (mut stored, mut expected) = (cache.get_reader("large").unwrap().unwrap(), cacheness_tests::Noise::new());
    let (mut ours, mut theirs) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut total = 0;
    loop {
        let count = stored.read(&mut ours).unwrap();
        if count == 0 {
            break;
        }
        expected.read_exact(&mut theirs[..count]).unwrap();
        assert!(ours[..count] == theirs[..count], "after {total} bytes");
        total += count as u64;
    }
    assert_eq!(total, size);
    println!("{}", peak_memory());
}

/// The most memory that was resident so far, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Puts numbered values, small and large, and says so after each.
fn put_forever(cache: &Cache) {
    for number in 0_u64.. {
        cache.put(number, &cacheness_tests::noise(100 + (number as usize % 3) * 20_000)).unwrap();
        println!("{number}");
    }
}
