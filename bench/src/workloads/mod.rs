//! The workloads, in the order in which they run: first those that only read what others change.

mod array;
mod batch;
mod blob;
mod disk;
mod face;
mod handlers;
mod memory;
mod million;
#[cfg(feature = "remote")]
mod postgres;
mod room;
#[cfg(feature = "remote")]
mod s3;
mod stampede;
mod zipf;

pub(crate) use memory::warm;
pub(crate) use million::use_of_them as use_of_a_million;
pub(crate) use room::there_and_back as gigabyte_there_and_back;

use crate::Result;
use crate::fixtures::Fixtures;
use crate::report::Report;

/// One thing that is measured.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) bars: &'static [Bar],
    pub(crate) run: fn(&Self, &Fixtures, &mut Report) -> Result,
}

/// How fast ours has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// At most so many times the time of the floor.
    OfFloor(f64),
    /// At least so many times the rate of the floor.
    RateOfFloor(f64),
    /// At least so many times faster than a peer.
    FasterThan(&'static str, f64),
}

/// All workloads, by what they are about.
pub(crate) fn all() -> impl Iterator<Item = &'static Workload> {
    let small = [memory::ALL, disk::ALL, batch::ALL, blob::ALL, face::ALL];
    let large = [handlers::ALL, array::ALL, stampede::ALL, zipf::ALL, room::ALL, million::ALL];
    small.into_iter().chain(large).chain(REMOTE.iter().copied()).flatten()
}

/// Those that talk to servers.
#[cfg(feature = "remote")]
const REMOTE: &[&[Workload]] = &[postgres::ALL, s3::ALL];
#[cfg(not(feature = "remote"))]
const REMOTE: &[&[Workload]] = &[];
