//! 10 000 entries in one call.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::Fixtures;
use crate::numbers::spread;
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::sample::Sample;
use crate::store::ENTRIES;
use crate::timing::all;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "put_many",
        what: "10 000 new structs of 1 KiB in one commit; times are by entry",
        bars: &[Bar::RateOfFloor(0.6)],
        run: put,
    },
    Workload {
        name: "get_many",
        what: "10 000 structs of 1 KiB of 200 k, verified and decoded; times are by entry",
        bars: &[Bar::RateOfFloor(0.6)],
        run: get,
    },
];

const PACE: Pace = Pace::bulk(10_000, 12);
const NEW: u64 = 3 << 32;

fn put(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let (disk, samples) = (fixtures.disk()?, &fixtures.samples);
    Race::new(PACE)
        .ours(all(
            |calls| {
                calls.map(|call| Ok((("user", NEW + call), samples.of(call)?.0.clone()))).collect::<Result<Vec<_>>>()
            },
            |entries| Ok(disk.ours.put_many(entries)?),
        ))
        .floor(
            "rusqlite",
            all(
                |calls| calls.map(|call| Ok((NEW + call, samples.of(call)?.1))).collect::<Result<Vec<_>>>(),
                |rows| disk.floor.upsert_all(rows.iter().copied()),
            ),
        )
        .run(workload, report)
}

fn get(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let disk = fixtures.disk()?;
    let numbers = |calls: std::ops::Range<u64>| Ok(calls.map(|call| spread(call, ENTRIES)).collect::<Vec<_>>());
    Race::new(PACE)
        .ours(all(numbers, |numbers| {
            let found = disk.ours.get_many::<Sample, _>(numbers.iter().map(|number| ("user", number)))?;
            found.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| "a miss".into())
        }))
        .floor("rusqlite", all(numbers, |numbers| disk.floor.select_all(numbers)))
        .run(workload, report)
}
