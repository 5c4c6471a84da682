//! How much memory and disk it takes.

use super::Workload;
use crate::Result;
use crate::child;
use crate::fixtures::Fixtures;
use crate::numbers::{mixed, noise};
use crate::report::{Limit, Report};
use cacheness::sync::Cache;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "gigabyte",
        what: "1 GiB from a reader and back, in a process of its own",
        bars: &[],
        run: gigabyte,
    },
    Workload {
        name: "churn",
        what: "1,000 values of 64 KiB, each overwritten ten times, without a sweep",
        bars: &[],
        run: churn,
    },
];

const GIGABYTE: u64 = 1 << 30;
const MIB: f64 = 1024.0 * 1024.0;

fn gigabyte(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let start = Instant::now();
    let peak = child::peak_of("gigabyte", &fixtures.path(workload.name))?;
    report.figure(workload, "there and back", start.elapsed().as_secs_f64(), "s", None);
    let idle = child::peak_of("idle", &fixtures.path(workload.name))?;
    report.figure(workload, "memory of a process that does nothing, at most", idle / MIB, "MiB", None);
    report.figure(workload, "memory, at most", peak / MIB, "MB", Some(Limit::AtMost(64.0)));
    Ok(())
}

/// Puts a GiB from a reader and reads it again.
pub(crate) fn there_and_back(place: &Path) -> Result {
    let cache = Cache::open(place)?;
    cache.put_reader("film", Film(0).take(GIGABYTE))?;
    let mut reader = cache.get_reader("film")?.ok_or("a miss")?;
    let read = io::copy(&mut reader, &mut io::sink())?;
    drop(reader);
    cache.close()?;
    if read == GIGABYTE { Ok(()) } else { Err(format!("{read} bytes came back").into()) }
}

/// Bytes without end that no codec makes smaller.
struct Film(u64);

impl Read for Film {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for bytes in buffer.chunks_mut(8) {
            self.0 += 1;
            bytes.copy_from_slice(mixed(self.0).to_le_bytes().get(..bytes.len()).unwrap_or_default());
        }
        Ok(buffer.len())
    }
}

fn churn(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let place = fixtures.path(workload.name);
    let cache = Cache::builder().dir(&place).no_memory().open()?;
    let mut value = noise(64 << 10, 2);
    for time in 0..11_u64 {
        for number in 0..1000_u64 {
            value.iter_mut().zip((time << 32 | number).to_le_bytes()).for_each(|(byte, stamp)| *byte = stamp);
            cache.put(number, &value)?;
        }
    }
    let live = 1000.0 * value.len() as f64;
    let used = room_of(&place)? / live;
    cache.close()?;
    report.figure(workload, "disk of live bytes, open", used, "×", Some(Limit::AtMost(1.2)));
    report.figure(workload, "disk of live bytes, closed", room_of(&place)? / live, "×", None);
    Ok(())
}

/// What the files of a directory take on disk, in bytes.
pub(super) fn room_of(place: &Path) -> Result<f64> {
    let mut room = 0.0;
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        room += if kind.is_dir() { room_of(&entry.path())? } else { room_of_file(&entry.metadata()?) };
    }
    Ok(room)
}

#[cfg(unix)]
fn room_of_file(file: &fs::Metadata) -> f64 {
    std::os::unix::fs::MetadataExt::blocks(file) as f64 * 512.0
}

#[cfg(not(unix))]
fn room_of_file(file: &fs::Metadata) -> f64 {
    file.len() as f64
}
