//! Arrays of 64 MiB: as they are, and shuffled and compressed.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::{Fixtures, settle};
use crate::floors::files::create;
use crate::numbers::mixed;
use crate::peers::python::Script;
use crate::race::{Pace, Race};
use crate::report::{Limit, Report};
use crate::timing::{Stretch, all};
use cacheness::{Compression, sync::Cache};
use ndarray::Array1;
use std::fs;
use std::io::ErrorKind;
use std::time::Instant;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "array_64m_put",
        what: "64 MiB of f64 without a codec, hashed; the floor is fs::write of the same bytes to a new file",
        bars: &[Bar::RateOfFloor(0.85)],
        run: put,
    },
    Workload {
        name: "array_64m_get",
        what: "64 MiB of f64 without a codec, verified; the floor is fs::read. Both from the page cache",
        bars: &[Bar::RateOfFloor(0.85)],
        run: get,
    },
    Workload {
        name: "array_64m_shuffle",
        what: "64 MiB of f64, temperatures as a station reports them, shuffled and compressed with lz4, verified",
        bars: &[],
        run: shuffle,
    },
];

const PACE: Pace = Pace::bulk(1, 15);
const ELEMENTS: u32 = 8 << 20;
const BYTES: f64 = (ELEMENTS as f64) * 8.0;

/// Elements that no codec could make smaller, all of them numbers.
fn noise() -> Array1<f64> {
    (0..u64::from(ELEMENTS)).map(|place| mixed(place) as f64 / u64::MAX as f64).collect()
}

/// Hourly temperatures of a thousand stations in tenths of a degree: a year, a day, and weather that lasts.
fn temperatures() -> Array1<f64> {
    let mut weather = 0.0;
    let hour = |hour: u32| {
        let chance = mixed(u64::from(hour)) as f64 / u64::MAX as f64 - 0.5;
        weather = 0.98 * weather + 1.4 * chance;
        let turn = std::f64::consts::TAU * f64::from(hour);
        let celsius = 11.0 - 9.0 * (turn / 8766.0).cos() - 4.0 * (turn / 24.0).cos() + weather;
        (celsius * 10.0).round() / 10.0
    };
    (0..ELEMENTS).map(hour).collect()
}

fn bytes_of(array: &Array1<f64>) -> Vec<u8> {
    array.iter().flat_map(|element| element.to_ne_bytes()).collect()
}

fn open(workload: &Workload, fixtures: &Fixtures, compression: Compression) -> Result<Cache> {
    Ok(Cache::builder().dir(fixtures.path(workload.name)).compression(compression).no_memory().unlimited().open()?)
}

fn put(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = open(workload, fixtures, Compression::NONE)?;
    let array = noise();
    let bytes = bytes_of(&array);
    let path = fixtures.path("array");
    Race::new(PACE)
        .ours(first_time(
            || {
                cache.invalidate("array")?;
                Ok(())
            },
            || Ok(cache.put_typed("array", &array).map(drop)?),
        ))
        .floor(
            "fs::write",
            first_time(
                || match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
                    _ => Ok(()),
                },
                || create(&path, &bytes),
            ),
        )
        .run(workload, report)
}

/// A put where there is nothing, and nothing waits to be written by the kernel.
fn first_time<'s>(clear: impl Fn() -> Result + 's, put: impl Fn() -> Result + 's) -> Stretch<'s> {
    all(
        move |_| {
            clear()?;
            settle();
            Ok(())
        },
        move |()| put(),
    )
}

fn get(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = open(workload, fixtures, Compression::NONE)?;
    let array = noise();
    let path = fixtures.path("array-read");
    cache.put_typed("array", &array)?;
    create(&path, &bytes_of(&array))?;
    settle();
    Race::new(PACE)
        .ours(all(|_| Ok(()), |()| Ok(cache.get_typed::<Array1<f64>>("array")?.ok_or("a miss")?)))
        .floor("fs::read", all(|_| Ok(()), |()| Ok(fs::read(&path)?)))
        .run(workload, report)
}

fn shuffle(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = open(workload, fixtures, Compression::default())?;
    let array = temperatures();
    cache.put_typed("array", &array)?;
    settle();
    let path = fixtures.path("array-shuffle");
    create(&path, &bytes_of(&array))?;
    let blosc = Script::start(BLOSC, &[&path.to_string_lossy()]);

    let mut race =
        Race::new(PACE).ours(all(|_| Ok(()), |()| Ok(cache.get_typed::<Array1<f64>>("array")?.ok_or("a miss")?)));
    race = match &blosc {
        Ok(blosc) => race.subject("blosc2, from memory", all(|_| Ok(()), |()| blosc.ask("unpack"))),
        Err(reason) => race.absent("blosc2, from memory", &reason.to_string()),
    };
    race.run(workload, report)?;

    let best = (0..5).map(|_| {
        let start = Instant::now();
        let array = cache.get_typed::<Array1<f64>>("array")?;
        let elapsed = start.elapsed().as_secs_f64();
        drop(array);
        Ok(BYTES / elapsed / 1e9)
    });
    let mut rates: Vec<f64> = best.collect::<Result<_>>()?;
    rates.sort_by(f64::total_cmp);
    let median = rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN);
    report.figure(workload, "get", median, "GB/s", Some(Limit::AtLeast(1.0)));

    let stored = cache.metadata("array")?.ok_or("a miss")?.stored_size();
    report.figure(workload, "times smaller", BYTES / stored as f64, "×", None);
    let ours_of_blosc = match &blosc {
        Ok(blosc) => {
            let size: f64 = blosc.ask("size")?.parse()?;
            let whole: f64 = blosc.ask("whole")?.parse()?;
            report.figure(workload, "times smaller by blosc2, lz4 level 5, shuffle", BYTES / size, "×", None);
            report.figure(workload, "times smaller by the same without splitting", BYTES / whole, "×", None);
            Some(size / stored as f64)
        }
        Err(_) => None,
    };
    report.bar(workload, "ratio beside that of blosc2", ours_of_blosc, Limit::AtLeast(0.95), "×");
    Ok(())
}

/// Packs the file it is given as blosc2 does with lz4, level 5 and byte-shuffle.
const BLOSC: &str = include_str!("../peers/blosc.py");
