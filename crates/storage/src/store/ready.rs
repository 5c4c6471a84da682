//! What a builder takes for a backend: one of a known type, or what a registry opened.

use crate::{BlobBackend, MetadataBackend};
use std::sync::Arc;

/// An index that is ready: any [`MetadataBackend`], or what
/// [`BackendRegistry::open_metadata`](crate::BackendRegistry::open_metadata) gave.
pub trait IntoMetadataBackend {
    /// The index, shared.
    fn into_metadata_backend(self) -> Arc<dyn MetadataBackend>;
}

/// Blobs that are ready: any [`BlobBackend`], or what
/// [`BackendRegistry::open_blobs`](crate::BackendRegistry::open_blobs) gave.
pub trait IntoBlobBackend {
    /// The blobs, shared.
    fn into_blob_backend(self) -> Arc<dyn BlobBackend>;
}

impl<B: MetadataBackend> IntoMetadataBackend for B {
    fn into_metadata_backend(self) -> Arc<dyn MetadataBackend> {
        Arc::new(self)
    }
}

impl IntoMetadataBackend for Arc<dyn MetadataBackend> {
    fn into_metadata_backend(self) -> Self {
        self
    }
}

impl<B: BlobBackend> IntoBlobBackend for B {
    fn into_blob_backend(self) -> Arc<dyn BlobBackend> {
        Arc::new(self)
    }
}

impl IntoBlobBackend for Arc<dyn BlobBackend> {
    fn into_blob_backend(self) -> Self {
        self
    }
}
