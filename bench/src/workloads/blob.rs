//! Values of 64 KiB, which rest in files of their own.

use super::{Bar, Workload};
use crate::Result;
use crate::blob::Blobs;
use crate::fixtures::{Fixtures, settle};
use crate::floors::files::Files;
use crate::peers::{self, Peer};
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::store::{Action, Manner, Store, one_by_one};
use crate::value::Value;
use bytes::Bytes;
use cacheness::sync::Cache;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "blob_64k_put",
        what: "64 KiB of random bytes under a new key",
        bars: &[Bar::OfFloor(1.3)],
        run: |workload, fixtures, report| beside_files(workload, fixtures, report, Action::PutNew),
    },
    Workload {
        name: "blob_64k_get",
        what: "64 KiB of random bytes, verified",
        bars: &[Bar::OfFloor(1.3)],
        run: |workload, fixtures, report| beside_files(workload, fixtures, report, Action::Get),
    },
    Workload {
        name: "overwrite_64k",
        what: "64 KiB of random bytes over others, beside a first put by ours",
        bars: &[Bar::OfFloor(1.1)],
        run: overwrite,
    },
];

const PACE: Pace = Pace { rounds: 40, calls: 50, batch: 1 };

/// What takes part.
struct Blobbed {
    ours: Cache,
    files: Files,
    peers: Vec<Peer<Bytes>>,
    blobs: Blobs,
}

/// All of them, with blobs where those are read or replaced.
fn open(workload: &Workload, fixtures: &Fixtures, action: Action) -> Result<Blobbed> {
    let place = fixtures.path(workload.name);
    let ours = Cache::builder().dir(place.join("ours")).no_memory().open()?;
    let files = Files::open(place.join("files"))?;
    let (mut peers, blobs) = (peers::on_disk(&place), Blobs::new());
    if action != Action::PutNew {
        Store::<Bytes>::fill(&ours, 0..Bytes::ENTRIES, blobs.clone())?;
        Store::fill(&files, 0..Bytes::ENTRIES, blobs.clone())?;
        peers = peers.into_iter().map(|peer| peer.filled(&blobs)).collect();
        settle();
    }
    Ok(Blobbed { ours, files, peers, blobs })
}

impl Blobbed {
    /// Has the peers do the same as the others.
    fn run<'s>(&'s self, mut race: Race<'s>, action: Action, workload: &Workload, report: &mut Report) -> Result {
        for peer in &self.peers {
            race = peer.join(race, action, Manner::OneByOne, &self.blobs);
        }
        race.run(workload, report)
    }
}

fn beside_files(workload: &Workload, fixtures: &Fixtures, report: &mut Report, action: Action) -> Result {
    let all = open(workload, fixtures, action)?;
    let race = Race::new(PACE)
        .ours(one_by_one::<Bytes>(&all.ours, action, all.blobs.clone()))
        .floor("files and rusqlite", one_by_one(&all.files, action, all.blobs.clone()));
    all.run(race, action, workload, report)
}

fn overwrite(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let all = open(workload, fixtures, Action::PutOver)?;
    let race = Race::new(PACE)
        .ours(one_by_one::<Bytes>(&all.ours, Action::PutOver, all.blobs.clone()))
        .floor("first put by ours", one_by_one::<Bytes>(&all.ours, Action::PutNew, all.blobs.clone()))
        .subject("files and rusqlite", one_by_one(&all.files, Action::PutOver, all.blobs.clone()));
    all.run(race, Action::PutOver, workload, report)
}
