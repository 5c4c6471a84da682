//! A bucket of the test server, a prefix of its own for every test, and a runtime that says it drives I/O.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use cacheness_backend_s3::{S3Blobs, S3Config};
use cacheness_core::runtime::{BoxFuture, Job};
use cacheness_core::{Rng, Runtime, Secret, SystemRng, ThreadPool};
use cacheness_storage::{BlobBackend, BlobId, Body, Bytes, GetBlob, OpenContext, Payload, PutBlob, Staged};
use cacheness_testkit::{SeededRng, services};
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Where all tests of this crate keep their prefixes.
pub(crate) const BUCKET: &str = "cacheness-backend-s3";

static TOKIO: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Runs a test on tokio.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    TOKIO.block_on(test)
}

/// The server of the tests: its endpoint and the keys to it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) endpoint: String,
    pub(crate) access: String,
    pub(crate) secret: String,
}

/// The server that the environment names.
pub(crate) fn server() -> Server {
    let url = services::s3();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (keys, host) = rest.rsplit_once('@').unwrap();
    let (access, secret) = keys.split_once(':').unwrap();
    Server { endpoint: format!("{scheme}://{host}"), access: access.into(), secret: secret.into() }
}

impl Server {
    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.endpoint.split_once("://").unwrap().1.trim_end_matches('/')
    }

    /// The same server behind another port of this machine.
    pub(crate) fn behind(&self, port: u16) -> Self {
        Self { endpoint: format!("http://127.0.0.1:{port}"), ..self.clone() }
    }

    /// A client for what the backend does not do.
    pub(crate) fn client(&self) -> Client {
        let keys = Credentials::new(&self.access, &self.secret, None, None, "tests");
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(keys)
            .endpoint_url(&self.endpoint)
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    /// The options of a store below a prefix.
    pub(crate) fn config(&self, prefix: &str) -> S3Config {
        S3Config::new(BUCKET)
            .prefix(prefix)
            .region("us-east-1")
            .endpoint_url(&self.endpoint)
            .credentials(Secret::new(&self.access), Secret::new(&self.secret))
    }
}

/// Makes the bucket, once.
pub(crate) async fn bucket() {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        let made = server().client().create_bucket().bucket(BUCKET).send().await;
        if let Err(error) = made {
            let status = error.raw_response().map(|response| response.status().as_u16());
            assert_eq!(status, Some(409), "{error:?}");
        }
    };
    MADE.get_or_init(make).await;
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    let bytes: [u8; 8] = cacheness_core::rng::random(&SystemRng).unwrap();
    format!("test-{}", cacheness_core::hex::Hex(&bytes))
}

/// Says that it drives I/O, as a cache on tokio does.
#[derive(Debug)]
pub(crate) struct OnTokio;

impl Runtime for OnTokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TOKIO.spawn(task);
    }
    fn spawn_blocking(&self, job: Job) {
        ThreadPool::global().spawn_blocking(job);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        ThreadPool::global().sleep(duration)
    }
    fn block_on(&self, task: Pin<&mut (dyn Future<Output = ()> + '_)>) {
        TOKIO.block_on(task);
    }
    fn drives_io(&self) -> bool {
        true
    }
    fn in_async_context(&self) -> bool {
        false
    }
}

/// A context on tokio.
pub(crate) fn context() -> OpenContext {
    OpenContext::new().runtime(Arc::new(OnTokio))
}

/// A store below a new prefix, and the prefix.
pub(crate) async fn store() -> (S3Blobs, String) {
    bucket().await;
    let prefix = prefix();
    (S3Blobs::open(server().config(&prefix), &context()).await.unwrap(), prefix)
}

/// A store behind an endpoint.
pub(crate) async fn open(config: S3Config) -> S3Blobs {
    bucket().await;
    S3Blobs::open(config, &context()).await.unwrap()
}

pub(crate) fn blob(n: u64) -> BlobId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    BlobId::from_bytes(bytes)
}

/// So many bytes without a pattern.
pub(crate) fn noise(size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    SeededRng::new(size as u64).fill(&mut bytes).unwrap();
    bytes.into()
}

/// The bytes in a file.
pub(crate) fn staged(bytes: &Bytes) -> Staged {
    let mut spool = cacheness_handlers::Spool::new(0, None);
    spool.write_all(bytes).unwrap();
    match spool.finish().unwrap() {
        cacheness_handlers::Spooled::File(file) => Staged::File(file),
        cacheness_handlers::Spooled::Memory(bytes) => Staged::Bytes(bytes),
    }
}

pub(crate) async fn put(store: &S3Blobs, id: BlobId, bytes: &Bytes) {
    store.put(&id, Staged::Bytes(bytes.clone()), PutBlob::default()).await.unwrap();
}

pub(crate) async fn read(store: &S3Blobs, id: BlobId) -> Option<Bytes> {
    store.get(&id, GetBlob::default()).await.unwrap().map(bytes_of)
}

pub(crate) fn bytes_of(payload: Payload) -> Bytes {
    match payload.body {
        Body::Bytes(bytes) => bytes,
        Body::File { file, size } => {
            let mut bytes = Vec::new();
            file.take(size).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, size);
            bytes.into()
        }
        other => panic!("{other:?} is new"),
    }
}

/// The keys below a prefix, as the server lists them.
pub(crate) async fn keys(prefix: &str) -> Vec<String> {
    let client = server().client();
    let mut pages = client.list_objects_v2().bucket(BUCKET).prefix(format!("{prefix}/")).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
    }
    keys
}

/// The uploads in parts below a prefix that were begun and not ended.
pub(crate) async fn uploads(prefix: &str) -> Vec<String> {
    let client = server().client();
    let page = client.list_multipart_uploads().bucket(BUCKET).prefix(format!("{prefix}/")).send().await.unwrap();
    page.uploads().iter().filter_map(|upload| upload.key().map(str::to_owned)).collect()
}
