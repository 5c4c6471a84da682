//! Asking how the backends are.

use crate::health::{HealthCheck, WITHIN};
use crate::{Health, future, sync};
use cacheness_core::Result;
use std::time::Duration;

impl<B> sync::Cache<B> {
    /// How the backends are, within a second: a backend that did not answer by then is down. For readiness probes; it
    /// needs no thread that may be waiting for a backend, and asks no backend that hangs a second time.
    ///
    /// ```
    /// use cacheness_cache::{Bare, sync::Cache};
    ///
    /// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
    /// let health = cache.health()?;
    /// assert!(health.is_up(), "{health}");
    /// # Ok::<(), cacheness_cache::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed), and [`AsyncContext`](crate::ErrorKind::AsyncContext) for a remote backend
    /// inside async code. A backend that is down is no error.
    pub fn health(&self) -> Result<Health> {
        self.health_within(WITHIN)
    }

    /// As [`health`](Self::health), with another deadline.
    ///
    /// # Errors
    ///
    /// As `health`.
    pub fn health_within(&self, deadline: Duration) -> Result<Health> {
        self.core().driver().run(HealthCheck::new(self.core(), deadline)).map_err(|error| error.operation("health"))
    }
}

impl<B> future::Cache<B> {
    /// How the backends are, within a second: a backend that did not answer by then is down. For readiness probes; it
    /// needs no thread that may be waiting for a backend, and asks no backend that hangs a second time.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed). A backend that is down is no error.
    pub fn health(&self) -> HealthCheck {
        self.health_within(WITHIN)
    }

    /// As [`health`](Self::health), with another deadline.
    ///
    /// # Errors
    ///
    /// As `health`.
    pub fn health_within(&self, deadline: Duration) -> HealthCheck {
        HealthCheck::new(self.core(), deadline)
    }
}
