//! What a builder was told becomes an open cache.

use crate::background::Background;
use crate::compute::Flights;
use crate::core::{Core, OnInvalid, Shared};
use crate::counters::Counters;
use crate::degraded::{OnBackendError, Sickness};
use crate::health::Checks;
use crate::lease::{LEASE, Leases, check_lease};
use crate::limits::{LimitOptions, Limits};
use crate::memory::{MemoryConfig, MemoryLayer};
use crate::options::{StoreParameters, check_ttl};
use crate::owed::Owed;
use crate::tags::Tags;
use crate::uses::Uses;
use cacheness_core::size::Size;
use cacheness_core::{Driver, Error, ErrorKind, Result};
use cacheness_storage::opening::{Checked, Opening, Problems};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What only a cache is made of, as its builder was told.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) on_invalid: OnInvalid,
    pub(crate) on_backend_error: OnBackendError,
    pub(crate) limits: LimitOptions,
    pub(crate) max_size: Option<Result<Size>>,
    pub(crate) memory: Option<MemoryConfig>,
    pub(crate) parameters: StoreParameters,
    pub(crate) cleanup: Cleanup,
    pub(crate) lease: Option<Duration>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            default_ttl: None,
            on_invalid: OnInvalid::default(),
            on_backend_error: OnBackendError::default(),
            limits: LimitOptions::default(),
            max_size: None,
            memory: Some(MemoryConfig::default()),
            parameters: StoreParameters::default(),
            cleanup: Cleanup::default(),
            lease: Some(LEASE),
        }
    }
}

impl Own {
    /// Keeps everything that is wrong, and the limit of size that was given in words.
    fn check(&mut self, problems: &mut Problems) {
        problems.sift(self.default_ttl.map(check_ttl).transpose());
        if let Some(Size(bytes)) = problems.sift(self.max_size.take().transpose()).flatten() {
            self.limits.max_bytes = Some(bytes);
        }
        self.limits.check(problems);
        problems.sift(self.memory.as_ref().map(MemoryConfig::check).transpose());
        problems.sift(self.cleanup.check());
        problems.sift(self.lease.map(check_lease).transpose());
    }
}

/// When expired entries are removed without anybody asking each time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cleanup {
    pub(crate) on_open: bool,
    pub(crate) every: Option<Duration>,
}

impl Cleanup {
    fn check(&self) -> Result<()> {
        if self.every.is_some_and(|interval| interval.is_zero()) {
            return Err(Error::new(ErrorKind::Config, "a cleanup every 0 seconds would do nothing else")
                .advice("say how often, such as every hour"));
        }
        Ok(())
    }
}

/// What is left to do is opening.
pub(crate) struct Plan {
    checked: Checked,
    own: Own,
}

impl Plan {
    /// Checks everything that can be checked without opening anything.
    pub(crate) fn of(mut opening: Opening, mut own: Own) -> Result<Self> {
        let mut problems = Problems::default();
        own.check(&mut problems);
        opening.options.max_stored_size = own.limits.max_bytes;
        let (checked, own) = opening.check(problems, own)?;
        Ok(Self { checked, own })
    }

    /// What drives the opening.
    pub(crate) fn driver(&self) -> Driver {
        self.checked.driver()
    }

    /// Opens it.
    pub(crate) async fn open(self) -> Result<Arc<Core>> {
        let Self { checked, own } = self;
        let Own { default_ttl, on_invalid, on_backend_error, limits, memory, parameters, cleanup, lease, .. } = own;
        let (read_only, rng) = (checked.is_read_only(), checked.rng());
        let engine = checked.open().await?;
        let coherence = engine.metadata().coherence();
        let uses = Arc::new(Uses::new(engine.clock().now(), &*rng)?);
        let noting = (!read_only).then(|| uses.clone());
        let memory = memory.map(|config| MemoryLayer::new(&config, coherence.clone(), &*rng, noting)).transpose()?;
        let shared = Shared {
            default_ttl,
            on_invalid,
            on_backend_error,
            sickness: Sickness::default(),
            owed: Owed::default(),
            checks: Checks::default(),
            read_only,
            counters: Counters::default(),
            totals: Mutex::default(),
            flights: Flights::default(),
            leases: Leases::new(lease, engine.metadata(), &*rng)?,
            memory,
            chance: rng,
            tags: Tags::new(&coherence),
            uses,
            limits: Limits::new(limits),
            background: Background::default(),
            parameters,
            engine,
        };
        let core = Core { shared: Arc::new(shared), namespace: None };
        if cleanup.on_open && !read_only {
            core.cleanup_expired().await?;
        }
        if let Some(interval) = cleanup.every.filter(|_| !read_only) {
            core.clean_up_every(interval);
        }
        Ok(Arc::new(core))
    }
}
