//! What a builder takes for a layer.

use crate::{BackendRegistry, BlobBackend, MetadataBackend, OpenContext};
use async_trait::async_trait;
use cacheness_core::Result;
use std::fmt::Debug;
use std::sync::Arc;

/// What a layer is put around a backend with, when a builder opens it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerContext {
    /// Clock, chance, runtime, durability, and whether nothing may be changed: as for the backends.
    pub open: OpenContext,
    /// The backends that the URLs of a layer's own backends can name.
    pub backends: BackendRegistry,
}

impl LayerContext {
    /// The context of an opening.
    pub fn new(open: OpenContext, backends: BackendRegistry) -> Self {
        Self { open, backends }
    }
}

/// A layer for an index.
#[async_trait]
pub trait MetadataLayer: Debug + Send + Sync + 'static {
    /// Puts it around an index.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for options that make no sense.
    async fn wrap_metadata(
        &self,
        backend: Arc<dyn MetadataBackend>,
        context: &LayerContext,
    ) -> Result<Arc<dyn MetadataBackend>>;
}

/// A layer for blobs.
#[async_trait]
pub trait BlobLayer: Debug + Send + Sync + 'static {
    /// Checks what can be checked without opening anything, so that it is told together with everything else that is wrong.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) for options that make no sense, and what looking at the URLs of its backends
    /// returns.
    fn check(&self, backends: &BackendRegistry) -> Result<()>;

    /// Puts it around blobs.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and what opening its backends returns.
    async fn wrap_blobs(&self, backend: Arc<dyn BlobBackend>, context: &LayerContext) -> Result<Arc<dyn BlobBackend>>;
}
