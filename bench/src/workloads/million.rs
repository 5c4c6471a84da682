//! A million entries beside ten thousand.

use super::Workload;
use crate::Result;
use crate::child::{self, found};
use crate::fixtures::{Fixtures, settle};
use crate::numbers::spread;
use crate::race::{Pace, Race};
use crate::report::{Limit, Report, Row};
use crate::sample::Sample;
use crate::store::Store;
use crate::timing::{all, each};
use cacheness::core::Timestamp;
use cacheness::{Field, Filter, PutOptions, Query, sync::Cache};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

pub(super) const ALL: &[Workload] = &[Workload {
    name: "million",
    what: "a million structs of 1 KiB beside ten thousand; times of both, then what is bounded",
    bars: &[],
    run,
}];

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// Entries that expire, in both.
const EXPIRING: u64 = 100;

/// The longest that the write-ahead log of an index is meant to be: see `journal_size_limit` in `crates/backend-sqlite`.
const LOG: f64 = 64.0;
const MIB: f64 = 1024.0 * 1024.0;

fn run(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let places = [(FEW, fixtures.path("few")), (MANY, fixtures.path("many"))];
    for (entries, place) in &places {
        fill(place, *entries, fixtures)?;
    }
    settle();
    let [(_, few), (_, many)] = &places;
    opening(workload, few, many, report)?;
    reading(workload, few, many, report)?;
    let peak = child::peak_of("million", many)?;
    report.figure(workload, "memory of a process that uses it, at most", peak / MIB, "MB", Some(Limit::AtMost(150.0)));
    evicting(workload, few, many, fixtures, report)?;
    listing(workload, many, fixtures, report)?;
    for (_, place) in &places {
        fs::remove_dir_all(place)?;
    }
    Ok(())
}

fn open(place: &Path) -> Result<Cache> {
    Ok(Cache::builder().dir(place).no_memory().open()?)
}

fn fill(place: &Path, entries: u64, fixtures: &Fixtures) -> Result {
    let cache = open(place)?;
    for number in 0..EXPIRING {
        let expiring = PutOptions::new().ttl(Duration::from_hours(1));
        cache.put_with(("expiring", number), fixtures.samples.sample(number)?, expiring)?;
    }
    Store::<Sample>::fill(&cache, 0..entries - EXPIRING, fixtures.samples.clone())?;
    Ok(cache.close()?)
}

/// Runs a race of the many against the few under a name of its own, and returns the rows.
fn against(workload: &Workload, name: &'static str, race: Race<'_>, report: &mut Report) -> Result<[Row; 2]> {
    let part = Workload { name, what: workload.what, bars: &[], run: workload.run };
    let mut rows = race.run_for_rows(&part, report)?.into_iter();
    rows.next().zip(rows.next()).map(|(many, few)| [many, few]).ok_or_else(|| "no rows".into())
}

fn opening(workload: &Workload, few: &Path, many: &Path, report: &mut Report) -> Result {
    let open = |place: PathBuf| all(|_| Ok(()), move |()| open(&place));
    let race = Race::new(Pace::bulk(1, 20)).ours(open(many.into())).floor("of 10 k", open(few.into()));
    let [many, _] = against(workload, "million_open", race, report)?;
    report.figure(workload, "open", many.median / 1e6, "ms", Some(Limit::AtMost(10.0)));
    Ok(())
}

fn reading(workload: &Workload, few: &Path, many: &Path, report: &mut Report) -> Result {
    let (few, many) = (open(few)?, open(many)?);
    let get = |cache: &Cache, call, entries| found(cache.get(("user", spread(call, entries - EXPIRING)))?);
    let race = Race::new(Pace::MICROS)
        .ours(each(|call| get(&many, call, MANY)))
        .floor("of 10 k", each(|call| get(&few, call, FEW)));
    let [of_many, of_few] = against(workload, "million_get", race, report)?;
    report.figure(workload, "p99 of a get", of_many.p99 / of_few.p99, "×", Some(Limit::AtMost(2.0)));

    let race = Race::new(Pace { calls: 50, ..Pace::MICROS })
        .ours(each(|_| Ok(many.stats()?)))
        .floor("of 10 k", each(|_| Ok(few.stats()?)));
    let [of_many, _] = against(workload, "million_stats", race, report)?;
    report.figure(workload, "stats()", of_many.ratio.unwrap_or(f64::NAN), "×", Some(Limit::AtMost(1.5)));

    let page = Query::new().limit(1000);
    let race = Race::new(Pace::bulk(1, 20))
        .ours(each(|_| Ok(many.entries(&page)?)))
        .floor("of 10 k", each(|_| Ok(few.entries(&page)?)));
    let [of_many, _] = against(workload, "million_page", race, report)?;
    report.figure(workload, "first 1,000 entries", of_many.median / 1e6, "ms", Some(Limit::AtMost(5.0)));

    let race = Race::new(Pace::bulk(1, 5)).ours(each(|_| expiring(&many))).floor("of 10 k", each(|_| expiring(&few)));
    let [of_many, _] = against(workload, "million_filter", race, report)?;
    report.figure(workload, "the 100 entries that expire soon", of_many.median / 1e6, "ms", Some(Limit::AtMost(50.0)));
    Ok(())
}

/// All entries that expire within a day, page by page.
fn expiring(cache: &Cache) -> Result {
    let tomorrow = Timestamp::from(SystemTime::now()).after(Duration::from_hours(24));
    let (mut query, mut count) = (Query::new().filter(Filter::lt(Field::ExpiresAt, tomorrow)), 0);
    loop {
        let page = cache.entries(&query)?;
        count += page.entries.len() as u64;
        match page.next {
            Some(next) => query = query.after(next),
            None if count == EXPIRING => return Ok(()),
            None => return Err(format!("{count} entries expire").into()),
        }
    }
}

/// Puts into full caches, which evict a hundredth at a time. The means count: the put that evicts pays for many.
fn evicting(workload: &Workload, few: &Path, many: &Path, fixtures: &Fixtures, report: &mut Report) -> Result {
    let full = |place: &Path, entries| {
        Cache::builder().dir(place).no_memory().unlimited().max_entries(entries).low_water(99).open()
    };
    let (few, many) = (full(few, FEW)?, full(many, MANY)?);
    let put = |cache: &Cache, call| Ok(cache.put(("user", MANY + call), fixtures.samples.sample(call)?)?);
    let race = Race::new(Pace { rounds: 45, ..Pace::MICROS })
        .ours(each(|call| put(&many, call)))
        .floor("of 10 k", each(|call| put(&few, call)));
    let [of_many, of_few] = against(workload, "million_put", race, report)?;
    let evicted = [&many, &few].map(|cache| cache.stats().map_or(0, |stats| stats.evictions));
    report.figure(workload, "entries evicted of a million", evicted[0] as f64, "", None);
    report.figure(workload, "entries evicted of 10 k", evicted[1] as f64, "", None);
    let ratio = of_many.mean / of_few.mean;
    report.figure(workload, "put with eviction, on average", ratio, "×", Some(Limit::AtMost(1.5)));
    Ok(())
}

/// Puts beside somebody who lists everything and takes a break after every page.
fn listing(workload: &Workload, place: &Path, fixtures: &Fixtures, report: &mut Report) -> Result {
    let cache = open(place)?;
    let is_done = AtomicBool::new(false);
    let log = thread::scope(|scope| {
        let lister = scope.spawn(|| -> Result<u64> {
            let (mut query, mut pages) = (Query::new(), 0);
            while !is_done.load(Ordering::Relaxed) {
                let page = cache.entries(&query)?;
                pages += 1;
                query = page.next.map_or_else(Query::new, |next| Query::new().after(next));
                thread::sleep(Duration::from_millis(20));
            }
            Ok(pages)
        });
        let mut log = 0;
        let mut write = || -> Result {
            for call in 0..60_000 {
                cache.put(("user", spread(call, MANY)), fixtures.samples.sample(call)?)?;
                if call % 500 == 0 {
                    log = log.max(length_of_log(place)?);
                }
            }
            Ok(())
        };
        let written = write();
        is_done.store(true, Ordering::Relaxed);
        let pages = lister.join().map_err(|_| "the lister panicked")??;
        written.map(|()| (log, pages))
    });
    let (log, pages) = log?;
    report.figure(workload, "pages listed meanwhile", pages as f64, "", None);
    report.figure(
        workload,
        "write-ahead log beside a slow lister, at most",
        log as f64 / MIB,
        "MiB",
        Some(Limit::AtMost(LOG)),
    );
    Ok(())
}

fn length_of_log(place: &Path) -> Result<u64> {
    let mut length = 0;
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with("-wal") {
            length += entry.metadata()?.len();
        }
    }
    Ok(length)
}

/// What a process does with a million entries whose memory is measured: 20,000 gets and puts, listings, statistics.
pub(crate) fn use_of_them(place: &Path) -> Result {
    let cache = open(place)?;
    for call in 0..20_000 {
        let number = ("user", spread(call, MANY - EXPIRING));
        let sample: Sample = found(cache.get(number)?)?;
        cache.put(number, &sample)?;
    }
    cache.stats()?;
    cache.entries(&Query::new())?;
    expiring(&cache)?;
    Ok(cache.close()?)
}
