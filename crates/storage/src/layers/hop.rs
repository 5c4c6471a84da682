//! A blocking backend beside one that does not block: each of its calls hops to the bounded pool, so that nobody holds a
//! thread of it while he waits for the network.

use super::around::{Around, Call, Operation, Policy};
use crate::{BackendInfo, BlobBackend, MetadataBackend};
use cacheness_core::Result;
use cacheness_core::face::off_executor;
use cacheness_core::runtime::{Runtime, block_on};
use std::fmt::{self, Display};
use std::sync::Arc;

/// The index, not blocking.
pub(crate) fn metadata(inner: Arc<dyn MetadataBackend>, runtime: &Arc<dyn Runtime>) -> Arc<dyn MetadataBackend> {
    Arc::new(Around::new(inner, Hop(runtime.clone())))
}

/// The blobs, not blocking.
pub(crate) fn blobs(inner: Arc<dyn BlobBackend>, runtime: &Arc<dyn Runtime>) -> Arc<dyn BlobBackend> {
    Arc::new(Around::new(inner, Hop(runtime.clone())))
}

/// Lets those of some blob backends hop that block, unless all do; says whether all do.
pub(super) fn if_mixed(backends: &mut [Arc<dyn BlobBackend>], runtime: &Arc<dyn Runtime>) -> bool {
    let blocking = backends.iter().all(|backend| backend.info().blocking);
    for backend in backends.iter_mut().filter(|backend| !blocking && backend.info().blocking) {
        *backend = blobs(backend.clone(), runtime);
    }
    blocking
}

struct Hop(Arc<dyn Runtime>);

impl Policy for Hop {
    fn describe(&self, inner: BackendInfo) -> BackendInfo {
        BackendInfo { blocking: false, ..inner }
    }

    fn show(&self, inner: &dyn Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(inner, f)
    }

    async fn once<B, A, R>(&self, inner: &Arc<B>, _: Operation, arguments: A, call: Call<B, A, R>) -> Result<R>
    where
        B: ?Sized + Display + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let inner = inner.clone();
        off_executor(&*self.0, move || block_on(call(inner, arguments))).await
    }
}
