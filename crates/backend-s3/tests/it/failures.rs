//! What can be wrong with a store, its network and its credentials: a kind, one clear line, and what to do.

use crate::common::{self, BUCKET, blob, context, noise, put, read, server};
use crate::relay::{Act, Relay, refusal};
use cacheness_backend_s3::{S3Blobs, S3Config};
use cacheness_core::Secret;
use cacheness_storage::{BlobBackend, Error, ErrorKind, GetBlob, OpenContext, PutBlob, Staged, block_on};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// Opens what cannot be opened.
async fn refused(config: S3Config) -> Error {
    let error = S3Blobs::open(config, &context()).await.unwrap_err();
    let line = error.to_string();
    assert!(line.starts_with("open on s3://") && !line.contains('\n'), "{line}");
    assert!(line.ends_with(')'), "it says what to do: {line}");
    error
}

/// A store whose every request for a blob is answered so.
async fn answering(act: Act) -> (Relay, S3Blobs) {
    let relay =
        Relay::start(&server(), move |seen| if seen.line.contains(".blob") { act.clone() } else { Act::Forward }).await;
    let mut config = relay.before(&server()).config(&common::prefix());
    config.max_attempts = 1;
    let store = common::open(config).await;
    (relay, store)
}

#[test]
fn what_the_store_says_becomes_a_kind_and_a_line() {
    common::run(async {
        use ErrorKind::*;
        for (status, code, kind, retryable, says) in [
            (400, "ExpiredToken", Permission, false, "have expired"),
            (403, "AccessDenied", Permission, false, "refuses access"),
            (403, "", Permission, false, "s3:ListBucket"),
            (403, "InvalidAccessKeyId", Permission, false, "access key"),
            (403, "SignatureDoesNotMatch", Permission, false, "secret key"),
            (403, "RequestTimeTooSkewed", Permission, false, "clock"),
            (403, "InvalidObjectState", Storage, false, "archive"),
            (403, "QuotaExceeded", OutOfSpace, false, "quota"),
            (507, "XMinioStorageFull", OutOfSpace, false, "make room"),
            (507, "", OutOfSpace, false, "make room"),
            (404, "NoSuchBucket", Config, false, "create it"),
            (400, "AuthorizationHeaderMalformed", Config, false, "another region"),
            (400, "InvalidStorageClass", Config, false, "storage_class"),
            (400, "KMS.NotFoundException", Config, false, "kms_key_id"),
            (500, "InternalError", Unavailable, true, "status 500, InternalError"),
            (502, "", Unavailable, true, "status 502"),
            (503, "SlowDown", Unavailable, true, "fewer requests"),
            (503, "ServiceUnavailable", Unavailable, true, "status 503"),
            (429, "", Unavailable, true, "fewer requests"),
            (400, "RequestTimeout", Timeout, true, "in time"),
            (400, "EntityTooLarge", TooLarge, false, "size"),
            (400, "BadDigest", Storage, true, "damaged"),
            (501, "NotImplemented", Unsupported, false, "does not know"),
            (418, "Teapot", Storage, false, "status 418, Teapot, \"words of the store\""),
        ] {
            let (_relay, store) = answering(refusal(status, code, "words of the store")).await;
            let error = store.put(&blob(1), Staged::Bytes(noise(10)), PutBlob::default()).await.unwrap_err();
            let line = error.to_string();
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status} {code}: {line}");
            assert!(line.starts_with(&format!("put a blob on {store}: ")) && line.contains(says), "{line}");
            assert!(!line.contains('\n'), "{line}");
            if code == "NoSuchBucket" || code.is_empty() {
                continue;
            }
            let error = store.get(&blob(1), GetBlob::default()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "get: {error}");
        }
    });
}

#[test]
fn a_bucket_of_another_region_is_named_with_it() {
    common::run(async {
        let headers = vec![("x-amz-bucket-region", "eu-north-1".to_owned())];
        let relay = Relay::start(&server(), move |_| Act::Answer(301, headers.clone(), String::new())).await;
        let error = refused(relay.before(&server()).config("p")).await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("(set region=eu-north-1)"), "{error}");
    });
}

#[test]
fn a_busy_store_is_asked_again() {
    common::run(async {
        for (status, code) in [(500, "InternalError"), (503, "SlowDown"), (503, "")] {
            let asked = AtomicUsize::new(0);
            let relay = Relay::start(&server(), move |seen| {
                match seen.line.contains(".blob") && asked.fetch_add(1, Ordering::SeqCst) % 3 < 2 {
                    true => refusal(status, code, "later"),
                    false => Act::Forward,
                }
            })
            .await;
            let store = common::open(relay.before(&server()).config(&common::prefix())).await;
            put(&store, blob(1), &noise(10)).await;
            assert_eq!(read(&store, blob(1)).await, Some(noise(10)));
            assert_eq!(relay.count("", ".blob"), 6);
        }
    });
}

#[test]
fn a_missing_bucket_is_a_clear_line_and_is_not_made() {
    common::run(async {
        const MISSING: &str = "no-such-bucket-anywhere";
        // Some stores say of everything in it that the object is missing.
        let relay = Relay::start(&server(), |seen| match seen.is("GET", "cacheness-layout") {
            true => refusal(404, "NoSuchKey", "no object"),
            false => Act::Forward,
        })
        .await;
        for server in [server(), relay.before(&server())] {
            for read_only in [false, true] {
                let mut config = server.config("p");
                config.bucket = MISSING.into();
                let error = S3Blobs::open(config, &context().read_only(read_only)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config);
                let line =
                    "open on s3://no-such-bucket-anywhere/p: there is no such bucket (create it, or correct the name)";
                assert_eq!(error.to_string(), line);
            }
        }
        assert!(server().client().head_bucket().bucket(MISSING).send().await.is_err());
    });
}

#[test]
fn wrong_keys_are_a_clear_line() {
    common::run(async {
        common::bucket().await;
        let server = server();
        let wrong = Secret::new("wrong-key-of-somebody");
        for (access, secret) in [(wrong.clone(), Secret::new(&server.secret)), (Secret::new(&server.access), wrong)] {
            let error = refused(server.config("p").credentials(access, secret)).await;
            assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
            assert!(!error.is_retryable());
            let line = format!("{error} {error:?}");
            assert!(!line.contains("wrong-key") && !line.contains(&server.secret), "{line}");
        }
    });
}

#[test]
fn a_read_only_permission_opens_read_only() {
    common::run(async {
        let prefix = common::prefix();
        put(&common::open(server().config(&prefix)).await, blob(1), &noise(10)).await;
        let relay = Relay::start(&server(), |seen| match seen.is("GET", "") || seen.is("HEAD", "") {
            true => Act::Forward,
            false => refusal(403, "AccessDenied", "no"),
        })
        .await;
        let config = relay.before(&server()).config(&prefix);
        assert_eq!(refused(config.clone()).await.kind(), ErrorKind::Permission);
        let store = S3Blobs::open(config, &context().read_only(true)).await.unwrap();
        assert_eq!(read(&store, blob(1)).await, Some(noise(10)));
    });
}

#[test]
fn a_refused_connection_an_unknown_host_and_another_protocol_are_told_apart() {
    common::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = refused(server().behind(port).config("p")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable() && error.to_string().contains("refuses connections"), "{error}");

        let error = refused(server().config("p").endpoint_url("https://cacheness.invalid")).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("host of the endpoint is not known"), "{error}");

        let plain = server().endpoint.replace("http://", "https://");
        let error = refused(server().config("p").endpoint_url(plain)).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("does not speak TLS"), "{error}");

        let relay = Relay::start(&server(), |_| Act::Answer(200, Vec::new(), "<html>not S3".into())).await;
        let error = S3Blobs::open(relay.before(&server()).config("p"), &context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignStore, "{error}");
    });
}

#[test]
fn a_store_that_never_answers_is_given_up() {
    common::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = server().behind(listener.local_addr().unwrap().port());
        let mut config = silent.config("p");
        (config.attempt_timeout_ms, config.max_attempts) = (100, 2);
        let error = refused(config.clone()).await;
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
        (config.attempt_timeout_ms, config.operation_timeout_ms) = (60_000, 100);
        assert_eq!(refused(config).await.kind(), ErrorKind::Timeout);
    });
}

#[test]
fn an_upload_that_stands_still_is_given_up() {
    common::run(async {
        let relay =
            Relay::start(&server(), |seen| if seen.is("PUT", ".blob") { Act::Ignore } else { Act::Forward }).await;
        let mut config = relay.before(&server()).config(&common::prefix());
        (config.attempt_timeout_ms, config.max_attempts) = (200, 1);
        let store = common::open(config).await;
        let error = store.put(&blob(1), Staged::Bytes(noise(1 << 20)), PutBlob::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
    });
}

#[test]
fn an_upload_whose_end_fails_after_its_status_is_an_error() {
    common::run(async {
        let relay = Relay::start(&server(), |seen| match seen.is("POST", "uploadId=") {
            true => refusal(200, "InternalError", "later"),
            false => Act::Forward,
        })
        .await;
        let mut config = relay.before(&server()).config(&common::prefix());
        (config.multipart_threshold, config.part_size, config.max_attempts) = (5 << 20, 5 << 20, 1);
        let store = common::open(config).await;
        let error = store.put(&blob(1), Staged::Bytes(noise((5 << 20) + 1)), PutBlob::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    });
}

#[test]
fn a_runtime_that_drives_no_network_is_refused() {
    common::run(async {
        let error = S3Blobs::open(server().config("p"), &OpenContext::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("feature `tokio`"), "{error}");
    });
    let error = block_on(S3Blobs::open(server().config("p"), &context())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "outside of tokio");
}

#[test]
fn a_payload_that_was_cut_off_in_its_file_is_an_error_and_no_object() {
    common::run(async {
        let (store, _) = common::store().await;
        for size in [1000, 20 << 20] {
            let payload = common::staged(&noise(size));
            let Staged::File(file) = &payload else { panic!("it is in a file") };
            std::fs::OpenOptions::new().write(true).open(file.path()).unwrap().set_len(10).unwrap();
            let error = store.put(&blob(1), payload, PutBlob::default()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
            assert!(store.head(&blob(1)).await.unwrap().is_none());
        }
    });
}

#[test]
fn a_refusal_of_one_object_among_many_is_an_error() {
    common::run(async {
        for (code, kind) in [
            ("AccessDenied", ErrorKind::Permission),
            ("InternalError", ErrorKind::Unavailable),
            ("Odd", ErrorKind::Storage),
        ] {
            let body = format!(
                "<DeleteResult><Error><Key>k</Key><Code>{code}</Code><Message>m</Message></Error></DeleteResult>"
            );
            let relay = Relay::start(&server(), move |seen| match seen.is("POST", "delete") {
                true => Act::Answer(200, Vec::new(), body.clone()),
                false => Act::Forward,
            })
            .await;
            let store = common::open(relay.before(&server()).config(&common::prefix())).await;
            put(&store, blob(1), &noise(10)).await;
            put(&store, blob(2), &noise(10)).await;
            assert_eq!(store.delete(&[blob(1), blob(2)]).await.unwrap_err().kind(), kind);
        }
    });
}

#[test]
fn without_credentials_there_is_a_clear_line_and_no_hang() {
    const CHILD: &str = "CACHENESS_S3_CHILD";
    if let Ok(endpoint) = std::env::var(CHILD) {
        common::run(async {
            let config = S3Config::new(BUCKET).region("us-east-1").endpoint_url(endpoint);
            let error = refused(config).await;
            assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
            assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
        });
        return;
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failures::without_credentials_there_is_a_clear_line_and_no_hang"])
        .env_clear()
        .env(CHILD, server().endpoint)
        .env("HOME", std::env::temp_dir().join("nobody's home"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
}

#[test]
fn the_environment_gives_credentials_and_region() {
    const CHILD: &str = "CACHENESS_S3_CHILD_BY_ENVIRONMENT";
    if std::env::var(CHILD).is_ok() {
        common::run(async {
            let mut config = S3Config::new(BUCKET).prefix(common::prefix());
            config.path_style = Some(true);
            let store = S3Blobs::open(config, &context()).await.unwrap();
            put(&store, blob(1), &noise(10)).await;
        });
        return;
    }
    common::run(common::bucket());
    let server = server();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "failures::the_environment_gives_credentials_and_region"])
        .env(CHILD, "yes")
        .env("AWS_ACCESS_KEY_ID", &server.access)
        .env("AWS_SECRET_ACCESS_KEY", &server.secret)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", &server.endpoint)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
}

#[test]
fn many_openings_at_once_make_one_store() {
    common::run(async {
        common::bucket().await;
        let prefix = Arc::new(common::prefix());
        let mut openings = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let prefix = prefix.clone();
            openings.spawn(async move { S3Blobs::open(server().config(&prefix), &context()).await.unwrap() });
        }
        for store in openings.join_all().await {
            assert!(store.info().capabilities.exclusive_puts);
        }
        assert_eq!(common::keys(&prefix).await.len(), 2, "a layout and a probe");
    });
}
