//! Puts, reads and deletes of whole objects.

use super::support::{BUCKET, Endpoint, code, put};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, Delete, ObjectIdentifier};
use tokio::task::JoinSet;

#[tokio::test]
async fn of_many_conditional_puts_of_a_key_exactly_one_wins() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    for round in 0..10 {
        let mut puts = JoinSet::new();
        for writer in 0..16_u8 {
            let put = client.put_object().bucket(BUCKET).key(format!("key-{round}")).if_none_match("*");
            puts.spawn(put.body(ByteStream::from(vec![writer; 1000])).send());
        }
        let codes: Vec<_> =
            puts.join_all().await.into_iter().filter_map(|put| Some(put.err()?.code()?.to_owned())).collect();
        assert_eq!(codes, ["PreconditionFailed"; 15]);
    }
}

#[tokio::test]
async fn a_read_tells_the_etag_and_metadata_of_the_bytes_it_gives() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let put = |number: u8| {
        let put = client.put_object().bucket(BUCKET).key("key").metadata("number", number.to_string());
        put.body(ByteStream::from(vec![number; 100])).send()
    };
    put(0).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 1..200_u8 {
        writers.spawn(put(number));
    }
    while writers.try_join_next().is_some() || !writers.is_empty() {
        let reply = client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
        let number = reply.metadata().unwrap()["number"].clone();
        let bytes = reply.body.collect().await.unwrap().to_vec();
        assert_eq!(bytes, vec![number.parse::<u8>().unwrap(); 100]);
    }
}

#[tokio::test]
async fn a_body_that_does_not_match_its_checksum_changes_nothing() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "key", "old").await;
    let put = || client.put_object().bucket(BUCKET).key("key").body(ByteStream::from_static(b"new"));
    let sum = "AAAAAA==";
    assert_eq!(code(put().checksum_crc32(sum).send().await), "BadDigest");
    assert_eq!(code(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), "BadDigest");
    let bytes = client.get_object().bucket(BUCKET).key("key").send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(bytes.to_vec(), b"old");
    put().content_md5("Iq9kXRhZy1ym2gxITx836g==").send().await.unwrap();
}

#[tokio::test]
async fn a_condition_on_the_etag_holds_for_reads_of_ranges_too() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "key", "0123456789").await;
    let head = || client.head_object().bucket(BUCKET).key("key");
    let get = || client.get_object().bucket(BUCKET).key("key").range("bytes=2-4");
    let etag = head().send().await.unwrap().e_tag.unwrap();

    let reply = get().if_match(&etag).send().await.unwrap();
    assert_eq!(reply.content_range(), Some("bytes 2-4/10"));
    assert_eq!(reply.body.collect().await.unwrap().to_vec(), b"234");
    assert_eq!(code(get().if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(head().if_match("\"other\"").send().await), "412");
    assert_eq!(code(get().if_none_match(&etag).send().await), "304");
    assert_eq!(code(head().if_none_match(&etag).send().await), "304");
    assert_eq!(code(get().range("bytes=10-").send().await), "InvalidRange");
    let last = client.get_object().bucket(BUCKET).key("key").range("bytes=-3").send().await.unwrap();
    assert_eq!(last.body.collect().await.unwrap().to_vec(), b"789");
}

#[tokio::test]
async fn metadata_and_type_come_back_with_the_object() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    let put = client.put_object().bucket(BUCKET).key("key").metadata("digest", "abc").content_type("text/plain");
    let put = put.cache_control("no-cache").storage_class("STANDARD_IA".into());
    put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from_static(b"x")).send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["digest"], "abc");
    assert_eq!((head.content_type(), head.cache_control()), (Some("text/plain"), Some("no-cache")));
    let get = client.get_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!((get.metadata().unwrap().len(), get.content_type()), (1, Some("text/plain")));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "directory/key", "x").await;
    for key in ["nothing", "directory"] {
        assert_eq!(code(client.get_object().bucket(BUCKET).key(key).send().await), "NoSuchKey");
        assert_eq!(code(client.head_object().bucket(BUCKET).key(key).send().await), "NotFound");
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
    let none = "no-bucket";
    let body = ByteStream::from_static(b"x");
    assert_eq!(code(client.get_object().bucket(none).key("key").send().await), "NoSuchBucket");
    assert_eq!(code(client.put_object().bucket(none).key("key").body(body).send().await), "NoSuchBucket");
    assert_eq!(code(client.delete_object().bucket(none).key("key").send().await), "NoSuchBucket");
    assert_eq!(code(client.list_objects_v2().bucket(none).send().await), "NoSuchBucket");
    assert_eq!(code(client.list_multipart_uploads().bucket(none).send().await), "NoSuchBucket");
    assert_eq!(code(client.create_multipart_upload().bucket(none).key("key").send().await), "NoSuchBucket");
    assert_eq!(code(client.head_bucket().bucket(none).send().await), "NotFound");
}

#[tokio::test]
async fn many_keys_are_deleted_at_once_and_leave_no_directory() {
    let (_endpoint, client) = Endpoint::with_bucket().await;
    for key in ["a/b/c", "a/b/d", "e/f"] {
        put(&client, key, "x").await;
    }
    let key = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(key("a/b/c")).objects(key("a/b/d")).objects(key("nothing"));
    let reply = client.delete_objects().bucket(BUCKET).delete(delete.build().unwrap()).send().await.unwrap();
    assert_eq!((reply.deleted().len(), reply.errors().len()), (3, 0));
    put(&client, "a", "x").await;
    client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket(BUCKET).send().await), "BucketNotEmpty");
    client.delete_object().bucket(BUCKET).key("e/f").send().await.unwrap();
    put(&client, "e", "x").await;
    client.delete_object().bucket(BUCKET).key("e").send().await.unwrap();
    client.delete_bucket().bucket(BUCKET).send().await.unwrap();
}
