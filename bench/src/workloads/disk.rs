//! Gets and puts of 1 KiB on disk: one at a time, from eight threads, and ten thousand in one call.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::Fixtures;
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::sample::Sample;
use crate::store::{Action, Manner, at_once, one_by_one, stretch};

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
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::Get, Manner::OneByOne),
    },
    Workload {
        name: "put_over",
        what: "1 KiB struct over one of 200 k entries, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::PutOver, Manner::OneByOne),
    },
    Workload {
        name: "put_new",
        what: "1 KiB struct beside 200 k random keys, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::PutNew, Manner::OneByOne),
    },
    Workload {
        name: "put_8_threads_over",
        what: "1 KiB struct over one of 200 k entries by eight threads, beside one thread that uses the floor",
        bars: &[Bar::RateOfFloor(1.5)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::PutOver, Manner::ByEightThreads),
    },
    Workload {
        name: "put_8_threads_new",
        what: "1 KiB struct beside 200 k random keys by eight threads, beside one thread that uses the floor",
        bars: &[Bar::RateOfFloor(1.3)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::PutNew, Manner::ByEightThreads),
    },
    Workload {
        name: "put_many",
        what: "10 000 new structs of 1 KiB in one commit; times are by entry",
        bars: &[Bar::RateOfFloor(0.6)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::PutNew, Manner::AtOnce),
    },
    Workload {
        name: "get_many",
        what: "10 000 structs of 1 KiB of 200 k, verified and decoded; times are by entry",
        bars: &[Bar::RateOfFloor(0.6)],
        run: |workload, fixtures, report| race(workload, fixtures, report, Action::Get, Manner::AtOnce),
    },
];

/// Ours, the floor and the peers, each doing the same with its store. The floor is one connection, and so one thread. Times
/// of eight threads are by put of any of them, so each is one eighth of what a caller waits.
fn race(workload: &Workload, fixtures: &Fixtures, report: &mut Report, action: Action, manner: Manner) -> Result {
    let (disk, samples) = (fixtures.disk()?, &fixtures.samples);
    let (pace, floor) = match manner {
        Manner::OneByOne => (Pace::MICROS, one_by_one(&disk.floor, action, samples.clone())),
        Manner::ByEightThreads => (Pace::bulk(1600, 30), one_by_one(&disk.floor, action, samples.clone())),
        Manner::AtOnce => (Pace::bulk(10_000, 12), at_once(&disk.floor, action, samples.clone())),
    };
    let mut race =
        Race::new(pace).ours(stretch::<Sample>(&disk.ours, action, manner, samples)).floor("rusqlite", floor);
    for peer in fixtures.peers() {
        race = peer.join(race, action, manner, samples);
    }
    race.run(workload, report)
}
