//! What lies in a bucket, byte by byte where others read it: keys, the small objects, names of headers.

use crate::common::{self, BUCKET, blob, context, keys, noise, put, server};
use crate::relay::{Act, Relay};
use cacheness_backend_s3::S3Blobs;
use cacheness_storage::{BlobBackend, BlobId, Bytes, Digest, DigestAlgorithm, ErrorKind, PutBlob, Staged};
use std::collections::BTreeMap;
use std::fmt::Write;

async fn text_of(key: &str) -> String {
    let object = server().client().get_object().bucket(BUCKET).key(key).send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

async fn put_text(key: &str, text: &'static str) {
    let client = server().client();
    client.put_object().bucket(BUCKET).key(key).body(Bytes::from_static(text.as_bytes()).into()).send().await.unwrap();
}

#[test]
fn a_bucket_holds_the_golden_objects() {
    common::run(async {
        let mut found = String::new();
        for shard_chars in 0..=4 {
            let prefix = common::prefix();
            let mut config = server().config(&prefix);
            config.shard_chars = shard_chars;
            let store = common::open(config).await;
            for id in [BlobId::STORE, "0a1b2c3d4e5f60718293a4b5c6d7e8f9".parse().unwrap()] {
                put(&store, id, &noise(10)).await;
            }
            writeln!(found, "shard_chars {shard_chars}").unwrap();
            for key in keys(&prefix).await {
                writeln!(found, "  {}", key.replace(&prefix, "prefix")).unwrap();
                if key.contains("cacheness-") {
                    for line in text_of(&key).await.lines() {
                        writeln!(found, "    {line}").unwrap();
                    }
                }
            }
        }
        assert_eq!(found, include_str!("../golden/keys-v1.txt"));
    });
}

#[test]
fn a_put_sends_the_golden_headers() {
    common::run(async {
        let relay = Relay::start(&server(), |_| Act::Forward).await;
        let mut config = relay.before(&server()).config(&common::prefix());
        (config.multipart_threshold, config.part_size) = (5 << 20, 5 << 20);
        let store = common::open(config).await;
        let mut found = String::new();
        for (n, size) in [(1, 1000), (2, (5 << 20) + 1)] {
            let bytes = noise(size);
            let mut options = PutBlob::default();
            options.digest = Some(Digest::of(DigestAlgorithm::Xxh3, &bytes));
            options.content_type = Some("application/x-test".into());
            options.cache_control = Some("max-age=60".into());
            options.metadata = BTreeMap::from([("name".into(), "a value".into())]);
            store.put(&blob(n), Staged::Bytes(bytes), options.clone()).await.unwrap();
            let told = store.head(&blob(n)).await.unwrap().unwrap();
            assert_eq!((&told.digest, &told.content_type), (&options.digest, &options.content_type));
            assert_eq!(told.metadata, options.metadata);
        }
        for seen in relay.seen() {
            let (method, target) = seen.line.split_once(' ').unwrap();
            if !target.contains(".blob") || method == "HEAD" {
                continue;
            }
            let query: Vec<_> = target.split_once('?').map_or(Vec::new(), |(_, query)| {
                query.split('&').map(|pair| pair.split('=').next().unwrap()).filter(|name| *name != "x-id").collect()
            });
            writeln!(found, "{}", [vec![method], query].concat().join(" ")).unwrap();
            let kept = |name: &str| {
                name.starts_with("x-amz-meta-") || matches!(name, "content-type" | "cache-control" | "if-none-match")
            };
            let mut lines: Vec<_> = seen.headers.iter().filter(|(name, _)| kept(name)).collect();
            lines.sort();
            for (name, value) in lines {
                let value = if name == "x-amz-meta-cacheness-put" { "32 hexadecimal digits" } else { value };
                writeln!(found, "  {name}: {value}").unwrap();
            }
        }
        assert_eq!(found, include_str!("../golden/headers-v1.txt"));
    });
}

#[test]
fn another_layout_than_the_recorded_one_is_refused() {
    common::run(async {
        let prefix = common::prefix();
        let mut config = server().config(&prefix);
        config.shard_chars = 3;
        common::open(config).await;
        let refused = S3Blobs::open(server().config(&prefix), &context()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("shard_chars=3"), "{refused}");
        assert!(refused.to_string().starts_with(&format!("open on s3://{BUCKET}/{prefix}: ")), "{refused}");
    });
}

#[test]
fn a_prefix_whose_layout_object_is_not_ours_is_refused_and_unchanged() {
    common::run(async {
        common::bucket().await;
        for (text, kind) in [
            ("somebody's", ErrorKind::ForeignStore),
            ("cacheness-s3-blobs 2\nshard_chars 2\n", ErrorKind::FormatTooNew),
            ("cacheness-s3-blobs 1\nshard", ErrorKind::Corrupt),
        ] {
            let prefix = common::prefix();
            let key = format!("{prefix}/cacheness-layout");
            put_text(&key, text).await;
            let refused = S3Blobs::open(server().config(&prefix), &context()).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{refused}");
            assert_eq!(keys(&prefix).await, std::slice::from_ref(&key));
            assert_eq!(text_of(&key).await, text);
        }
        let prefix = common::prefix();
        let long: &'static str = "cacheness-s3-blobs 1\n".repeat(500).leak();
        put_text(&format!("{prefix}/cacheness-layout"), long).await;
        let refused = S3Blobs::open(server().config(&prefix), &context()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ForeignStore, "{refused}");
    });
}

#[test]
fn what_is_no_digest_of_ours_is_none() {
    common::run(async {
        let (store, prefix) = common::store().await;
        for (n, digest) in [(1, "md5:00"), (2, "xxh3:zz"), (3, "")] {
            let key = format!("{prefix}/00/{}.blob", blob(n));
            let object = server().client().put_object().bucket(BUCKET).key(key).metadata("cacheness-digest", digest);
            object.body(Bytes::from_static(b"x").into()).send().await.unwrap();
            let info = store.head(&blob(n)).await.unwrap().unwrap();
            assert_eq!((info.digest, info.metadata.len()), (None, 0));
        }
    });
}
