//! Gets and puts of 1 KiB on disk, one at a time and from eight threads.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::{Disk, Fixtures};
use crate::numbers::spread;
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::store::{Action, Contender, ENTRIES};
use crate::timing::{each, threads};

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "disk_get",
        what: "1 KiB struct of 200 k entries, verified and decoded, no copies in memory",
        bars: &[
            Bar::OfFloor(1.3),
            Bar::FasterThan("cacache", 3.0),
            Bar::FasterThan("foyer", 10.0),
            Bar::FasterThan("diskcache", 2.0),
        ],
        run: |workload, fixtures, report| all(workload, fixtures, report, Action::Get),
    },
    Workload {
        name: "put_over",
        what: "1 KiB struct over one of 200 k entries, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| all(workload, fixtures, report, Action::PutOver),
    },
    Workload {
        name: "put_new",
        what: "1 KiB struct beside 200 k random keys, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| all(workload, fixtures, report, Action::PutNew),
    },
    Workload {
        name: "put_8_threads_over",
        what: "1 KiB struct over one of 200 k entries by eight threads, beside one thread that uses the floor",
        bars: &[Bar::RateOfFloor(1.5)],
        run: |workload, fixtures, report| eight(workload, fixtures, report, |call| spread(call, ENTRIES)),
    },
    Workload {
        name: "put_8_threads_new",
        what: "1 KiB struct beside 200 k random keys by eight threads, beside one thread that uses the floor",
        bars: &[Bar::RateOfFloor(1.3)],
        run: |workload, fixtures, report| eight(workload, fixtures, report, |call| NEW_OF_EIGHT + call),
    },
];

/// Numbers from which on nothing was stored before.
const NEW_OF_EIGHT: u64 = 2 << 32;

/// Ours, the floor and the peers, each doing the same with its store.
fn all(workload: &Workload, fixtures: &Fixtures, report: &mut Report, action: Action) -> Result {
    let (disk, samples) = (fixtures.disk()?, &fixtures.samples);
    let mut race = Race::new(Pace::MICROS)
        .ours(disk.ours.stretch(action, samples))
        .floor("rusqlite", disk.floor.stretch(action, samples));
    for peer in fixtures.peers()? {
        race = match &peer.contender {
            Ok(contender) => race.slow_subject(peer.name, peer.slower, contender.stretch(action, samples)),
            Err(reason) => race.absent(peer.name, &reason.to_string()),
        };
    }
    race.run(workload, report)
}

/// Eight threads of ours against one of the floor. Puts a second by the time of all, so a time here is one eighth of what
/// a caller waits.
fn eight(workload: &Workload, fixtures: &Fixtures, report: &mut Report, number: fn(u64) -> u64) -> Result {
    let (Disk { ours, floor }, samples) = (fixtures.disk()?, &fixtures.samples);
    let our_put = |call| Ok(ours.put(("user", number(call)), samples.of(call)?.0).map(drop)?);
    let floor_put = |call| floor.upsert(number(call), samples.of(call)?.1);
    Race::new(Pace::bulk(1600, 30)).ours(threads(8, our_put)).floor("rusqlite", each(floor_put)).run(workload, report)
}
