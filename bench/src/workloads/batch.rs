//! A hundred entries in one call beside a hundred calls of one, on the same store. Times are by entry.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::Fixtures;
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::sample::Sample;
use crate::store::{Action, at_once, one_by_one};
use cacheness::storage::Durability;
use cacheness::sync::Cache;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "batch_100_put",
        what: "100 structs of 1 KiB over some of 200 k in one call; the floor is a call for each",
        bars: &[Bar::RateOfFloor(5.0)],
        run: |workload, fixtures, report| both(workload, fixtures, report, Action::PutOver),
    },
    Workload {
        name: "batch_100_get",
        what: "100 structs of 1 KiB of 200 k in one call; the floor is a call for each",
        bars: &[Bar::RateOfFloor(5.0)],
        run: |workload, fixtures, report| both(workload, fixtures, report, Action::Get),
    },
    Workload {
        name: "batch_100_put_durable",
        what: "100 new structs of 1 KiB in one call that survives a power cut; the floor is a call for each",
        bars: &[Bar::RateOfFloor(5.0)],
        run: durable,
    },
];

const PACE: Pace = Pace::bulk(100, 100);
/// Where every call waits for the device.
const SLOW_PACE: Pace = Pace::bulk(100, 15);

/// Ours, and what rusqlite does in one transaction and in a hundred.
fn both(workload: &Workload, fixtures: &Fixtures, report: &mut Report, action: Action) -> Result {
    let (disk, samples) = (fixtures.disk()?, &fixtures.samples);
    ours(PACE, &disk.ours, action, fixtures)
        .subject("rusqlite, at once", at_once(&disk.floor, action, samples.clone()))
        .subject("rusqlite, one by one", one_by_one(&disk.floor, action, samples.clone()))
        .run(workload, report)
}

fn durable(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let place = fixtures.path(workload.name);
    let cache = Cache::builder().dir(place).no_memory().durability(Durability::Full).open()?;
    ours(SLOW_PACE, &cache, Action::PutNew, fixtures).run(workload, report)
}

fn ours<'s>(pace: Pace, cache: &'s Cache, action: Action, fixtures: &Fixtures) -> Race<'s> {
    Race::new(pace)
        .ours(at_once::<Sample>(cache, action, fixtures.samples.clone()))
        .floor("one by one", one_by_one::<Sample>(cache, action, fixtures.samples.clone()))
}
