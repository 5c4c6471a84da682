//! What goes over the wire where the server of the tests cannot show that it understood.

use crate::common::{self, blob, context, noise, read, server};
use crate::relay::{Act, Relay, Seen, refusal};
use cacheness_backend_s3::{Encryption, S3Blobs, S3Config};
use cacheness_core::Secret;
use cacheness_storage::{BlobBackend, ErrorKind, PutBlob, Staged};
use std::collections::BTreeMap;

/// Says to everything that carries a blob that it was done.
fn done(seen: &Seen) -> Act {
    let etag = || vec![("etag", "\"e\"".to_owned())];
    if seen.is("HEAD", ".blob") {
        return Act::Answer(404, Vec::new(), String::new());
    }
    if !seen.line.contains(".blob") {
        return Act::Forward;
    }
    match () {
        () if seen.is("POST", "?uploads") => {
            let body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            Act::Answer(200, Vec::new(), body.into())
        }
        () if seen.is("POST", "uploadId=") => {
            let body = "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
            Act::Answer(200, Vec::new(), body.into())
        }
        () => Act::Answer(200, etag(), String::new()),
    }
}

/// The two requests that make objects, one at once and one in parts, of a store with these options.
async fn made_by(change: impl FnOnce(&mut S3Config)) -> Vec<Seen> {
    let relay = Relay::start(&server(), done).await;
    let mut config = relay.before(&server()).config(&common::prefix());
    (config.multipart_threshold, config.part_size) = (5 << 20, 5 << 20);
    change(&mut config);
    let store = common::open(config).await;
    for (n, size) in [(1, 1000), (2, (5 << 20) + 1)] {
        let told = store.put(&blob(n), Staged::Bytes(noise(size)), PutBlob::default()).await.unwrap();
        assert_eq!(told.etag.as_deref(), Some("\"e\""));
    }
    let seen = relay.seen();
    let made = seen.into_iter().filter(|seen| {
        seen.line.contains(".blob")
            && (seen.is("POST", "?uploads") || seen.is("PUT", ".blob") && !seen.line.contains("uploadId"))
    });
    let made: Vec<_> = made.collect();
    assert_eq!(made.len(), 2);
    made
}

#[test]
fn storage_class_and_encryption_are_asked_for_in_every_put() {
    common::run(async {
        let made = made_by(|config| {
            config.storage_class = Some("STANDARD_IA".into());
            config.encryption = Some(Encryption::Kms);
            config.kms_key_id = Some("alias/cache".into());
        })
        .await;
        for seen in made {
            assert_eq!(seen.header("x-amz-storage-class"), Some("STANDARD_IA"), "{}", seen.line);
            assert_eq!(seen.header("x-amz-server-side-encryption"), Some("aws:kms"), "{}", seen.line);
            assert_eq!(seen.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("alias/cache"));
        }
        let made = made_by(|config| config.encryption = Some(Encryption::Aes256)).await;
        for seen in made {
            assert_eq!(seen.header("x-amz-server-side-encryption"), Some("AES256"), "{}", seen.line);
            assert_eq!(seen.header("x-amz-server-side-encryption-aws-kms-key-id"), None);
        }
        let made = made_by(|_| {}).await;
        for seen in made {
            assert_eq!(seen.header("x-amz-storage-class"), None);
            assert_eq!(seen.header("x-amz-server-side-encryption"), None);
        }
    });
}

#[test]
fn bytes_are_sent_with_a_checksum_that_the_store_compares() {
    common::run(async {
        let relay = Relay::start(&server(), done).await;
        let mut config = relay.before(&server()).config(&common::prefix());
        (config.multipart_threshold, config.part_size) = (5 << 20, 5 << 20);
        let store = common::open(config).await;
        for (n, size) in [(1, 1000), (2, (5 << 20) + 1)] {
            store.put(&blob(n), Staged::Bytes(noise(size)), PutBlob::default()).await.unwrap();
        }
        let mut bodies = 0;
        for seen in relay.seen().iter().filter(|seen| seen.is("PUT", ".blob")) {
            assert!(seen.header("x-amz-checksum-crc32").is_some(), "{}", seen.line);
            bodies += 1;
        }
        assert_eq!(bodies, 3);
        let begun = relay.seen().into_iter().find(|seen| seen.is("POST", "?uploads")).unwrap();
        assert_eq!(begun.header("x-amz-checksum-algorithm"), Some("CRC32"));
    });
}

#[test]
fn a_session_token_is_sent_and_the_region_is_part_of_the_signature() {
    common::run(async {
        // The server of the tests knows no tokens, so it is not asked.
        let relay = Relay::start(&server(), |_| refusal(403, "AccessDenied", "no")).await;
        let mut config = relay.before(&server()).config("p").region("eu-central-1");
        config.session_token = Some(Secret::new("token-of-a-session"));
        S3Blobs::open(config, &context()).await.unwrap_err();
        let seen = relay.seen();
        assert_eq!(seen[0].header("x-amz-security-token"), Some("token-of-a-session"));
        assert!(seen[0].header("authorization").unwrap().contains("/eu-central-1/s3/aws4_request"));
    });
}

#[test]
fn conditions_are_trusted_only_where_the_probe_saw_them_honoured() {
    common::run(async {
        let ignored: fn() -> Act = || Act::Answer(200, vec![("etag", "\"e\"".into())], String::new());
        let unknown: fn() -> Act = || refusal(501, "NotImplemented", "A header implies functionality");
        for probed in [ignored, unknown] {
            let relay = Relay::start(&server(), move |seen| match seen.is("PUT", "cacheness-probe") {
                true => probed(),
                false => Act::Forward,
            })
            .await;
            let mut config = relay.before(&server()).config(&common::prefix());
            (config.multipart_threshold, config.part_size) = (5 << 20, 5 << 20);
            let store = common::open(config).await;
            assert!(!store.info().capabilities.exclusive_puts);
            for (n, size) in [(1, 1000), (2, (5 << 20) + 1)] {
                let bytes = noise(size);
                store.put(&blob(n), Staged::Bytes(bytes.clone()), PutBlob::default()).await.unwrap();
                let again = store.put(&blob(n), Staged::Bytes(noise(10)), PutBlob::default()).await;
                assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists, "somebody looked before");
                assert!(read(&store, blob(n)).await.unwrap() == bytes);
            }
            for seen in relay.seen().iter().filter(|seen| seen.line.contains(".blob")) {
                assert_eq!(seen.header("if-none-match"), None, "{}", seen.line);
            }
        }
        let (store, _) = common::store().await;
        assert!(store.info().capabilities.exclusive_puts, "the server of the tests honours them");
    });
}

#[test]
fn what_no_store_would_keep_as_it_is_is_refused_before_anything_is_sent() {
    common::run(async {
        let (store, _) = common::store().await;
        let puts = store.usage().puts;
        let metadata = |name: &str, value: &str| {
            let mut options = PutBlob::default();
            options.metadata = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            options
        };
        let mut header = PutBlob::default();
        header.content_type = Some("text/plain\r\nx-amz-acl: public-read".into());
        for (options, kind) in [
            (metadata("Name", "value"), ErrorKind::Config),
            (metadata("", "value"), ErrorKind::Config),
            (metadata("na me", "value"), ErrorKind::Config),
            (metadata("cacheness-digest", "value"), ErrorKind::Config),
            (metadata("name", "välue"), ErrorKind::Config),
            (metadata("name", " value"), ErrorKind::Config),
            (metadata("name", "a\r\nb: c"), ErrorKind::Config),
            (metadata("name", &"v".repeat(2048)), ErrorKind::TooLarge),
            (header, ErrorKind::Config),
        ] {
            let refused = store.put(&blob(1), Staged::Bytes(noise(10)), options).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{refused}");
        }
        assert_eq!(store.usage().puts, puts);
    });
}
