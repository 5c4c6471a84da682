//! Places of stores on the servers of the tests: a schema and a prefix for each directory, so that all who are given the
//! same directory open the same store, and a clock of the server that a test moves.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use cacheness::TokioRuntime;
use cacheness::core::{Clock, ManualClock, Runtime as _, Timestamp};
use cacheness_testkit::services;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::pin::pin;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

/// The bucket of all stores of these tests.
const BUCKET: &str = "cacheness-tests";

/// What the store's own blob is called.
const STORE: &str = "00000000000000000000000000000000";

/// The user whose server shows the time that a test says, and the schema with what makes it so. Functions are looked for
/// there before PostgreSQL's own: its `statement_timestamp` is what the test of the connection's `application_name` set.
const CLOCK: &str = "cacheness_tests_clock";

/// What talks to the servers beside the caches: never a runtime of theirs, whose threads may all be waiting for this.
static TOKIO: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

static POSTGRES: LazyLock<tokio_postgres::Client> = LazyLock::new(|| {
    TOKIO.block_on(async {
        let (client, connection) = tokio_postgres::connect(&services::postgres(), NoTls).await.unwrap();
        TOKIO.spawn(connection);
        client
    })
});

/// The schemas that this process may have made stores in.
static SCHEMAS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Runs a future to its end, also where another runtime is at work on this thread.
fn run<R: Send>(future: impl Future<Output = R> + Send) -> R {
    std::thread::scope(|scope| scope.spawn(|| TOKIO.block_on(future)).join()).unwrap()
}

fn sql(sql: &str) {
    // Made on a thread where that is allowed, not inside the future.
    let client = std::thread::scope(|scope| scope.spawn(|| &*POSTGRES).join()).unwrap();
    run(client.batch_execute(sql)).unwrap();
}

/// What the places of a directory's store are called.
pub fn name(dir: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    format!("tests_{:016x}", hasher.finish())
}

/// An index in a schema of its own for a directory.
pub fn postgres(dir: &Path) -> String {
    let name = name(dir);
    SCHEMAS.lock().unwrap().insert(name.clone());
    format!("{}?schema={name}&application_name={name}&pool_size=4", services::postgres())
}

/// The same for a server that shows the time of a [`ServerClock`].
pub fn clocked_postgres(dir: &Path) -> String {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(provide_clock);
    let url = postgres(dir);
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    format!("{scheme}://{CLOCK}:{CLOCK}@{place}")
}

fn provide_clock() {
    sql(&format!(
        "BEGIN;
        SELECT pg_advisory_xact_lock(hashtextextended('{CLOCK}', 0));
        CREATE SCHEMA IF NOT EXISTS {CLOCK};
        CREATE TABLE IF NOT EXISTS {CLOCK}.clocks (name text PRIMARY KEY, shows timestamptz NOT NULL);
        CREATE OR REPLACE FUNCTION {CLOCK}.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
            AS 'SELECT shows FROM {CLOCK}.clocks WHERE name = current_setting(''application_name'')';
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{CLOCK}') THEN
                CREATE ROLE {CLOCK} LOGIN PASSWORD '{CLOCK}';
                ALTER ROLE {CLOCK} SET search_path = {CLOCK}, pg_catalog;
                GRANT {CLOCK} TO CURRENT_USER;
            END IF;
            EXECUTE format('GRANT CREATE ON DATABASE %I TO {CLOCK}', current_database());
        END $$;
        GRANT USAGE ON SCHEMA {CLOCK} TO {CLOCK};
        GRANT SELECT ON {CLOCK}.clocks TO {CLOCK};
        COMMIT"
    ));
}

/// A clock that a test moves, and the server's with it: making one sets the server's, and whoever asks for the time after
/// it was moved sets it first.
#[derive(Debug)]
pub struct ServerClock {
    own: ManualClock,
    name: String,
    shown: Mutex<Option<Timestamp>>,
}

impl ServerClock {
    /// The clock of the server for the store of a directory.
    pub fn new(dir: &Path, own: ManualClock) -> Self {
        let clock = Self { own, name: name(dir), shown: Mutex::new(None) };
        // A store is opened before anybody asks for the time.
        clock.now();
        clock
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.own.now();
        if *shown != Some(now) {
            const HOUR: i64 = 3_600_000_000;
            let (hours, rest) = (now.as_micros().div_euclid(HOUR), now.as_micros().rem_euclid(HOUR));
            sql(&format!(
                "INSERT INTO {CLOCK}.clocks VALUES ('{}', timestamptz 'epoch' + {hours} * interval '1 hour' + {rest} * \
                interval '1 microsecond') ON CONFLICT (name) DO UPDATE SET shows = excluded.shows",
                self.name
            ));
            *shown = Some(now);
        }
        now
    }
}

/// The endpoint of the tests with its two keys.
fn endpoint() -> (String, String, String) {
    let url = services::s3();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (keys, host) = rest.rsplit_once('@').unwrap();
    let (access, secret) = keys.split_once(':').unwrap();
    (format!("{scheme}://{host}"), access.into(), secret.into())
}

/// Blobs below a prefix of their own for a directory, in a bucket that is made if it is missing.
pub fn s3(dir: &Path) -> String {
    static BUCKET_IS_THERE: OnceLock<()> = OnceLock::new();
    let (endpoint, access, secret) = endpoint();
    BUCKET_IS_THERE.get_or_init(|| run(make_bucket(client())));
    let place = format!("s3://{BUCKET}/{}", name(dir));
    format!("{place}?region=us-east-1&endpoint_url={endpoint}&access_key={access}&secret_key={secret}")
}

fn client() -> Client {
    let (endpoint, access, secret) = endpoint();
    let config = Builder::new()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new(access, secret, None, None, "tests"))
        .endpoint_url(endpoint)
        .force_path_style(true);
    Client::from_conf(config.build())
}

async fn make_bucket(client: Client) {
    if let Err(error) = client.create_bucket().bucket(BUCKET).send().await {
        let status = error.raw_response().map(|response| response.status().as_u16());
        assert_eq!(status, Some(409), "{error:?}");
    }
}

/// How many blobs, the store's own not counted, lie in S3 for a directory.
pub fn blobs(dir: &Path) -> u64 {
    let prefix = format!("{}/", name(dir));
    let mut pages = client().list_objects_v2().bucket(BUCKET).prefix(prefix).into_paginator().send();
    run(async {
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let keys = page.contents().iter().filter_map(|object| object.key());
            count += keys.filter(|key| key.ends_with(".blob") && !key.ends_with(&format!("/{STORE}.blob"))).count();
        }
        count as u64
    })
}

/// Begins an upload in parts for a directory, as somebody does who is killed then.
pub fn begin_upload(dir: &Path) {
    let key = format!("{}/ab/ab{}.blob", name(dir), "0".repeat(30));
    let begun = client();
    run(async {
        let upload = begun.create_multipart_upload().bucket(BUCKET).key(&key).send().await.unwrap();
        let part = begun.upload_part().bucket(BUCKET).key(&key).set_upload_id(upload.upload_id).part_number(1);
        part.body(vec![0; 1000].into()).send().await.unwrap();
    });
}

/// How many uploads in parts were begun and not ended for a directory.
pub fn uploads(dir: &Path) -> usize {
    let prefix = format!("{}/", name(dir));
    let asking = client();
    let page = run(async { asking.list_multipart_uploads().bucket(BUCKET).prefix(prefix).send().await });
    page.unwrap().uploads().len()
}

/// Runs a future of a backend where its reactor is.
pub fn block_on<R>(future: impl Future<Output = R>) -> R {
    let mut result = None;
    {
        let mut task = pin!(async { result = Some(future.await) });
        TokioRuntime::global().unwrap().block_on(task.as_mut());
    }
    result.unwrap()
}

/// Whether connections are open to the store of a directory, of any process.
pub fn is_connected_to(dir: &Path) -> bool {
    let client = std::thread::scope(|scope| scope.spawn(|| &*POSTGRES).join()).unwrap();
    let asked = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1)";
    run(async { client.query_one(asked, &[&name(dir)]).await }).unwrap().get(0)
}

/// Drops the schema of a directory's store, if this process ever named it. Nobody has it open any more.
pub fn drop_schema(dir: &Path) {
    let name = name(dir);
    if SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner).remove(&name) {
        // Whoever still holds a lock there is another test that failed.
        sql(&format!(
            "SET client_min_messages = error; SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS {name} CASCADE; \
            DO $$ BEGIN DELETE FROM {CLOCK}.clocks WHERE name = '{name}'; EXCEPTION WHEN OTHERS THEN END $$"
        ));
    }
}
