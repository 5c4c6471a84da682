//! Listings of more than a page, and what lies beside the blobs.

use crate::common::{self, BUCKET, blob, keys, noise, put, read, server};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use cacheness_backend_s3::S3Blobs;
use cacheness_storage::{BlobBackend, BlobId, Bytes, Timestamp};
use cacheness_testkit::SeededRng;
use tokio::task::JoinSet;

/// Twenty pages of a server.
const MANY: usize = 20_000;

/// How many puts are under way at once.
const AT_ONCE: usize = 64;

/// Puts objects as they lie in a store, though without what it notes on them: a listing looks at names.
async fn put_all(client: Client, keys: Vec<String>) {
    for key in keys {
        client.put_object().bucket(BUCKET).key(key).body(Bytes::from_static(b"x").into()).send().await.unwrap();
    }
}

async fn delete_all(keys: &[String]) {
    for keys in keys.chunks(1000) {
        let named = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
        let these = Delete::builder().set_objects(Some(named.collect())).quiet(true).build().unwrap();
        server().client().delete_objects().bucket(BUCKET).delete(these).send().await.unwrap();
    }
}

async fn names(store: &S3Blobs, limit: usize) -> Vec<BlobId> {
    let mut names: Vec<BlobId> = Vec::new();
    loop {
        let page = store.list(names.last().copied(), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return names;
        }
        names.extend(page.iter().map(|info| info.id));
    }
}

#[test]
fn thousands_of_objects_are_listed_without_gap_or_duplicate() {
    common::run(async {
        let (store, prefix) = common::store().await;
        let rng = SeededRng::new(1);
        let mut ids: Vec<BlobId> = (0..MANY).map(|_| BlobId::mint(&rng).unwrap()).collect();
        let key = |id: &BlobId| format!("{prefix}/{}/{id}.blob", &id.to_string()[..2]);
        let foreign = (0..40).map(|n| format!("{prefix}/{n:02x}/foreign-{n}"));
        let keys: Vec<String> = ids.iter().map(key).chain(foreign).collect();
        let client = server().client();
        let mut puts = JoinSet::new();
        for keys in keys.chunks(MANY.div_ceil(AT_ONCE)) {
            puts.spawn(put_all(client.clone(), keys.to_vec()));
        }
        puts.join_all().await;
        ids.sort();
        assert!(names(&store, 999).await == ids);
        let all = store.list(None, MANY + 7).await.unwrap();
        assert!(
            all.iter().map(|info| info.id).eq(ids.iter().copied()),
            "one call gives more than a page of the server's"
        );
        assert_eq!(store.list(None, 0).await.unwrap(), []);
        delete_all(&keys).await;
        assert_eq!(store.list(None, 1).await.unwrap(), []);
    });
}

#[test]
fn prefixes_of_one_bucket_never_touch_each_other() {
    common::run(async {
        let (one, prefix) = common::store().await;
        let neighbours = [format!("{prefix}2"), format!("{prefix}/below"), prefix[..prefix.len() - 1].to_owned()];
        let mut others = Vec::new();
        for neighbour in &neighbours {
            others.push(common::open(server().config(neighbour)).await);
        }
        let bytes = noise(1000);
        for store in others.iter().chain([&one]) {
            for n in [1, 2, 3] {
                put(store, blob(n), &bytes).await;
            }
        }
        assert_eq!(names(&one, 10).await, [blob(1), blob(2), blob(3)]);
        assert_eq!(one.delete(&[blob(1), blob(2), blob(3), blob(4)]).await.unwrap(), [true, true, true, false]);
        assert_eq!(one.discard_remnants(Timestamp::MAX).await.unwrap(), 0);
        assert_eq!(names(&one, 10).await, []);
        for other in &others {
            assert_eq!(names(other, 2).await, [blob(1), blob(2), blob(3)], "{other}");
            assert_eq!(read(other, blob(2)).await.as_ref(), Some(&bytes));
        }
    });
}

#[test]
fn foreign_objects_are_passed_over_and_stay() {
    common::run(async {
        let (store, prefix) = common::store().await;
        let id = blob(1);
        let foreign = [
            format!("{prefix}/readme.txt"),
            format!("{prefix}/{id}.blob"),
            format!("{prefix}/00/{id}"),
            format!("{prefix}/00/{id}.blob.bak"),
            format!("{prefix}/00/{}.blob", id.to_string().replace('1', "A")),
            format!("{prefix}/00/below/{id}.blob"),
            format!("{prefix}/01/{id}.blob"),
            format!("{prefix}/00/sp ace+plus%2F&<ä>.blob"),
        ];
        put_all(server().client(), foreign.to_vec()).await;
        assert_eq!(names(&store, 1).await, []);
        assert!(store.head(&id).await.unwrap().is_none());
        put(&store, id, &noise(10)).await;
        put(&store, blob(2), &noise(10)).await;
        for limit in [1, 2, 1000] {
            assert_eq!(names(&store, limit).await, [id, blob(2)]);
        }
        assert_eq!(store.delete(&[id, blob(2), blob(3)]).await.unwrap(), [true, true, false]);
        store.discard_remnants(Timestamp::MAX).await.unwrap();
        let mut expected =
            [&foreign[..], &[format!("{prefix}/cacheness-layout"), format!("{prefix}/cacheness-probe")]].concat();
        expected.sort();
        assert_eq!(keys(&prefix).await, expected);
    });
}
