//! Both contracts, check by check.

use acme_redb::{RedbBlobs, RedbConfig, RedbMetadata};

mod metadata {
    use super::*;
    use cacheness_testkit::{MetadataSubject, metadata_suite};

    fn subject() -> MetadataSubject {
        MetadataSubject::in_directory(async |directory, context| {
            RedbMetadata::open(directory.join("store.redb"), &context, RedbConfig::default())
        })
    }

    metadata_suite!(subject());
}

mod blobs {
    use super::*;
    use cacheness_testkit::{BlobSubject, blob_suite};

    fn subject() -> BlobSubject {
        BlobSubject::in_directory(async |directory, context| {
            RedbBlobs::open(directory.join("store.redb"), &context, RedbConfig::default())
        })
    }

    blob_suite!(subject());
}
