//! Connections: how they are made, lent, given up when they do not answer, and counted.

use crate::pipeline::{self, Step};
use crate::server::Server;
use crate::{PostgresConfig, SslMode, failure};
use cacheness_core::runtime::BoxFuture;
use cacheness_storage::{Durability, Error, ErrorKind, OpenContext, Result};
use deadpool_postgres::{ClientWrapper, Connect, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::future::poll_fn;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error as PgError, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How many connections there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// How many there may be.
    pub max_size: usize,
    /// How many there are, in use or not.
    pub size: usize,
    /// How many of these are not in use.
    pub available: usize,
    /// How many calls wait for one.
    pub waiting: usize,
}

/// The connections to one server.
pub(crate) struct Connections {
    pool: Pool,
    /// How long an answer is waited for.
    answer: Duration,
}

impl Connections {
    /// Connects nowhere yet. What connections do in the background, they do on `handle`.
    pub(crate) fn new(
        server: &Server,
        config: &PostgresConfig,
        context: &OpenContext,
        tls: MakeRustlsConnect,
        handle: Handle,
    ) -> Result<Self> {
        let connect = OnHandle { tls, handle };
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(settings(server, config, context), connect, manager);
        let pool = Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(config.acquire_timeout()))
            .create_timeout(Some(config.connect_timeout()))
            .build()
            .map_err(|source| Error::new(ErrorKind::Internal, "there is no pool of connections").source(source))?;
        Ok(Self { pool, answer: config.answer_timeout() })
    }

    /// Lends a connection.
    pub(crate) async fn lend(&self) -> Result<Session> {
        let object = self.pool.get().await.map_err(failure::no_connection)?;
        Ok(Session { object: Some(object), answer: self.answer, settled: true })
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let status = self.pool.status();
        PoolStats { max_size: status.max_size, size: status.size, available: status.available, waiting: status.waiting }
    }
}

/// What every connection begins with.
pub(crate) fn settings(server: &Server, config: &PostgresConfig, context: &OpenContext) -> Config {
    let mut settings = Config::new();
    settings
        .host(&*server.host)
        .port(server.port)
        .user(&*server.user)
        .dbname(&*server.database)
        .application_name(&*config.application_name)
        .connect_timeout(config.connect_timeout())
        .tcp_user_timeout(config.answer_timeout())
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .ssl_mode(match config.sslmode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
        });
    if let Some(password) = &server.password {
        settings.password(password);
    }
    // A transaction that stands still holds locks: its process died, or its network did.
    let mut options = format!(
        "-c statement_timeout={timeout} -c idle_in_transaction_session_timeout={timeout} \
        -c default_transaction_isolation=read\\ committed -c client_min_messages=error -c jit=off",
        timeout = config.statement_timeout_ms
    );
    if context.durability == Durability::Full {
        options.push_str(" -c synchronous_commit=on");
    }
    if context.read_only {
        options.push_str(" -c default_transaction_read_only=on");
    }
    settings.options(options);
    settings
}

/// Connects, and keeps connections going, on the runtime that the index was opened on, wherever it is used.
struct OnHandle {
    tls: MakeRustlsConnect,
    handle: Handle,
}

impl Connect for OnHandle {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), PgError>> {
        let (config, tls) = (config.clone(), self.tls.clone());
        let mut connecting = Box::pin(async move { config.connect(tls).await });
        Box::pin(async move {
            let connected = poll_fn(|context| {
                let _on = self.handle.enter();
                connecting.as_mut().poll(context)
            });
            let (client, connection) = connected.await?;
            // What ends a connection, its next user is told.
            let driver = self.handle.spawn(async move { drop(connection.await) });
            Ok((client, driver))
        })
    }
}

/// A connection on loan. It goes back to the pool when it is dropped, unless it is [in doubt](Self::doubt).
pub(crate) struct Session {
    object: Option<Object>,
    answer: Duration,
    settled: bool,
}

impl Session {
    /// The connection.
    pub(crate) fn client(&self) -> Result<&ClientWrapper> {
        self.object.as_deref().ok_or_else(|| Error::new(ErrorKind::Unavailable, "the connection was given up"))
    }

    /// A statement, prepared once for each connection.
    pub(crate) async fn prepared(&mut self, sql: &str) -> Result<Statement> {
        let prepared = timeout(self.answer, self.client()?.prepare_cached(sql)).await;
        self.answered(prepared)?.map_err(failure::failure)
    }

    /// The rows of a statement that is prepared once for each connection.
    pub(crate) async fn ask(&mut self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let client = self.client()?;
        let asking = async { client.query(&client.prepare_cached(sql).await?, values).await };
        let rows = timeout(self.answer, asking).await;
        self.answered(rows)?.map_err(failure::failure)
    }

    /// The rows of a statement that is not kept, in one round trip.
    pub(crate) async fn ask_once(&mut self, sql: &str, values: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>> {
        let rows = timeout(self.answer, self.client()?.query_typed(sql, values)).await;
        self.answered(rows)?.map_err(failure::failure)
    }

    /// Sends steps one behind the other, and gives what they answered, as [`pipeline::run`].
    pub(crate) async fn run(&mut self, steps: &[Step<'_>]) -> Result<Vec<Result<Vec<Row>, PgError>>> {
        let answers = timeout(self.answer, pipeline::run(self.client()?, steps)).await;
        self.answered(answers)
    }

    /// Runs commands without values.
    pub(crate) async fn command(&mut self, sql: &str) -> Result<()> {
        let done = timeout(self.answer, self.client()?.batch_execute(sql)).await;
        self.answered(done)?.map_err(failure::failure)
    }

    /// Takes a transaction back, and does not wait for it.
    pub(crate) fn roll_back(&mut self) {
        if let Some(object) = &self.object {
            pipeline::leave(object, "ROLLBACK");
        }
        self.settled = true;
    }

    fn answered<T>(&mut self, waited: Result<T, Elapsed>) -> Result<T> {
        waited.map_err(|_| {
            self.doubt();
            failure::unanswered()
        })
    }

    /// A transaction begins: until it is [settled](Self::settle), dropping this gives the connection up.
    pub(crate) fn unsettle(&mut self) {
        self.settled = false;
    }

    /// The transaction ended, or its end was sent.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }

    /// Gives the connection up: nobody knows what state it is in. The server takes back what is not committed.
    pub(crate) fn doubt(&mut self) {
        drop(self.object.take().map(Object::take));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.settled {
            self.doubt();
        }
    }
}
