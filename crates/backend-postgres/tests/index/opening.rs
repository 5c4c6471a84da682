//! What can be opened, what cannot, and what is made.

use crate::common::{Schema, TOKIO, ask, client, context};
use cacheness_backend_postgres::{PostgresMetadata, register};
use cacheness_storage::{
    BackendRegistry, BackendUrl, Durability, Error, ErrorKind, Fields, MetadataBackend, OnUnmet, OpenContext, Outcome,
    Query,
};
use cacheness_testkit::records::sample;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::{put, remove};

/// Fails to open, with one line that holds no secret.
fn refusal(url: &str, context: &OpenContext) -> Error {
    let url: BackendUrl = url.parse().unwrap();
    let error = TOKIO.block_on(PostgresMetadata::open(&url, context)).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("hush") && !format!("{error:?}").contains("hush"), "{line}");
    error
}

/// The URL of the server of the tests, for another user and database.
fn server(user: &str, rest: &str) -> String {
    let server = cacheness_testkit::services::postgres();
    let (_, place) = server.rsplit_once('@').unwrap();
    let (address, _) = place.split_once('/').unwrap();
    format!("postgres://{user}@{address}/{rest}")
}

fn database() -> String {
    let server = cacheness_testkit::services::postgres();
    server.rsplit_once('/').unwrap().1.to_owned()
}

/// Set in the processes that open a store at once: its URL.
const OPENING: &str = "CACHENESS_TEST_OPENING";

#[test]
fn ten_processes_that_open_at_once_make_one_store() {
    const OWN_NAME: &str = "opening::ten_processes_that_open_at_once_make_one_store";
    if let Ok(url) = env::var(OPENING) {
        return TOKIO.block_on(open_when_told(&url));
    }
    let schema = Schema::new();
    let url = format!("{}?schema={}&pool_size=2", cacheness_testkit::services::postgres(), schema.name);
    let mut processes: Vec<Child> = (0..10)
        .map(|_| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--exact", OWN_NAME, "--nocapture"]).env(OPENING, &url);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    // What they say later needs somewhere to go.
    let mut outputs: Vec<_> =
        processes.iter_mut().map(|process| BufReader::new(process.stdout.take().unwrap()).lines()).collect();
    assert!(outputs.iter_mut().all(|lines| lines.any(|line| line.unwrap().ends_with(READY))));
    processes.iter_mut().for_each(|process| drop(process.stdin.take()));
    let ends: Vec<_> = processes.iter_mut().map(|process| process.wait().unwrap().success()).collect();
    assert_eq!(ends, [true; 10]);
    TOKIO.block_on(async {
        assert_eq!(schema.ask("SELECT count(*) FROM {schema}.cacheness_migrations").await, ["1"]);
        assert_eq!(schema.ask("SELECT count(*) FROM {schema}.cacheness_totals").await, ["64"]);
        assert_eq!(schema.open("").await.unwrap().stats().await.unwrap().entries, 10);
    });
}

/// What a process says before it waits for its input to end.
const READY: &str = "ready to open";

#[allow(clippy::print_stdout)]
async fn open_when_told(url: &str) {
    println!("{READY}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let store = PostgresMetadata::open(&url.parse().unwrap(), &context()).await.unwrap();
    let own = sample(&std::process::id().to_string());
    let outcomes = store.commit(vec![put(own)], OnUnmet::Abort).await.unwrap();
    assert!(outcomes.iter().all(Outcome::is_applied));
}

#[test]
fn a_later_version_of_the_tables_is_refused() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        drop(schema.open("").await.unwrap());
        schema.ask("INSERT INTO {schema}.cacheness_migrations (number, application) VALUES (99, 'cacheness')").await;
        for context in [context(), context().read_only(true)] {
            let error = PostgresMetadata::open(&schema.url(""), &context).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FormatTooNew);
        }
    });
}

#[test]
fn tables_of_somebody_else_are_refused_and_stay() {
    for foreign in [
        "CREATE TABLE {schema}.cacheness_records (x integer)",
        "CREATE VIEW {schema}.cacheness_totals AS SELECT 1 AS x",
        "CREATE TABLE {schema}.cacheness_migrations (x integer)",
        "CREATE TABLE {schema}.cacheness_migrations (number integer, application text)",
    ] {
        let schema = Schema::new();
        TOKIO.block_on(async {
            schema.ask("CREATE SCHEMA {schema}").await;
            schema.ask(foreign).await;
            for context in [context(), context().read_only(true)] {
                let error = PostgresMetadata::open(&schema.url(""), &context).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ForeignStore, "{foreign}");
            }
            let count = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = '{schema}'";
            assert_eq!(schema.ask(count).await, ["1"], "{foreign}");
            schema.open("&table_prefix=mine_").await.unwrap();
        });
    }
}

#[test]
fn stores_of_other_prefixes_and_schemas_are_strangers() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let one = schema.open("&table_prefix=one_").await.unwrap();
        let other = schema.open("&table_prefix=One_").await.unwrap();
        one.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        assert_eq!(other.get(&["key".into()], Fields::ALL).await.unwrap(), [None]);
        assert_eq!((one.stats().await.unwrap().entries, other.stats().await.unwrap().entries), (1, 0));
        other.commit(vec![put(sample("key")), put(sample("another"))], OnUnmet::Abort).await.unwrap();
        other.commit(vec![remove("key")], OnUnmet::Abort).await.unwrap();
        assert_eq!(one.page(&Query::new(), None).await.unwrap().records.len(), 1);
        let elsewhere = Schema::new();
        let third = elsewhere.open("&table_prefix=one_").await.unwrap();
        assert_eq!(third.stats().await.unwrap().entries, 0, "the same tables in another schema");
        third.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        third.commit(vec![remove("key")], OnUnmet::Abort).await.unwrap();
        assert!(one.get(&["key".into()], Fields::ALL).await.unwrap()[0].is_some());
        assert!(one.to_string().ends_with("&table_prefix=one_") && !one.to_string().contains("postgres@"), "{one}");
    });
}

#[test]
fn who_may_not_log_in_learns_so() {
    for user in ["nobody:hush", "postgres:hush", "nobody"] {
        let error = refusal(&server(user, &database()), &context());
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        assert!(!error.is_retryable());
    }
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let context = context();
    let unknown = refusal("postgres://me:hush@no-such-host.invalid/db?connect_timeout_ms=20000", &context);
    assert_eq!(unknown.kind(), ErrorKind::Unavailable, "{unknown}");
    assert!(unknown.to_string().contains("host cannot be found"), "{unknown}");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = refusal(&format!("postgres://me:hush@127.0.0.1:{port}/db"), &context);
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Unavailable, true), "{refused}");
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for sslmode in ["disable", "require"] {
        let url = format!("postgres://me:hush@127.0.0.1:{port}/db?connect_timeout_ms=100&sslmode={sslmode}");
        let error = refusal(&url, &context());
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
    }
}

#[test]
fn a_missing_database_is_named_as_such() {
    let own = cacheness_testkit::services::postgres();
    let (server, _) = own.rsplit_once('/').unwrap();
    let error = refusal(&format!("{server}/no_such_database"), &context());
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    TOKIO.block_on(async {
        if ask("SHOW ssl").await != ["off"] {
            return;
        }
        let schema = Schema::new();
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = schema.open(&format!("&sslmode={mode}")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains("TLS"), "{error}");
        }
        for mode in ["disable", "prefer"] {
            schema.open(&format!("&sslmode={mode}")).await.unwrap();
        }
    });
}

#[test]
fn a_database_that_is_not_in_utf8_is_refused() {
    let name = Schema::new().name.clone();
    TOKIO.block_on(async {
        let options = "ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
        client().await.batch_execute(&format!("CREATE DATABASE {name} {options}")).await.unwrap();
    });
    let own = cacheness_testkit::services::postgres();
    let (server, _) = own.rsplit_once('/').unwrap();
    let error = refusal(&format!("{server}/{name}"), &context());
    TOKIO.block_on(async { client().await.batch_execute(&format!("DROP DATABASE {name} (FORCE)")).await.unwrap() });
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("UTF8"), "{error}");
}

/// A user with a password, dropped with what belongs to it.
struct User {
    name: String,
}

impl User {
    fn new() -> Self {
        let name = format!("user_{}", Schema::new().name);
        TOKIO.block_on(async {
            client().await.batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'hush'")).await.unwrap();
        });
        Self { name }
    }

    fn grant(&self, sql: &str) {
        TOKIO.block_on(async { client().await.batch_execute(&sql.replace("{user}", &self.name)).await.unwrap() });
    }

    fn url(&self, schema: &Schema, options: &str) -> String {
        server(&format!("{}:hush", self.name), &format!("{}?schema={}{options}", database(), schema.name))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.grant("DROP OWNED BY {user} CASCADE; DROP ROLE {user}");
    }
}

#[test]
fn a_user_without_permissions_learns_what_is_missing() {
    let (user, schema) = (User::new(), Schema::new());
    let missing = refusal(&user.url(&schema, ""), &context());
    assert_eq!(missing.kind(), ErrorKind::Permission, "the schema cannot be made: {missing}");
    TOKIO.block_on(async { drop(schema.ask("CREATE SCHEMA {schema}").await) });
    user.grant(&format!("GRANT USAGE ON SCHEMA {} TO {{user}}", schema.name));
    let owned = refusal(&user.url(&schema, ""), &context());
    assert_eq!(owned.kind(), ErrorKind::Permission, "the schema is somebody else's: {owned}");
    TOKIO.block_on(async { drop(schema.open("").await.unwrap()) });
    let unreadable = refusal(&user.url(&schema, ""), &context());
    assert_eq!(unreadable.kind(), ErrorKind::Permission, "the tables are somebody else's: {unreadable}");
}

#[test]
fn the_permissions_that_the_documentation_lists_are_enough() {
    let (user, schema) = (User::new(), Schema::new());
    TOKIO.block_on(async { drop(schema.open("").await.unwrap()) });
    user.grant(&format!(
        "GRANT USAGE ON SCHEMA {0} TO {{user}}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO {{user}}",
        schema.name
    ));
    TOKIO.block_on(async {
        for options in ["", "&coherence=notify"] {
            let url = user.url(&schema, options).parse().unwrap();
            let store = PostgresMetadata::open(&url, &context()).await.unwrap();
            store.commit(vec![put(sample("a")), put(sample("b"))], OnUnmet::Abort).await.unwrap();
            store.commit(vec![remove("a")], OnUnmet::Abort).await.unwrap();
        }
    });
    user.grant(&format!("REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {} FROM {{user}}", schema.name));
    TOKIO.block_on(async {
        let url = user.url(&schema, "").parse().unwrap();
        let reader = PostgresMetadata::open(&url, &context().read_only(true)).await.unwrap();
        assert!(reader.get(&["b".into()], Fields::ALL).await.unwrap()[0].is_some());
        let writer = PostgresMetadata::open(&url, &context()).await.unwrap();
        let error = writer.commit(vec![put(sample("c"))], OnUnmet::Abort).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
    });
}

#[test]
fn a_store_that_is_not_there_is_not_made_read_only() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let error = PostgresMetadata::open(&schema.url(""), &context().read_only(true)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(schema.ask("SELECT nspname FROM pg_namespace WHERE nspname = '{schema}'").await, [""; 0]);
        drop(schema.open("").await.unwrap());
        let listening = schema.url("&coherence=notify");
        let error = PostgresMetadata::open(&listening, &context().read_only(true)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "nobody announces anything: {error}");
        drop(PostgresMetadata::open(&listening, &context()).await.unwrap());
        PostgresMetadata::open(&listening, &context().read_only(true)).await.unwrap();
    });
}

#[test]
fn a_runtime_without_network_is_refused() {
    let schema = Schema::new();
    let error =
        refusal(&format!("{}?schema={}", cacheness_testkit::services::postgres(), schema.name), &OpenContext::new());
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("tokio"), "{error}");
    let url = schema.url("");
    let outside = cacheness_core::runtime::block_on(PostgresMetadata::open(&url, &context())).unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::Config);
}

#[test]
fn a_registry_knows_both_schemes_and_checks_before_it_opens() {
    let mut registry = BackendRegistry::empty();
    register(&mut registry).unwrap();
    for scheme in ["postgres", "postgresql"] {
        registry.check_metadata(&format!("{scheme}://me:x@host/db").parse().unwrap()).unwrap();
        for wrong in ["//host/db", "//me:x@host/db?table_prefix=a-b", "//me:x@host/db?pool=1", "db"] {
            let url: BackendUrl = format!("{scheme}:{wrong}").parse().unwrap();
            assert_eq!(registry.check_metadata(&url).unwrap_err().kind(), ErrorKind::Config, "{url}");
        }
    }
    let schema = Schema::new();
    TOKIO.block_on(async {
        let index = registry.open_metadata(&schema.url(""), &context()).await.unwrap();
        assert_eq!(index.stats().await.unwrap().entries, 0);
    });
}

#[test]
fn durability_is_what_the_server_can_promise() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = PostgresMetadata::open(&schema.url(""), &context().durability(Durability::Full)).await.unwrap();
        let fsync = ask("SHOW fsync").await == ["on"];
        assert_eq!(store.info().capabilities.full_durability, fsync);
        let commits = Arc::new(store);
        commits.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
    });
}

#[test]
fn the_pool_grows_to_its_size_and_tells() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = Arc::new(schema.open("&pool_size=3").await.unwrap());
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let store = store.clone();
                TOKIO.spawn(
                    async move { store.commit(vec![put(sample(&format!("{n}")))], OnUnmet::Abort).await.unwrap() },
                )
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let stats = store.pool_stats();
        assert_eq!((stats.max_size, stats.waiting), (3, 0));
        assert!((1..=3).contains(&stats.size) && stats.available <= stats.size, "{stats:?}");
    });
}
