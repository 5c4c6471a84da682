//! `Failover`: blobs in several places, in an order.

mod backend;
mod merge;
mod repair;

use super::circuit::is_failure;
use super::counter::Counter;
use super::hop;
use super::layer::{BlobLayer, LayerContext};
use super::surroundings::Surroundings;
use crate::{BackendRegistry, BlobBackend, IntoBlobBackend, OpenContext};
use async_trait::async_trait;
use backend::{FailoverBlobs, Member};
use cacheness_core::{BackendUrl, Error, ErrorKind, Result};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps blobs in several backends: the one it is put around, which is the first, and others behind it, in their order.
///
/// **A put** goes to the first, and then to all others. When the first cannot be reached, the next one takes its place,
/// unless [`take_over`](Self::take_over) is off; but none that fewer can see than the first. A copy that could not be made is
/// counted, and fails the put only with [`require_all`](Self::require_all), which then takes the blob away again.
///
/// **A read** asks one after the other until one has the blob. What is found late is copied to those before that had
/// nothing, best effort, unless [`repair`](Self::repair) is off. When nobody has it but somebody could not be asked, that is
/// an error: an answer of *none* would make the entry a lost one.
///
/// **A delete** goes to all, the last first. When one cannot be reached, it is deleted from the others, and that is an error:
/// the index remembers the blob as condemned, and the sweep deletes it again until all have done so. What is left in between
/// is bytes without a record; since no name is used twice, nothing old can come back as a value.
///
/// **A listing** needs all of them. Each name is told once. A sweep begins with one: while one of them is down it is an error
/// that names it, and once it is back a sweep takes everything that is left anywhere.
///
/// ```
/// use cacheness_storage::layers::Failover;
/// use cacheness_storage::memory::MemoryBlobs;
/// use cacheness_storage::OpenContext;
///
/// let context = OpenContext::new();
/// let failover = Failover::to(MemoryBlobs::new(&context));
/// let blobs = cacheness_storage::block_on(failover.around_blobs(MemoryBlobs::new(&context), &context))?;
/// assert_eq!(blobs.to_string(), "Failover(memory:, memory:)");
/// assert_eq!(failover.stats().repairs, 0);
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
#[derive(Clone)]
pub struct Failover {
    others: Vec<Place>,
    options: Options,
    counters: Arc<Counters>,
    members: Arc<Mutex<Vec<Arc<Member>>>>,
}

#[derive(Clone)]
enum Place {
    Url(String),
    Ready(Arc<dyn BlobBackend>),
}

#[derive(Debug, Clone, Copy)]
struct Options {
    take_over: bool,
    require_all: bool,
    repair: bool,
    verify_writes: bool,
}

#[derive(Debug, Default)]
struct Counters {
    writes_taken_over: Counter,
    reads_taken_over: Counter,
    copies: Counter,
    copies_failed: Counter,
    repairs: Counter,
    repairs_failed: Counter,
    unverified: Counter,
}

/// What a [`Failover`] did so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FailoverStats {
    /// Puts that another than the first took, because the first could not be reached.
    pub writes_taken_over: u64,
    /// Reads that another than the first answered.
    pub reads_taken_over: u64,
    /// Copies of blobs that puts made behind the first.
    pub copies: u64,
    /// Copies that could not be made.
    pub copies_failed: u64,
    /// Copies that reads made of what was missing.
    pub repairs: u64,
    /// Repairs that failed.
    pub repairs_failed: u64,
    /// Blobs that were not there, or not whole, right after they were put.
    pub unverified: u64,
    /// Its backends, in their order.
    pub members: Vec<MemberStats>,
}

/// One of the backends of a [`Failover`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberStats {
    /// As it prints itself.
    pub backend: String,
    /// Calls that failed because it was sick.
    pub failures: u64,
    /// Whether its last call did not fail so.
    pub healthy: bool,
}

impl Failover {
    /// With one backend behind the first, ready.
    pub fn to(backend: impl IntoBlobBackend) -> Self {
        Self::new().and(backend)
    }

    /// With one backend behind the first, by URL: for a builder, which opens it.
    pub fn to_url(url: impl Into<String>) -> Self {
        Self::new().and_url(url)
    }

    fn new() -> Self {
        let options = Options { take_over: true, require_all: false, repair: true, verify_writes: false };
        Self { others: Vec::new(), options, counters: Arc::default(), members: Arc::default() }
    }

    /// One more behind the others, ready.
    #[must_use]
    pub fn and(mut self, backend: impl IntoBlobBackend) -> Self {
        self.others.push(Place::Ready(backend.into_blob_backend()));
        self
    }

    /// One more behind the others, by URL.
    #[must_use]
    pub fn and_url(mut self, url: impl Into<String>) -> Self {
        self.others.push(Place::Url(url.into()));
        self
    }

    /// Whether a put goes to the next when the first cannot be reached. It does unless set.
    #[must_use]
    pub fn take_over(mut self, take_over: bool) -> Self {
        self.options.take_over = take_over;
        self
    }

    /// Whether a put fails when not all have the blob. It does not unless set.
    #[must_use]
    pub fn require_all(mut self, require_all: bool) -> Self {
        self.options.require_all = require_all;
        self
    }

    /// Whether what is found late is copied to those before. It is unless set.
    #[must_use]
    pub fn repair(mut self, repair: bool) -> Self {
        self.options.repair = repair;
        self
    }

    /// Whether each put looks whether the blob is there now, and whole. It does not unless set.
    #[must_use]
    pub fn verify_writes(mut self, verify: bool) -> Self {
        self.options.verify_writes = verify;
        self
    }

    /// What it and its clones did so far; the members are those of the last backend it was put around.
    pub fn stats(&self) -> FailoverStats {
        let counters = &*self.counters;
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        FailoverStats {
            writes_taken_over: counters.writes_taken_over.get(),
            reads_taken_over: counters.reads_taken_over.get(),
            copies: counters.copies.get(),
            copies_failed: counters.copies_failed.get(),
            repairs: counters.repairs.get(),
            repairs_failed: counters.repairs_failed.get(),
            unverified: counters.unverified.get(),
            members: members.iter().map(|member| member.stats()).collect(),
        }
    }

    /// Puts it around the first of the backends; the others must be [ready](Self::to).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a backend that only a URL names.
    pub async fn around_blobs(
        &self,
        backend: impl IntoBlobBackend,
        context: &OpenContext,
    ) -> Result<Arc<dyn BlobBackend>> {
        let mut backends = vec![backend.into_blob_backend()];
        for place in &self.others {
            match place {
                Place::Ready(backend) => backends.push(backend.clone()),
                Place::Url(url) => {
                    let url: BackendUrl = url.parse()?;
                    return Err(Error::new(ErrorKind::Config, format!("nobody opened {url}"))
                        .advice("give the layer to a builder, or backends that are ready"));
                }
            }
        }
        Ok(self.around(backends, context))
    }

    fn around(&self, mut backends: Vec<Arc<dyn BlobBackend>>, context: &OpenContext) -> Arc<dyn BlobBackend> {
        let blocking = hop::if_mixed(&mut backends, &context.runtime);
        let members: Vec<_> = backends.into_iter().map(Member::new).map(Arc::new).collect();
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = members.clone();
        let mut options = self.options;
        options.repair &= !context.read_only;
        Arc::new(FailoverBlobs {
            members,
            options,
            durability: context.durability,
            surroundings: Surroundings::new(context, blocking),
            counters: self.counters.clone(),
            repairing: Mutex::default(),
        })
    }
}

#[async_trait]
impl BlobLayer for Failover {
    fn check(&self, backends: &BackendRegistry) -> Result<()> {
        self.others.iter().try_for_each(|place| match place {
            Place::Url(url) => backends.check_blobs(&url.parse()?),
            Place::Ready(_) => Ok(()),
        })
    }

    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>> {
        let mut backends = vec![backend];
        for place in &self.others {
            backends.push(match place {
                Place::Ready(backend) => backend.clone(),
                Place::Url(url) => context.backends.open_blobs(&url.parse()?, &context.open).await?,
            });
        }
        Ok(self.around(backends, &context.open))
    }
}

impl fmt::Debug for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.iter().map(|place| match place {
            Place::Url(url) => url.parse::<BackendUrl>().map_or_else(|_| "a URL".into(), |url| url.to_string()),
            Place::Ready(backend) => backend.to_string(),
        });
        let others: Vec<_> = others.collect();
        f.debug_struct("Failover").field("others", &others).field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether an error says that another backend should be asked: this one is sick, full, or closed to us.
fn is_sick(kind: ErrorKind) -> bool {
    is_failure(kind) || matches!(kind, ErrorKind::CircuitOpen | ErrorKind::OutOfSpace | ErrorKind::Permission)
}
