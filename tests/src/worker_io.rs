//! What a process has read, written and opened, as Linux counts it.

use std::fmt;

/// Counters of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Io {
    counts: Vec<(String, u64)>,
    descriptors: u64,
    /// Calls that read. Reading the counters takes a few.
    pub reads: u64,
}

/// Reads the counters.
///
/// # Panics
///
/// When this is no Linux.
pub fn read() -> Io {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let counts: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    let reads = counts.iter().find(|(name, _)| *name == "syscr").unwrap().1.parse().unwrap();
    let counts = counts.into_iter().filter(|(name, _)| ["wchar", "syscw", "write_bytes"].contains(name));
    let counts = counts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect();
    Io { counts, descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count() as u64, reads }
}

impl Io {
    /// What was counted since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let counts = self.counts.iter().zip(&before.counts).map(|((name, now), (_, then))| (name.clone(), now - then));
        Self {
            counts: counts.collect(),
            descriptors: self.descriptors.abs_diff(before.descriptors),
            reads: self.reads - before.reads,
        }
    }
}

impl fmt::Display for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.iter().try_for_each(|(name, count)| write!(f, "{name}={count} "))?;
        write!(f, "descriptors={}", self.descriptors)
    }
}
