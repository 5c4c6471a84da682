//! A process with a cache that does what it is told on standard input, and answers each line with one. Its arguments: the
//! directory, the pair, and options.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test support")]

use cacheness::{MemoryConfig, PutOptions, sync::Cache};
use cacheness_testkit::SeededRng;
use cacheness_tests::pairs::Pair;
use cacheness_tests::{noise, worker_io};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [dir, pair, options @ ..] = words.as_slice() else { panic!("unknown arguments {words:?}") };
    let mut builder = Pair::named(pair).builder(Path::new(dir));
    for option in options {
        builder = match option.split_once('=') {
            None if *option == "no-memory" => builder.no_memory(),
            None if *option == "graceless" => builder.grace(Duration::ZERO).delete_grace(Duration::ZERO),
            Some(("max-size", bytes)) => builder.max_size(bytes.parse::<u64>().unwrap()),
            Some(("staleness", seconds)) => {
                let staleness = Duration::from_secs(seconds.parse().unwrap());
                builder.memory(MemoryConfig::new().staleness(staleness))
            }
            _ => panic!("unknown option {option:?}"),
        };
    }
    let cache = builder.open().unwrap();
    println!("open");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        println!("{}", answer(&cache, &words));
    }
}

fn answer(cache: &Cache, words: &[&str]) -> String {
    match *words {
        ["put", key, value] => cache.put(key, value).map(|_| "done".to_owned()).unwrap(),
        ["tagged", key, value, tag] => {
            cache.put_with(key, value, PutOptions::new().tags([tag])).map(|_| "done".to_owned()).unwrap()
        }
        ["get", key] => cache.get::<String>(key).unwrap().unwrap_or_else(|| "nothing".to_owned()),
        ["gets", key, count] => {
            let count = count.parse::<u64>().unwrap();
            (0..count).filter(|_| cache.get::<String>(key).unwrap().is_some()).count().to_string()
        }
        ["invalidate", key] => cache.invalidate(key).unwrap().to_string(),
        ["invalidate-tag", tag] => cache.invalidate_tag(tag).map(|()| "done".to_owned()).unwrap(),
        ["memory-hits"] => cache.stats().unwrap().memory.map_or(0, |memory| memory.hits).to_string(),
        ["flush"] => cache.flush().map(|()| "done".to_owned()).unwrap(),
        ["close"] => cache.close().map(|()| "done".to_owned()).unwrap(),
        ["fill", prefix, count, size, hot] => fill(cache, prefix, (count, size), hot),
        ["put-and-sweep", prefix, count] => put_and_sweep(cache, prefix, count.parse().unwrap()),
        ["all", prefix, count] => {
            let count = count.parse::<u64>().unwrap();
            let is_there =
                |number: &u64| cache.get((prefix, *number)).unwrap() == Some(noise(20_000 + *number as usize));
            (0..count).filter(is_there).count().to_string()
        }
        ["warm-hits", key, count] => warm_hits(cache, key, count.parse().unwrap()),
        ["write", seed, milliseconds] => write(cache, seed.parse().unwrap(), milliseconds.parse().unwrap()),
        ["read", seed, milliseconds] => read(cache, seed.parse().unwrap(), milliseconds.parse().unwrap()),
        _ => panic!("unknown order {words:?}"),
    }
}

/// Puts values of a size, and reads a key before each; says how many reads found it, and what the most was that the store
/// held after a put.
fn fill(cache: &Cache, prefix: &str, (count, size): (&str, &str), hot: &str) -> String {
    let value = noise(size.parse().unwrap());
    let (mut hits, mut most) = (0, 0);
    for number in 0..count.parse::<u64>().unwrap() {
        hits += u64::from(cache.get::<String>(hot).unwrap().is_some());
        cache.put((prefix, number), &value).unwrap();
        most = most.max(cache.stats().unwrap().bytes);
    }
    format!("{hits} {most}")
}

/// Puts blobs while others sweep without grace and sweeps itself; each is there once its put is acknowledged.
fn put_and_sweep(cache: &Cache, prefix: &str, count: u64) -> String {
    for number in 0..count {
        let value = noise(20_000 + number as usize);
        // Several sweeps in a row may hit it: the error says that trying again helps.
        while let Err(error) = cache.put((prefix, number), &value) {
            assert!(error.is_retryable(), "{error}");
        }
        assert!(cache.get((prefix, number)).unwrap() == Some(value), "{number} is gone");
        cache.sweep().unwrap();
    }
    "done".to_owned()
}

/// Reads a key again and again, after it was warmed; says what this process did meanwhile.
fn warm_hits(cache: &Cache, key: &str, count: u64) -> String {
    (0..10).for_each(|_| assert!(cache.get::<String>(key).unwrap().is_some()));
    let before = worker_io::read();
    let found = (0..count).filter(|_| cache.get::<String>(key).unwrap().is_some()).count();
    let after = worker_io::read();
    let told = after.since(&before);
    // A handful of reads is what it takes to read the counters.
    let reads = if told.reads < 100 { "none" } else { "some" };
    format!("{found} {told} reads={reads}")
}

/// How many keys writers and readers share.
const KEYS: u64 = 50;

/// Values in which every part says which one they are.
fn stamped(writer: u64, number: u64) -> Vec<u8> {
    let size = [200, 20_000, 70_000][(number % 3) as usize];
    ((writer << 48) | number).to_le_bytes().into_iter().cycle().take(size).collect()
}

fn write(cache: &Cache, seed: u64, milliseconds: u64) -> String {
    let (chance, end) = (SeededRng::new(seed), Instant::now() + Duration::from_millis(milliseconds));
    let mut number = 0;
    while Instant::now() < end {
        number += 1;
        let key = chance.below(KEYS);
        match chance.below(20) {
            0 => drop(cache.invalidate(key).unwrap()),
            1 => drop(cache.get_or_put(key, || stamped(seed, number)).unwrap()),
            2 => cache.invalidate_tag("some").unwrap(),
            3 => drop(cache.put_with(key, &stamped(seed, number), PutOptions::new().tags(["some"])).unwrap()),
            _ => drop(cache.put(key, &stamped(seed, number)).unwrap()),
        }
    }
    number.to_string()
}

/// Reads keys; what one writer wrote under a key never gets older.
fn read(cache: &Cache, seed: u64, milliseconds: u64) -> String {
    let (chance, end) = (SeededRng::new(seed), Instant::now() + Duration::from_millis(milliseconds));
    let (mut reads, mut newest) = (0_u64, HashMap::<(u64, u64), u64>::new());
    while Instant::now() < end {
        let key = chance.below(KEYS);
        let found = match chance.below(3) {
            0 => cache.get_shared::<Vec<u8>>(key).unwrap().map(|value| value.to_vec()),
            _ => cache.get::<Vec<u8>>(key).unwrap(),
        };
        let Some(found) = found else { continue };
        let stamp = u64::from_le_bytes(found[..8].try_into().unwrap());
        let (writer, number) = (stamp >> 48, stamp & ((1 << 48) - 1));
        assert!(found == stamped(writer, number), "a torn value of writer {writer}");
        let newest = newest.entry((key, writer)).or_default();
        assert!(*newest <= number, "an older value of writer {writer} came back");
        *newest = number;
        reads += 1;
    }
    reads.to_string()
}
