//! A second process with the same cache, for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test support")]

use cacheness::core::{ManualClock, Timestamp};
use cacheness::{PutOptions, sync::Cache};

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
        _ => panic!("unknown arguments {words:?}"),
    }
}

/// Writes the store that `golden/store-v1` is a copy of.
fn golden(dir: &str) {
    let clock = ManualClock::starting_at(Timestamp::from_micros(cacheness_tests::NOW));
    let cache = Cache::builder().dir(dir).clock(clock).open().unwrap();
    cache.put_with("text", "written by version 1", PutOptions::new().tags(["golden"])).unwrap();
    cache.put("object", &cacheness_tests::Results::sample()).unwrap();
    cache.put("large", &cacheness_tests::noise(20_000)).unwrap();
    cache.put_typed("array", &ndarray::Array1::from_iter(0..5000_i16)).unwrap();
    cache.close().unwrap();
}

/// Puts numbered values, small and large, and says so after each.
fn put_forever(cache: &Cache) {
    for number in 0_u64.. {
        cache.put(number, &cacheness_tests::noise(100 + (number as usize % 3) * 20_000)).unwrap();
        println!("{number}");
    }
}
