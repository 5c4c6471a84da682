//! The blob contract, over keys in folders, keys without, and blobs that are read by way of files.

use crate::common;

use cacheness_backend_s3::{S3Blobs, S3Config};
use cacheness_testkit::BlobSubject;
use std::sync::Arc;

fn subject(change: impl Fn(&mut S3Config) + Send + Sync + 'static) -> BlobSubject {
    let prefix = common::prefix();
    BlobSubject::new(move |context| {
        let mut config = common::server().config(&prefix);
        change(&mut config);
        async move {
            common::bucket().await;
            S3Blobs::open(config, &context.runtime(Arc::new(common::OnTokio))).await
        }
    })
    .runner(|task| common::run(task))
}

mod in_folders {
    cacheness_testkit::blob_suite!(super::subject(|_| {}));
}

mod in_one_folder {
    cacheness_testkit::blob_suite!(super::subject(|config| config.shard_chars = 0));
}

mod by_way_of_files {
    cacheness_testkit::blob_suite!(super::subject(|config| {
        config.part_size = 5 << 20;
        config.multipart_threshold = 5 << 20;
        config.memory_limit = 64 << 10;
        config.staging = Some(std::env::temp_dir());
    }));
}
