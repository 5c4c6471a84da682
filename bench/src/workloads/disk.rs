//! Gets and puts of 1 KiB on disk, one at a time and from eight threads.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::{Disk, ENTRIES, Fixtures};
use crate::numbers::spread;
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::store::Store;
use crate::timing::{Stretch, each, threads};

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
        run: |workload, fixtures, report| {
            all(workload, fixtures, report, |store, entries| each(move |call| store.get(spread(call, entries))))
        },
    },
    Workload {
        name: "put_over",
        what: "1 KiB struct over one of 200 k entries, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| {
            all(workload, fixtures, report, |store, entries| {
                each(move |call| {
                    let (sample, payload) = fixtures.samples.of(call)?;
                    store.put(spread(call, entries), sample, payload)
                })
            })
        },
    },
    Workload {
        name: "put_new",
        what: "1 KiB struct beside 200 k random keys, in a transaction of its own",
        bars: &[Bar::OfFloor(1.25)],
        run: |workload, fixtures, report| {
            all(workload, fixtures, report, |store, _| {
                each(move |call| {
                    let (sample, payload) = fixtures.samples.of(call)?;
                    store.put(NEW + call, sample, payload)
                })
            })
        },
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
const NEW: u64 = 1 << 32;
const NEW_OF_EIGHT: u64 = 2 << 32;

/// Ours, the floor and the peers, each doing the same with its store and the number of its entries.
fn all<'f>(
    workload: &Workload,
    fixtures: &'f Fixtures,
    report: &mut Report,
    with: impl Fn(&'f dyn Store, u64) -> Stretch<'f>,
) -> Result {
    let disk = fixtures.disk()?;
    let mut race =
        Race::new(Pace::MICROS).ours(with(&disk.ours, ENTRIES)).floor("rusqlite", with(&disk.floor, ENTRIES));
    for peer in fixtures.peers()? {
        race = match &peer.store {
            Ok(store) => race.slow_subject(peer.name, store.slower(), with(&**store, store.entries(ENTRIES))),
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
