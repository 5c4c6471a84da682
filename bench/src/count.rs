//! Hot paths as a fixed number of calls and nothing else, for programs that count instructions or system calls from
//! outside: the difference between a run of many calls and one of few is what the calls cost.

use crate::Result;
use crate::numbers::{noise, spread};
use crate::sample::Sample;
use crate::workloads::warm;
use cacheness::{Key, MemoryConfig, sync::Cache};
use std::path::Path;

/// A path that is counted. It prepares itself alike for any number of calls, and makes them.
struct Counted {
    name: &'static str,
    /// How many calls are a fair sample. Twice as many puts still fit the write-ahead log, so that nobody counts how it is
    /// moved into the index. Gets of blobs are many, because how many directories they lie in is chance.
    calls: u64,
    run: fn(&Path, u64) -> Result,
}

const ALL: [Counted; 8] = [
    Counted { name: "mem_hit_key", calls: 10_000, run: mem_hit_key },
    Counted { name: "mem_hit_tuple", calls: 10_000, run: mem_hit_tuple },
    Counted { name: "disk_get", calls: 1000, run: disk_get },
    Counted { name: "put_over", calls: 200, run: |place, calls| put(place, calls, |call| spread(call, ENTRIES)) },
    Counted { name: "put_new", calls: 200, run: |place, calls| put(place, calls, |call| ENTRIES + call) },
    Counted { name: "blob_64k_put", calls: 200, run: blob_put },
    Counted { name: "blob_64k_get", calls: 1000, run: blob_get },
    Counted { name: "overwrite_64k", calls: 200, run: overwrite },
];

/// Entries on disk: few, so that preparing them takes little of what is counted.
const ENTRIES: u64 = 2000;
/// Blobs on disk: many, so that most directories for them are there.
const BLOBS: u64 = 600;

/// The names of all paths and how many calls are a fair sample, a line each.
pub(crate) fn list() {
    ALL.iter().for_each(|path| println!("{} {}", path.name, path.calls));
}

/// Makes so many calls of a path.
pub(crate) fn run(name: &str, calls: u64) -> Result {
    let path = ALL.iter().find(|path| path.name == name).ok_or("no such path")?;
    let place = tempfile::tempdir()?;
    (path.run)(place.path(), calls)
}

fn mem_hit_key(place: &Path, calls: u64) -> Result {
    let cache = warm(place.into(), MemoryConfig::new(), 100)?;
    let keys: Vec<Key> = (0..100_u64).map(|number| Key::of(("user", number))).collect::<Result<_, _>>()?;
    for key in keys.iter().cycle().take(usize::try_from(calls)?) {
        cache.get_shared::<Sample>(key)?.ok_or("a miss")?;
    }
    Ok(())
}

fn mem_hit_tuple(place: &Path, calls: u64) -> Result {
    let cache = warm(place.into(), MemoryConfig::new(), 100)?;
    for call in 0..calls {
        cache.get_shared::<Sample>(("user", call % 100))?.ok_or("a miss")?;
    }
    Ok(())
}

/// A cache with [`ENTRIES`] samples on disk.
fn filled(place: &Path) -> Result<Cache> {
    let cache = Cache::builder().dir(place).no_memory().open()?;
    let entries: Vec<_> = (0..ENTRIES).map(|number| (("user", number), Sample::numbered(number % 64))).collect();
    cache.put_many(&entries)?;
    Ok(cache)
}

fn disk_get(place: &Path, calls: u64) -> Result {
    let cache = filled(place)?;
    for call in 0..calls {
        cache.get::<Sample>(("user", spread(call, ENTRIES)))?.ok_or("a miss")?;
    }
    Ok(())
}

fn put(place: &Path, calls: u64, number: fn(u64) -> u64) -> Result {
    let cache = filled(place)?;
    let sample = Sample::numbered(7);
    for call in 0..calls {
        cache.put(("user", number(call)), &sample)?;
    }
    Ok(())
}

/// A cache with [`BLOBS`] values of 64 KiB, and bytes to make others of.
fn with_blobs(place: &Path) -> Result<(Cache, Vec<u8>)> {
    let cache = Cache::builder().dir(place).no_memory().open()?;
    let mut bytes = noise(64 << 10, 1);
    let mut blob = |number| (("blob", number), stamped(&mut bytes, number).clone());
    cache.put_many(&(0..BLOBS).map(&mut blob).collect::<Vec<_>>())?;
    Ok((cache, bytes))
}

fn stamped(bytes: &mut Vec<u8>, stamp: u64) -> &Vec<u8> {
    bytes.iter_mut().zip(stamp.to_le_bytes()).for_each(|(byte, stamp)| *byte = stamp);
    bytes
}

fn blob_put(place: &Path, calls: u64) -> Result {
    let (cache, mut bytes) = with_blobs(place)?;
    (BLOBS..BLOBS + calls).try_for_each(|call| Ok(cache.put(("blob", call), stamped(&mut bytes, call)).map(drop)?))
}

fn overwrite(place: &Path, calls: u64) -> Result {
    let (cache, mut bytes) = with_blobs(place)?;
    (BLOBS..BLOBS + calls).try_for_each(|call| {
        let blob = stamped(&mut bytes, call);
        Ok(cache.put(("blob", call % BLOBS), blob).map(drop)?)
    })
}

fn blob_get(place: &Path, calls: u64) -> Result {
    let (cache, _) = with_blobs(place)?;
    for call in 0..calls {
        cache.get::<Vec<u8>>(("blob", call % BLOBS))?.ok_or("a miss")?;
    }
    Ok(())
}
