//! Values of 64 KiB, which rest in files of their own.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::{Fixtures, settle};
use crate::floors::files::Files;
use crate::numbers::{noise, spread};
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::timing::each;
use cacheness::sync::Cache;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "blob_64k_put",
        what: "64 KiB of random bytes under a new key",
        bars: &[Bar::OfFloor(1.3)],
        run: put,
    },
    Workload { name: "blob_64k_get", what: "64 KiB of random bytes, verified", bars: &[Bar::OfFloor(1.3)], run: get },
    Workload {
        name: "overwrite_64k",
        what: "64 KiB of random bytes over others, beside a first put by ours",
        bars: &[Bar::OfFloor(1.1)],
        run: overwrite,
    },
];

const PACE: Pace = Pace { rounds: 40, calls: 50, batch: 1 };
const LENGTH: usize = 64 << 10;
/// Blobs that are read and replaced.
const BLOBS: u64 = 1000;

/// A cache and the floor, empty.
fn both(workload: &Workload, fixtures: &Fixtures) -> Result<(Cache, Files)> {
    let ours = Cache::builder().dir(fixtures.path(workload.name)).no_memory().open()?;
    let floor = Files::open(fixtures.path(&format!("{}-floor", workload.name)))?;
    Ok((ours, floor))
}

/// Both with [`BLOBS`] values.
fn both_filled(workload: &Workload, fixtures: &Fixtures) -> Result<(Cache, Files)> {
    let (ours, floor) = both(workload, fixtures)?;
    let mut blob = Blob::new();
    for number in 0..BLOBS {
        ours.put(("blob", number), blob.stamped(number))?;
        floor.put(number, blob.stamped(number))?;
    }
    settle();
    Ok((ours, floor))
}

/// Random bytes that are others in every call: equal ones would be stored once.
struct Blob(Vec<u8>);

impl Blob {
    fn new() -> Self {
        Self(noise(LENGTH, 1))
    }

    fn stamped(&mut self, stamp: u64) -> &Vec<u8> {
        self.0.iter_mut().zip(stamp.to_le_bytes()).for_each(|(byte, stamp)| *byte = stamp);
        &self.0
    }
}

fn put(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let (ours, floor) = both(workload, fixtures)?;
    let (mut our_blob, mut floor_blob) = (Blob::new(), Blob::new());
    Race::new(PACE)
        .ours(each(|call| Ok(ours.put(("blob", call), our_blob.stamped(call))?)))
        .floor("files and rusqlite", each(|call| floor.put(call, floor_blob.stamped(call))))
        .run(workload, report)
}

fn get(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let (ours, floor) = both_filled(workload, fixtures)?;
    Race::new(PACE)
        .ours(each(|call| Ok(ours.get::<Vec<u8>>(("blob", spread(call, BLOBS)))?.ok_or("a miss")?)))
        .floor("files and rusqlite", each(|call| floor.get(spread(call, BLOBS))))
        .run(workload, report)
}

fn overwrite(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let (ours, files) = both_filled(workload, fixtures)?;
    let mut blobs = [Blob::new(), Blob::new(), Blob::new()];
    let [over, first, raw] = &mut blobs;
    const FIRST: u64 = 1 << 32;
    Race::new(PACE)
        .ours(each(|call| Ok(ours.put(("blob", spread(call, BLOBS)), over.stamped(BLOBS + call))?)))
        .floor("first put by ours", each(|call| Ok(ours.put(("blob", FIRST + call), first.stamped(FIRST + call))?)))
        .subject("files and rusqlite", each(|call| files.put(spread(call, BLOBS), raw.stamped(call))))
        .run(workload, report)
}
