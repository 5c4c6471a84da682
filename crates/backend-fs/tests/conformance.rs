//! The blob contract, over blobs in subdirectories and blobs in one directory.

use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_testkit::BlobSubject;

fn subject(shard_chars: u8) -> BlobSubject {
    BlobSubject::in_directory(move |path, context| async move {
        FsBlobs::open(path, &context, FsConfig::new().shard_chars(shard_chars))
    })
}

mod in_shards {
    cacheness_testkit::blob_suite!(super::subject(2));
}

mod in_one_directory {
    cacheness_testkit::blob_suite!(super::subject(0));
}
