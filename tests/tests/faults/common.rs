//! A store that a team shares, with a proxy before each of its servers, and what must hold of it whatever went wrong.

use cacheness::storage::layers::{Retry, Timeout};
use cacheness::storage::{
    BlobBackend, BlobId, BlobQuery, Bundle, Cursor, Fields, MetadataBackend, OpenContext, Query, Timestamp,
};
use cacheness::{Bundled, CacheBuilder, Compression, Error, PutOptions, TokioRuntime, future, sync::Cache};
use cacheness_testkit::proxy::{Proxy, Requests};
use cacheness_testkit::services;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_postgres::NoTls;

/// The bucket of these tests; each has a prefix of its own.
pub(crate) const BUCKET: &str = "cacheness-faults";

/// More than a payload that rides in the index, and less than what is uploaded in parts.
pub(crate) const LARGE: usize = 300_000;

/// Long enough for anything that ends at all, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

static TOKIO: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Waits for what needs a reactor.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    TOKIO.block_on(future)
}

/// What backends are opened with beside a cache.
pub(crate) fn context() -> OpenContext {
    OpenContext::new().runtime(Arc::new(TokioRuntime::of(TOKIO.handle().clone())))
}

/// A name that nobody used before, for a schema and a prefix.
pub(crate) fn name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("faults_{:x}_{since:x}_{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs SQL as the superuser of a URL.
pub(crate) fn sql(url: &str, commands: &str) {
    wait(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        client.batch_execute(commands).await.unwrap();
        drop(client);
        let _ = driver.await;
    });
}

/// A user of PostgreSQL, dropped with all that is his.
#[derive(Debug)]
pub(crate) struct Role {
    server: String,
    name: String,
}

impl Role {
    /// One who may log in and nothing else.
    pub(crate) fn new(server: &str, password: &str) -> Self {
        let name = name();
        sql(server, &format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"));
        Self { server: server.to_owned(), name }
    }

    /// One who owns a schema of this name.
    pub(crate) fn owner(server: &str, schema: &str, password: &str) -> Self {
        let role = Self::new(server, password);
        sql(server, &format!("CREATE SCHEMA {schema} AUTHORIZATION {}", role.name));
        role
    }

    /// The server's URL for him, with his password as it stands in URLs.
    pub(crate) fn url(&self, password: &str) -> String {
        let (scheme, rest) = self.server.split_once("://").unwrap();
        format!("{scheme}://{}:{password}@{}", self.name, rest.rsplit_once('@').unwrap().1)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        sql(&self.server, &format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0}", self.name));
    }
}

/// An S3 endpoint and the keys to it, from `http://ACCESS_KEY:SECRET_KEY@host:port`.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) access: String,
    pub(crate) secret: String,
}

impl Endpoint {
    pub(crate) fn of(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (keys, host) = rest.rsplit_once('@').unwrap();
        let (access, secret) = keys.split_once(':').unwrap();
        Self { url: format!("{scheme}://{host}"), access: access.into(), secret: secret.into() }
    }

    /// The URL of blobs below a prefix, with more options.
    pub(crate) fn blobs(&self, bucket: &str, prefix: &str, options: &str) -> String {
        let Self { url, access, secret } = self;
        format!(
            "s3://{bucket}/{prefix}?region=us-east-1&endpoint_url={url}&access_key={access}&secret_key={secret}{options}"
        )
    }

    /// Makes a bucket, unless it is there.
    pub(crate) fn make_bucket(&self, bucket: &str) {
        use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
        let keys = Credentials::new(&self.access, &self.secret, None, None, "tests");
        let config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(keys)
            .endpoint_url(&self.url)
            .force_path_style(true);
        let client = aws_sdk_s3::Client::from_conf(config.build());
        let made = wait(client.create_bucket().bucket(bucket).send());
        if let Err(error) = made {
            assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(409), "{error:?}");
        }
    }
}

/// A store on PostgreSQL and S3, and a proxy before each of them.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) postgres: Proxy,
    pub(crate) s3: Proxy,
    pub(crate) name: String,
    /// The servers themselves.
    server: String,
    endpoint: Endpoint,
    /// The same through the proxies.
    server_behind: String,
    endpoint_behind: Endpoint,
    auditor: OnceLock<Auditor>,
}

/// Another machine that looks after the store.
#[derive(Debug)]
struct Auditor {
    cache: Cache,
    index: Arc<dyn MetadataBackend>,
    blobs: Arc<dyn BlobBackend>,
}

impl Team {
    /// An empty store on the servers that all tests share.
    pub(crate) fn new() -> Self {
        Self::on(&services::postgres())
    }

    /// An empty store on another PostgreSQL.
    pub(crate) fn on(server: &str) -> Self {
        static BUCKET_IS_THERE: OnceLock<()> = OnceLock::new();
        let endpoint = Endpoint::of(&services::s3());
        BUCKET_IS_THERE.get_or_init(|| endpoint.make_bucket(BUCKET));
        let (postgres, server_behind) = Proxy::before(server);
        let (s3, endpoint_behind) = Proxy::before(&services::s3());
        let endpoint_behind = Endpoint::of(&endpoint_behind);
        let (server, name) = (server.to_owned(), name());
        Self { postgres, s3, name, server, endpoint, server_behind, endpoint_behind, auditor: OnceLock::new() }
    }

    /// The URL of the index through the proxy, with more options, each as `&name=value`.
    pub(crate) fn index(&self, options: &str) -> String {
        format!("{}?schema={}{options}", self.server_behind, self.name)
    }

    /// The URL of the blobs through the proxy, with more options, each as `&name=value`.
    pub(crate) fn blobs(&self, options: &str) -> String {
        self.endpoint_behind.blobs(BUCKET, &self.name, options)
    }

    /// A builder of a cache through the proxies that asks its backends at every get.
    pub(crate) fn builder(&self) -> CacheBuilder<Cache> {
        self.builder_with("", "")
    }

    /// The same, with options of the index and of the blobs.
    pub(crate) fn builder_with(&self, index: &str, blobs: &str) -> CacheBuilder<Cache> {
        eager(Cache::builder().metadata(self.index(index)).blobs(self.blobs(blobs)))
    }

    /// A cache of another machine, for which everything works.
    pub(crate) fn elsewhere(&self) -> Cache {
        self.builder_elsewhere().open().unwrap()
    }

    /// A builder of one.
    pub(crate) fn builder_elsewhere(&self) -> CacheBuilder<Cache> {
        let (index, blobs) = self.urls_elsewhere();
        eager(Cache::builder().metadata(index).blobs(blobs))
    }

    /// The URLs of index and blobs without the proxies.
    fn urls_elsewhere(&self) -> (String, String) {
        (format!("{}?schema={}", self.server, self.name), self.endpoint.blobs(BUCKET, &self.name, ""))
    }

    /// The requests that are about blobs of this store.
    pub(crate) fn requests(&self) -> Requests {
        Requests::all().under(&format!("/{BUCKET}/{}/", self.name)).containing(".blob")
    }

    /// Sees that everything works again.
    pub(crate) fn heal(&self) {
        self.postgres.heal();
        self.s3.heal();
    }

    fn auditor(&self) -> &Auditor {
        self.auditor.get_or_init(|| {
            let registry = Bundled::registry().unwrap().backends;
            let (index, blobs) = self.urls_elsewhere();
            let (index, blobs) = (index.parse().unwrap(), blobs.parse().unwrap());
            let (index, blobs) = wait(async {
                let index = registry.open_metadata(&index, &context()).await.unwrap();
                (index, registry.open_blobs(&blobs, &context()).await.unwrap())
            });
            Auditor { cache: self.elsewhere(), index, blobs }
        })
    }

    /// Sweeps without any grace, by another machine; afterwards the bucket holds exactly the blobs that records name, no
    /// upload is left, and every value is whole.
    pub(crate) fn check_swept(&self) {
        self.heal();
        let cache = &self.auditor().cache;
        cache.sweep().unwrap();
        let verified = cache.verify().unwrap();
        assert!(verified.is_clean(), "{verified:?}");
        let Audit { orphans, lost, uploads } = self.audit();
        assert!(orphans.is_empty(), "nobody names {orphans:?}");
        assert!(lost.is_empty(), "records name {lost:?}, which are gone");
        assert_eq!(uploads, 0, "uploads that nobody completed");
    }

    /// Compares what the bucket lists with what the index names, both as their contracts tell it. It ends all uploads.
    pub(crate) fn audit(&self) -> Audit {
        let Auditor { index, blobs, .. } = self.auditor();
        wait(async {
            let (named, stored) = (named(&**index).await, stored(&**blobs).await);
            let counted = index.blobs(&BlobQuery::Named(stored.iter().copied().collect())).await.unwrap();
            let counted: BTreeSet<_> = counted.iter().filter(|blob| blob.references > 0).map(|blob| blob.id).collect();
            let orphans = stored.iter().filter(|id| !named.contains(id) || !counted.contains(id)).copied().collect();
            let lost = named.difference(&stored).copied().collect();
            Audit { orphans, lost, uploads: blobs.discard_remnants(Timestamp::MAX).await.unwrap() }
        })
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        let (server, drop_schema) = (self.server.clone(), format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
        // A server that a test stopped is gone with its schemas.
        wait(async {
            if let Ok((client, connection)) = tokio_postgres::connect(&server, NoTls).await {
                tokio::spawn(connection);
                let _ = client.batch_execute(&drop_schema).await;
            }
        });
    }
}

/// Without copies in memory and compression: each get asks the backends, and sizes are what they look like.
fn eager(builder: CacheBuilder<Cache>) -> CacheBuilder<Cache> {
    let nothing = Duration::ZERO;
    builder.no_memory().compression(Compression::NONE).grace(nothing).delete_grace(nothing)
}

/// What does not fit together.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) orphans: Vec<BlobId>,
    pub(crate) lost: Vec<BlobId>,
    pub(crate) uploads: u64,
}

/// The blobs that records name.
async fn named(index: &dyn MetadataBackend) -> BTreeSet<BlobId> {
    let (mut named, mut after) = (BTreeSet::new(), None::<Cursor>);
    loop {
        let page = index.page(&Query::new().fields(Fields::LEAST), after).await.unwrap();
        assert_eq!(page.unreadable, []);
        named.extend(page.records.iter().filter_map(|record| record.blob()));
        after = page.next;
        if after.is_none() {
            return named;
        }
    }
}

/// The blobs that the bucket lists.
async fn stored(blobs: &dyn BlobBackend) -> BTreeSet<BlobId> {
    let (mut stored, mut after) = (BTreeSet::new(), None);
    loop {
        let page = blobs.list(after, 1000).await.unwrap();
        after = page.last().map(|blob| blob.id);
        stored.extend(page.iter().map(|blob| blob.id).filter(|id| *id != BlobId::STORE));
        if after.is_none() {
            return stored;
        }
    }
}

/// Either face of a cache.
#[derive(Debug, Clone)]
pub(crate) enum Face {
    Blocking(Cache),
    Awaiting(future::Cache),
}

impl Face {
    pub(crate) fn both(cache: &Cache) -> [Self; 2] {
        [Self::Blocking(cache.clone()), Self::Awaiting(future::Cache::from(cache.clone()))]
    }

    pub(crate) fn put(&self, key: &str, value: &Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Blocking(cache) => cache.put(key, value).map(drop),
            Self::Awaiting(cache) => wait(cache.put(key, value)).map(drop),
        }
    }

    pub(crate) fn put_with(&self, key: &str, value: &Vec<u8>, options: PutOptions) -> Result<(), Error> {
        match self {
            Self::Blocking(cache) => cache.put_with(key, value, options).map(drop),
            Self::Awaiting(cache) => wait(cache.put_with(key, value, options)).map(drop),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Blocking(cache) => cache.get(key),
            Self::Awaiting(cache) => wait(cache.get(key)),
        }
    }

    pub(crate) fn invalidate(&self, key: &str) -> Result<bool, Error> {
        match self {
            Self::Blocking(cache) => cache.invalidate(key),
            Self::Awaiting(cache) => wait(cache.invalidate(key)),
        }
    }

    pub(crate) fn get_or_put(&self, key: &str, value: Vec<u8>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Blocking(cache) => cache.get_or_put(key, || value),
            Self::Awaiting(cache) => wait(cache.get_or_put(key, async || value)),
        }
    }

    pub(crate) fn put_many<K: Serialize>(&self, entries: &[(K, Vec<u8>)]) -> Result<(), Error> {
        match self {
            Self::Blocking(cache) => cache.put_many(entries).map(drop),
            Self::Awaiting(cache) => wait(cache.put_many(entries)).map(drop),
        }
    }
}

/// Bytes that no codec makes smaller, which differ with the seed.
pub(crate) fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Three tries with short pauses, and the counters.
pub(crate) fn retry() -> Retry {
    Retry::new().max(3).initial(Duration::from_millis(20))
}

/// A limit for calls that is short, but long enough for what does not hang.
pub(crate) fn limit(milliseconds: u64) -> Timeout {
    Timeout::after(Duration::from_millis(milliseconds))
}

/// The one line that an error is.
pub(crate) fn line(error: &Error) -> String {
    let (line, debug) = (error.to_string(), format!("{error:?}"));
    assert!(!line.contains('\n') && !debug.contains('\n') && line.len() < 600, "{line}");
    let secret = &Endpoint::of(&services::s3()).secret;
    assert!(!line.contains(secret) && !debug.contains(secret), "{line}");
    line
}

/// What a call returns, and that it did so in time.
pub(crate) fn within<T>(limit: Duration, call: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let returned = call();
    let took = began.elapsed();
    assert!(took < limit, "it took {took:?}, and may take {limit:?}");
    returned
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
