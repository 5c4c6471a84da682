//! Options and URLs: what they mean, and one line for each that is wrong.

use crate::common::{self, BUCKET, blob, context, noise, put, server};
use cacheness_backend_s3::{Encryption, S3Config, register};
use cacheness_core::Secret;
use cacheness_storage::{BackendRegistry, BackendUrl, BlobBackend, ErrorKind, Locality};

fn registry() -> BackendRegistry {
    let mut registry = BackendRegistry::empty();
    register(&mut registry).unwrap();
    registry
}

fn parsed(url: &str) -> S3Config {
    S3Config::from_url(&url.parse().unwrap()).unwrap()
}

#[test]
fn a_url_names_the_place_and_its_options() {
    let config = parsed("s3://bucket");
    assert_eq!((&*config.bucket, &*config.prefix, config.to_string()), ("bucket", "", "s3://bucket".to_owned()));
    let config = parsed("s3://bucket/");
    assert_eq!((&*config.bucket, &*config.prefix), ("bucket", ""));
    let config = parsed(
        "s3://bucket/team/cache/?region=eu-central-1&endpoint_url=http://127.0.0.1:9000&path_style=false&shard_chars=0\
         &storage_class=GLACIER_IR&encryption=aws:kms&kms_key_id=alias/x&multipart_threshold=64 MiB&part_size=8388608\
         &concurrency=3&memory_limit=1MiB&staging=/var/tmp&connect_timeout_ms=1&attempt_timeout_ms=2\
         &operation_timeout_ms=3&stall_timeout_ms=4&max_attempts=5&profile=p&access_key=a&secret_key=s&session_token=t\
         &allow_http=true",
    );
    assert_eq!(config.to_string(), "s3://bucket/team/cache");
    assert_eq!(config.region.as_deref(), Some("eu-central-1"));
    assert_eq!(config.endpoint_url.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!((config.path_style, config.allow_http, config.shard_chars), (Some(false), true, 0));
    assert_eq!(config.storage_class.as_deref(), Some("GLACIER_IR"));
    assert_eq!((config.encryption, config.kms_key_id.as_deref()), (Some(Encryption::Kms), Some("alias/x")));
    assert_eq!((config.multipart_threshold, config.part_size), (64 << 20, 8 << 20));
    assert_eq!((config.concurrency, config.memory_limit), (3, 1 << 20));
    assert_eq!(config.staging.as_deref(), Some("/var/tmp".as_ref()));
    assert_eq!((config.connect_timeout_ms, config.attempt_timeout_ms), (1, 2));
    assert_eq!((config.operation_timeout_ms, config.stall_timeout_ms, config.max_attempts), (3, 4, 5));
    assert_eq!(config.profile.as_deref(), Some("p"));
    let secrets = [&config.access_key, &config.secret_key, &config.session_token];
    assert_eq!(secrets.map(|secret| secret.as_ref().unwrap().expose()), ["a", "s", "t"]);
    assert_eq!(parsed("s3://bucket?encryption=AES256").encryption, Some(Encryption::Aes256));
}

#[test]
fn a_wrong_url_is_one_clear_line_before_anything_is_sent() {
    let registry = registry();
    for (url, says) in [
        ("s3:", "names no bucket"),
        ("s3:bucket", "names no bucket"),
        ("s3://", "no bucket is named"),
        ("s3:///prefix", "no bucket is named"),
        ("s3://ab", "no name of a bucket"),
        ("s3://-bucket", "no name of a bucket"),
        ("s3://buck et", "no name of a bucket"),
        ("s3://bucket..name", "no name of a bucket"),
        ("s3://bucket:9000/x", "no name of a bucket"),
        ("s3://bucket//x", "cannot be a prefix"),
        ("s3://bucket/../x", "cannot be a prefix"),
        ("s3://bucket/x/.", "cannot be a prefix"),
        ("s3://bucket/a b", "cannot be a prefix"),
        ("s3://bucket/ä", "cannot be a prefix"),
        ("s3://bucket?bucket=other", "path of a URL"),
        ("s3://bucket?prefix=other", "path of a URL"),
        ("s3://bucket?regoin=x", "unknown field `regoin`"),
        ("s3://bucket?shard_chars=5", "shard_chars is 5"),
        ("s3://bucket?shard_chars=x", "invalid digit"),
        ("s3://bucket?part_size=4MiB", "part_size is 4194304"),
        ("s3://bucket?part_size=large", "is no size"),
        ("s3://bucket?multipart_threshold=1", "multipart_threshold"),
        ("s3://bucket?concurrency=0", "concurrency is 0"),
        ("s3://bucket?memory_limit=1", "memory_limit is 1"),
        ("s3://bucket?connect_timeout_ms=0", "connect_timeout_ms is 0"),
        ("s3://bucket?attempt_timeout_ms=0", "attempt_timeout_ms is 0"),
        ("s3://bucket?operation_timeout_ms=0", "operation_timeout_ms is 0"),
        ("s3://bucket?stall_timeout_ms=0", "stall_timeout_ms is 0"),
        ("s3://bucket?max_attempts=11", "max_attempts is 11"),
        ("s3://bucket?endpoint_url=minio:9000", "no endpoint_url"),
        ("s3://bucket?endpoint_url=ftp://minio", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://minio:port", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://minio:99999", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://[::1", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://a b", "no endpoint_url"),
        ("s3://bucket?endpoint_url=https://minio?x", "no endpoint_url"),
        ("s3://bucket?endpoint_url=http://minio:9000", "plain HTTP"),
        ("s3://bucket?endpoint_url=http://127.0.0.1.example.com", "plain HTTP"),
        ("s3://bucket?storage_class=DEEP_ARCHIVE", "cannot be read before"),
        ("s3://bucket?storage_class=standard", "no storage_class"),
        ("s3://bucket?encryption=rot13", "unknown variant"),
        ("s3://bucket?kms_key_id=x", "needs encryption=aws:kms"),
        ("s3://bucket?encryption=AES256&kms_key_id=x", "needs encryption=aws:kms"),
        ("s3://bucket?encryption=aws:kms&kms_key_id=", "kms_key_id is empty"),
        ("s3://bucket?access_key=a", "go together"),
        ("s3://bucket?secret_key=a", "go together"),
        ("s3://bucket?session_token=a", "go together"),
        ("s3://bucket?access_key=a&secret_key=", "is empty"),
    ] {
        let parsed: BackendUrl = url.parse().unwrap();
        let error = registry.check_blobs(&parsed).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        let line = error.to_string();
        assert!(line.contains(says) && !line.contains('\n'), "{url}: {line}");
        let opened = common::run(registry.open_blobs(&parsed, &context())).unwrap_err();
        assert_eq!(opened.kind(), ErrorKind::Config, "{url}");
    }
    for url in [
        "s3://bucket?endpoint_url=http://localhost",
        "s3://bucket?endpoint_url=http://[::1]:9000",
        "s3://bucket?endpoint_url=http://127.8.8.8:9000/",
        "s3://bucket?endpoint_url=http://minio:9000&allow_http=true",
        "s3://bucket?endpoint_url=https://minio.example.com:9000/path",
        "s3://Bucket_1/a-b_c.d!e*f'g(h)",
    ] {
        registry.check_blobs(&url.parse().unwrap()).unwrap();
    }
}

#[test]
fn a_registry_opens_a_store_by_its_url() {
    common::run(async {
        common::bucket().await;
        let (server, prefix) = (server(), common::prefix());
        let url = format!(
            "s3://{BUCKET}/{prefix}?endpoint_url={}&access_key={}&secret_key={}",
            server.endpoint, server.access, server.secret
        );
        let registry = registry();
        let listed: Vec<_> = registry.blob_backends().map(|backend| backend.name).collect();
        assert_eq!(listed, ["s3"]);
        let store = registry.open_blobs(&url.parse().unwrap(), &context()).await.unwrap();
        assert_eq!(store.to_string(), format!("s3://{BUCKET}/{prefix}"));
        let info = store.info();
        assert_eq!((&*info.name, info.locality, info.blocking), ("s3", Locality::Shared, false));
        assert!(info.capabilities.full_durability && info.capabilities.read_only && info.capabilities.if_match);
        assert!(store.staging().is_none());
    });
}

#[test]
fn a_staging_directory_must_be_one_that_takes_files() {
    common::run(async {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for path in [home.path().join("missing"), file] {
            let mut config = server().config(&common::prefix());
            config.staging = Some(path);
            let error = cacheness_backend_s3::S3Blobs::open(config, &context()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains("is no directory"), "{error}");
        }
        let mut config = server().config(&common::prefix());
        config.staging = Some(home.path().to_owned());
        config.memory_limit = 64 << 10;
        let store = common::open(config).await;
        assert_eq!(store.staging(), Some(home.path()));
        put(&store, blob(1), &noise(100_000)).await;
        let payload = store.get(&blob(1), Default::default()).await.unwrap().unwrap();
        let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["file"], "what a payload lies in has no name");
        assert!(common::bytes_of(payload) == noise(100_000));
    });
}

#[test]
fn options_come_from_a_configuration_file_too() {
    let config: S3Config = cacheness_storage::serde_json::from_str(
        r#"{"bucket": "team", "prefix": "models", "part_size": 8388608, "memory_limit": "1 MiB", "access_key": "a", "secret_key": "s"}"#,
    )
    .unwrap();
    assert_eq!(
        (config.to_string(), config.part_size, config.memory_limit),
        ("s3://team/models".into(), 8 << 20, 1 << 20)
    );
    for wrong in [r#"{"part_size": -1}"#, r#"{"part_size": true}"#, r#"{"secret_key": 12345678}"#, r#"{"unknown": 1}"#]
    {
        let error = cacheness_storage::serde_json::from_str::<S3Config>(wrong).unwrap_err().to_string();
        assert!(!error.contains("12345678"), "{error}");
    }
    let config = S3Config::new("team").credentials(Secret::new("a"), Secret::new("s"));
    assert_eq!(config.secret_key.unwrap().expose(), "s");
}
