//! The workloads, in the order in which they run: first those that only read what others change.

mod blob;
mod bulk;
mod disk;
mod face;
mod memory;

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
    [memory::ALL, disk::ALL, bulk::ALL, blob::ALL, face::ALL].into_iter().flatten()
}
