//! A PostgreSQL for the tests: a schema of its own for each store, dropped with it, and a runtime for all.

use cacheness_backend_postgres::PostgresMetadata;
use cacheness_core::runtime::{BoxFuture, Job};
use cacheness_storage::{BackendUrl, OpenContext, Result, Runtime};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime as Tokio;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// What every test of this process runs on.
pub(crate) static TOKIO: LazyLock<Tokio> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// A runtime that says of itself that it does network I/O, and does.
#[derive(Debug)]
pub(crate) struct OnTokio;

impl Runtime for OnTokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TOKIO.spawn(task);
    }

    fn spawn_blocking(&self, job: Job) {
        TOKIO.spawn_blocking(job);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(duration).await })
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

/// A schema of its own in the database of the tests, dropped when this is.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
}

impl Schema {
    /// A name that nobody used before.
    pub(crate) fn new() -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { name: format!("test_{:x}_{since:x}_{count:x}", std::process::id()) })
    }

    /// A URL of a store in it, with more options.
    pub(crate) fn url(&self, options: &str) -> BackendUrl {
        let server = cacheness_testkit::services::postgres();
        format!("{server}?schema={}{options}", self.name).parse().unwrap()
    }

    /// Opens a store in it.
    pub(crate) async fn open(&self, options: &str) -> Result<PostgresMetadata> {
        PostgresMetadata::open(&self.url(options), &context()).await
    }

    /// What one query says, by its first column.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        ask(&sql.replace("{schema}", &self.name)).await
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        // A thread of its own: a store may be dropped inside a task.
        let dropping =
            std::thread::spawn(move || TOKIO.block_on(async move { drop(client().await.batch_execute(&sql).await) }));
        drop(dropping.join());
    }
}

/// What stores are opened with.
pub(crate) fn context() -> OpenContext {
    OpenContext::new().runtime(Arc::new(OnTokio))
}

/// A connection of a superuser.
pub(crate) async fn client() -> Client {
    let (client, connection) = tokio_postgres::connect(&cacheness_testkit::services::postgres(), NoTls).await.unwrap();
    TOKIO.spawn(connection);
    client
}

/// What one query says, by its first column.
pub(crate) async fn ask(sql: &str) -> Vec<String> {
    let rows = client().await.simple_query(sql).await.unwrap();
    let text = |row: &SimpleQueryMessage| match row {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    rows.iter().filter_map(text).collect()
}
