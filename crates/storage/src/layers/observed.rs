//! What the outside sees of every call of a backend: how long it took, and how it failed.
//!
//! | what | name | labels or fields |
//! |---|---|---|
//! | histogram, in seconds | `cacheness_backend_seconds` | `backend`, `operation` |
//! | counter | `cacheness_backend_errors_total` | `backend`, `operation`, `kind` |
//! | span, at `DEBUG` | `cacheness_backend` | `backend`, `operation` |
//!
//! `backend` is the name that it is registered under; the operations of blobs begin with `blob_`. No key and no value is
//! among them.

use super::around::{Around, Call, Operation, Policy};
use crate::{BlobBackend, MetadataBackend};
use cacheness_core::{Error, Result};
use std::fmt::{self, Display};
use std::sync::Arc;

/// The index, observed.
pub(crate) fn metadata(inner: Arc<dyn MetadataBackend>) -> Arc<dyn MetadataBackend> {
    let name = Arc::from(&*inner.info().name);
    Arc::new(Around::new(inner, Observed(name)))
}

/// The blobs, observed.
pub(crate) fn blobs(inner: Arc<dyn BlobBackend>) -> Arc<dyn BlobBackend> {
    let name = Arc::from(&*inner.info().name);
    Arc::new(Around::new(inner, Observed(name)))
}

/// Sees the calls of the backend of this name.
struct Observed(Arc<str>);

impl Policy for Observed {
    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        inner.fmt(f)
    }

    async fn once<B, A, R>(&self, inner: &Arc<B>, operation: Operation, arguments: A, call: Call<B, A, R>) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let call = call(inner.clone(), arguments);
        #[cfg(feature = "tracing")]
        let call = {
            let span = tracing::debug_span!("cacheness_backend", backend = &*self.0, operation = operation.method);
            tracing::Instrument::instrument(call, span)
        };
        #[cfg(feature = "metrics")]
        let began = std::time::Instant::now();
        let done = call.await;
        #[cfg(feature = "metrics")]
        metrics::histogram!("cacheness_backend_seconds", "backend" => self.0.clone(), "operation" => operation.method)
            .record(began.elapsed());
        if let Err(error) = &done {
            self.failed(operation.method, error);
        }
        done
    }
}

impl Observed {
    #[cold]
    fn failed(&self, operation: &'static str, error: &Error) {
        let kind = error.kind();
        #[cfg(feature = "metrics")]
        {
            let (backend, kind) = (self.0.clone(), format!("{kind:?}"));
            metrics::counter!(
                "cacheness_backend_errors_total", "backend" => backend, "operation" => operation, "kind" => kind
            )
            .increment(1);
        }
        #[cfg(feature = "tracing")]
        tracing::debug!(backend = &*self.0, operation, ?kind, %error, "a call of a backend failed");
    }
}
