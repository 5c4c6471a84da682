//! Sudden death: a store is killed at any moment, again and again, and nothing that was acknowledged is lost, nothing
//! is torn, and nothing is left behind. For any pair of backends that outlives its process. Unix only.
//!
//! [`run`] starts the test that calls it once more, as a process that works on a store and tells each step before and
//! after, and ends it with `SIGKILL`: after so many lines, after some time, while the store is opened for the first time,
//! or exactly at a point inside the write protocol. Then it opens the store itself and checks that
//!
//! - opening succeeds, whatever was under way;
//! - every key holds what the last acknowledged operation gave it, or one that was under way when its process died;
//! - every read of the processes found a value that could be there just then;
//! - every value is whole, and the totals that the index keeps are right;
//! - after a sweep exactly the blobs are left that entries name, no staging file, and of condemned blobs only the names of
//!   those that no entry ever named.
//!
//! It goes on with the same store, so that what crashes leave piles up; now and then it begins a new one.
//!
//! `kill -9` takes the process, not the machine: what was written to a file is there, synced or not. Loss of power is
//! another matter.
//!
//! ```no_run
//! use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
//! use cacheness_testkit::crash::{self, Pair, Plan};
//!
//! #[test]
//! # fn none() {}
//! fn killed_at_any_moment_it_loses_nothing() -> Result<(), cacheness_testkit::Error> {
//!     crash::run("killed_at_any_moment_it_loses_nothing", Plan::default().kills(200), async |directory, context| {
//!         // Yours, opened at this directory. These two end with their process and are refused.
//! #       drop::<std::path::PathBuf>(directory);
//!         Ok(Pair::new(MemoryMetadata::new(&context), MemoryBlobs::new(&context)))
//!     })
//! }
//! # killed_at_any_moment_it_loses_nothing()?;
//! # Ok::<(), cacheness_testkit::Error>(())
//! ```

mod check;
mod content;
mod crew;
mod history;
mod kill;
mod operation;
mod orders;
mod place;
mod round;
mod worker;

use cacheness_core::{Error, ErrorKind, Result, Runtime, ThreadPool};
use cacheness_storage::{BlobBackend, IntoBlobBackend, IntoMetadataBackend, MetadataBackend, OpenContext};
use orders::Orders;
use place::Place;
use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The environment variable with a number of kills that takes the place of the plan's.
pub const KILLS: &str = "CACHENESS_CRASH_KILLS";

/// The environment variable with a seed that takes the place of the plan's.
pub const SEED: &str = "CACHENESS_CRASH_SEED";

/// The two backends of a store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pair {
    /// The index.
    pub metadata: Arc<dyn MetadataBackend>,
    /// The bytes.
    pub blobs: Arc<dyn BlobBackend>,
}

impl Pair {
    /// Two backends, each of a known type or as a registry opened it.
    pub fn new(metadata: impl IntoMetadataBackend, blobs: impl IntoBlobBackend) -> Self {
        Self { metadata: metadata.into_metadata_backend(), blobs: blobs.into_blob_backend() }
    }
}

/// How often a store is killed, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    kills: u64,
    seed: u64,
    is_alone: bool,
    directory: Option<PathBuf>,
    runtime: Arc<dyn Runtime>,
    settling: Settling,
    lateness: Duration,
}

/// Waits until the dead are forgotten.
#[derive(Clone)]
struct Settling(Arc<dyn Fn(&Path) + Send + Sync>);

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settling")
    }
}

impl Default for Plan {
    /// 100 kills, the seed 1, sometimes two processes on one store.
    fn default() -> Self {
        let settling = Settling(Arc::new(|_| {}));
        Self {
            kills: 100,
            seed: 1,
            is_alone: false,
            directory: None,
            runtime: Arc::new(ThreadPool::global()),
            settling,
            lateness: Duration::ZERO,
        }
    }
}

impl Plan {
    /// So many kills, unless [`KILLS`] is set. From 150 on each point of the protocol is met at its first, second and fifth
    /// passing.
    #[must_use]
    pub fn kills(mut self, kills: u64) -> Self {
        self.kills = kills;
        self
    }

    /// Other operations and other moments, unless [`SEED`] is set. The same seed does the same, but where exactly a kill
    /// meets a process is up to the machine.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Never two processes on one store: for backends that only one process may open at a time.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// The stores lie below this directory, which exists. Unless it is set they lie in memory where there is `/dev/shm`,
    /// otherwise below the directory for temporary files.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Where the store's work runs: for backends that need a reactor.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = runtime;
        self
    }

    /// Waits, by the store's directory, until nothing is under way any more that a killed process asked for: a server may go on
    /// with that for a moment. Without it the store is looked at right after the kill.
    #[must_use]
    pub fn settling(mut self, wait: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        self.settling = Settling(Arc::new(wait));
        self
    }

    /// What a killed process sent may be carried out so long after, at most: a sweep that leaves something is repeated until
    /// then. Without it the first must take everything.
    #[must_use]
    pub fn lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// What the environment says goes first.
    fn told_by_environment(mut self) -> Result<Self> {
        for (name, number) in [(KILLS, &mut self.kills), (SEED, &mut self.seed)] {
            if let Some(text) = env::var_os(name) {
                let given = text.to_str().and_then(|text| text.parse().ok());
                let message = || Error::new(ErrorKind::Config, format!("{name} is {text:?} and no number"));
                *number = given.ok_or_else(message)?;
            }
        }
        Ok(self)
    }
}

/// Kills processes that work on a store which `open` opens at the directory that it is given, and checks the store after
/// each. `test` is the name of the test that calls this, as `cargo test -- --list` shows it, with its modules; nothing
/// may happen in the test before. The calling process ends here when it is one of those that are to be killed.
///
/// # Errors
///
/// [`ErrorKind::Corrupt`] when something is lost, torn or left: the message says the seed, the round, what was expected
/// and what was found, and where the store and what the processes told are kept. [`ErrorKind::Config`] for backends that end
/// with their process and for the name of no test.
pub fn run<F>(test: &str, plan: Plan, open: impl Fn(PathBuf, OpenContext) -> F) -> Result<()>
where
    F: Future<Output = Result<Pair>>,
{
    let plan = plan.told_by_environment()?;
    match Orders::given()? {
        Some((orders, directory)) => worker::work(&Place::new(directory, &plan.runtime, &open), &orders),
        None => round::survive(test, &plan, &open),
    }
}
