//! What is counted of requests and bytes.

use crate::common::{self, blob, noise, put, read, server};
use crate::relay::{Act, Relay, refusal};
use cacheness_backend_s3::{S3Blobs, S3Usage};
use cacheness_storage::{BlobBackend, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a piece of work used.
async fn used(store: &S3Blobs, work: impl AsyncFnOnce()) -> S3Usage {
    let before = store.usage();
    work().await;
    let after = store.usage();
    let mut used = S3Usage::default();
    used.puts = after.puts - before.puts;
    used.gets = after.gets - before.gets;
    used.heads = after.heads - before.heads;
    used.lists = after.lists - before.lists;
    used.deletes = after.deletes - before.deletes;
    used.bytes_up = after.bytes_up - before.bytes_up;
    used.bytes_down = after.bytes_down - before.bytes_down;
    used
}

fn usage(puts: u64, gets: u64, heads: u64, lists: u64, deletes: u64) -> [u64; 5] {
    [puts, gets, heads, lists, deletes]
}

fn requests(used: &S3Usage) -> [u64; 5] {
    usage(used.puts, used.gets, used.heads, used.lists, used.deletes)
}

#[test]
fn every_request_and_every_byte_is_counted() {
    common::run(async {
        let mut config = server().config(&common::prefix());
        (config.multipart_threshold, config.part_size, config.memory_limit) = (5 << 20, 5 << 20, 1 << 20);
        let store = common::open(config).await;
        let large = (11 << 20) + 5;

        let put_small = used(&store, async || put(&store, blob(1), &noise(1000)).await).await;
        assert_eq!((requests(&put_small), put_small.bytes_up), (usage(1, 0, 0, 0, 0), 1000));
        let put_large = used(&store, async || put(&store, blob(2), &noise(large)).await).await;
        // Is there one, begin, three parts, end.
        assert_eq!(requests(&put_large), usage(5, 0, 1, 0, 0));
        let sent = put_large.bytes_up;
        assert!((large as u64..large as u64 + 2000).contains(&sent), "{sent} bytes: the parts, and their list");
        let get_small = used(&store, async || drop(read(&store, blob(1)).await)).await;
        assert_eq!((requests(&get_small), get_small.bytes_down), (usage(0, 1, 0, 0, 0), 1000));
        let get_large = used(&store, async || drop(read(&store, blob(2)).await)).await;
        assert_eq!((requests(&get_large), get_large.bytes_down), (usage(0, 4, 0, 0, 0), large as u64));
        let head = used(&store, async || drop(store.head(&blob(1)).await.unwrap())).await;
        assert_eq!((requests(&head), head.bytes_up), (usage(0, 0, 1, 0, 0), 0));
        let list = used(&store, async || drop(store.list(None, 1000).await.unwrap())).await;
        assert_eq!(requests(&list), usage(0, 0, 0, 1, 0));
        let discard = used(&store, async || assert_eq!(store.discard_remnants(Timestamp::MAX).await.unwrap(), 0)).await;
        assert_eq!(requests(&discard), usage(0, 0, 0, 1, 0));
        let delete = used(&store, async || drop(store.delete(&[blob(1), blob(2), blob(3)]).await.unwrap())).await;
        assert_eq!(requests(&delete), usage(0, 0, 3, 0, 1));
        let nothing = used(&store, async || drop(store.delete(&[blob(3)]).await.unwrap())).await;
        assert_eq!(requests(&nothing), usage(0, 0, 1, 0, 0), "what is not there is not deleted");
    });
}

#[test]
fn opening_a_store_that_is_there_takes_two_requests() {
    common::run(async {
        let prefix = common::prefix();
        common::open(server().config(&prefix)).await;
        let store = common::open(server().config(&prefix)).await;
        assert_eq!(requests(&store.usage()), usage(1, 1, 0, 0, 0));
    });
}

#[test]
fn every_attempt_counts() {
    common::run(async {
        let first = AtomicBool::new(true);
        let relay =
            Relay::start(&server(), move |seen| match seen.is("PUT", ".blob") && first.swap(false, Ordering::SeqCst) {
                true => refusal(503, "SlowDown", "slower"),
                false => Act::Forward,
            })
            .await;
        let store = common::open(relay.before(&server()).config(&common::prefix())).await;
        let used = used(&store, async || put(&store, blob(1), &noise(1000)).await).await;
        assert_eq!((requests(&used), used.bytes_up), (usage(2, 0, 0, 0, 0), 2000));
    });
}
