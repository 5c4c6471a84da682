//! What callers learn when connections, servers and locks fail, and that it goes on afterwards.

use crate::common::{Schema, TOKIO, client};
use crate::{put, recount};
use cacheness_storage::{
    Change, Condition, EntryKey, ErrorKind, Fields, Filter, MetadataBackend, OnUnmet, Outcome, Patch, Query, Reclaim,
    ReclaimOrder, Reclaimed,
};
use cacheness_testkit::records::{NOW, sample, version};
use std::task::{Context, Waker};
use std::time::Duration;

/// A trigger that runs SQL when a transaction that wrote a record commits.
async fn at_commit(schema: &Schema, sql: &str) {
    let function = format!(
        "CREATE FUNCTION {0}.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM {sql}; RETURN NULL; END $$; \
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE ON {0}.cacheness_records DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION {0}.at_commit()",
        schema.name
    );
    client().await.batch_execute(&function).await.unwrap();
}

#[test]
fn a_connection_that_is_lost_during_the_commit_leaves_it_open_whether_it_happened() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("&coherence=notify").await.unwrap();
        at_commit(&schema, "pg_terminate_backend(pg_backend_pid())").await;
        for changes in [vec![put(sample("one"))], vec![put(sample("a")), put(sample("b"))]] {
            let error = store.commit(changes, OnUnmet::Abort).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
            assert!(error.to_string().contains("may have happened"), "{error}");
            assert_eq!(store.committed(), None, "nobody knows the totals");
        }
        schema.ask("DROP TRIGGER at_commit ON {schema}.cacheness_records").await;
        store.commit(vec![put(sample("one"))], OnUnmet::Abort).await.unwrap();
    });
}

#[test]
fn a_commit_that_the_server_refuses_at_its_end_did_not_happen() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        at_commit(&schema, "1 / 0").await;
        for changes in [vec![put(sample("one"))], vec![put(sample("a")), put(sample("b"))]] {
            let error = store.commit(changes, OnUnmet::Abort).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Metadata, "{error}");
        }
        assert_eq!(crate::totals(&store).await, [0; 4]);
        assert_eq!(recount(&schema, "cacheness_").await, [0; 4]);
    });
}

#[test]
fn connections_that_the_server_ended_are_replaced() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema
            .open("&application_name=to-be-ended-{}&pool_size=2".replace("{}", &schema.name[5..25]).as_str())
            .await
            .unwrap();
        store.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        let name = format!("to-be-ended-{}", &schema.name[5..25]);
        let ended = client()
            .await
            .query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", &[&name])
            .await
            .unwrap();
        assert!(!ended.is_empty());
        // Whoever meets an ended connection learns that trying again helps; the next one gets another connection.
        for _ in 0..3 {
            match store.get(&["key".into()], Fields::ALL).await {
                Ok(found) => assert!(found[0].is_some()),
                Err(error) => {
                    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}")
                }
            }
        }
        assert!(store.get(&["key".into()], Fields::ALL).await.unwrap()[0].is_some());
    });
}

#[test]
fn a_lock_that_somebody_keeps_is_not_waited_for_for_ever() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("&statement_timeout_ms=200").await.unwrap();
        store.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        let mut blocker = client().await;
        let transaction = blocker.transaction().await.unwrap();
        transaction
            .batch_execute(&format!("SELECT * FROM {}.cacheness_records FOR UPDATE", schema.name))
            .await
            .unwrap();
        for changes in [vec![put(sample("key"))], vec![put(sample("key")), put(sample("other"))]] {
            let error = store.commit(changes, OnUnmet::Abort).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
        }
        let plan = Reclaim::all(Filter::All, ReclaimOrder::Key);
        assert_eq!(store.reclaim(&plan).await.unwrap(), Reclaimed::default(), "a reclaim passes over what is locked");
        transaction.rollback().await.unwrap();
        assert!(store.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap()[0].is_applied());
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

#[test]
fn only_one_machine_reclaims_at_a_time() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let (one, other) = (schema.open("").await.unwrap(), schema.open("&table_prefix=other_").await.unwrap());
        for store in [&one, &other] {
            store.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        }
        let at_it = client().await;
        let lock =
            format!("SELECT pg_advisory_lock(hashtextextended('cacheness reclaim {}.cacheness_', 0))", schema.name);
        at_it.batch_execute(&lock).await.unwrap();
        let plan = Reclaim::all(Filter::All, ReclaimOrder::Key);
        assert_eq!(one.reclaim(&plan).await.unwrap(), Reclaimed { busy: true, ..Reclaimed::default() });
        assert_eq!(other.reclaim(&plan).await.unwrap().keys, ["key".into()], "another store is another matter");
        at_it.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
        assert_eq!(one.reclaim(&plan).await.unwrap().keys, ["key".into()]);
    });
}

#[test]
fn a_commit_that_is_dropped_holds_no_locks() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        let other = schema.open("&statement_timeout_ms=10000").await.unwrap();
        let changes = |n| vec![put(cacheness_storage::Record { version: version(n), ..sample("a") }), put(sample("b"))];
        for store in [&store, &other] {
            store.commit(changes(0), OnUnmet::Abort).await.unwrap();
        }
        for pause in 0..12 {
            let mut commit = store.commit(changes(1 + pause), OnUnmet::Abort);
            let is_done = commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
            assert!(!is_done, "it waits for the server");
            // The answers arrive while nobody looks; then it goes on to the next step, and is dropped there or before.
            tokio::time::sleep(Duration::from_millis(pause % 4 * 5)).await;
            if pause % 2 == 0 {
                drop(commit.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            }
            drop(commit);
            let outcomes = other.commit(changes(100 + pause), OnUnmet::Abort).await.unwrap();
            assert!(outcomes.iter().all(Outcome::is_applied));
        }
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

#[test]
fn a_key_that_no_index_could_hold_is_refused_and_never_there() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        // Nothing that PostgreSQL could make shorter.
        let long = |length| -> String {
            let mut number = 1_u64;
            std::iter::repeat_with(|| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'!' + u8::try_from((number >> 33) % 90).unwrap())
            })
            .take(length)
            .collect()
        };
        store.commit(vec![put(sample(&long(2600)))], OnUnmet::Abort).await.unwrap();
        for changes in [vec![put(sample(&long(2601)))], vec![put(sample("a")), put(sample(&long(9000)))]] {
            let error = store.commit(changes, OnUnmet::Skip).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidKey);
        }
        let key = EntryKey::new(long(20_000));
        assert_eq!(store.get(std::slice::from_ref(&key), Fields::ALL).await.unwrap(), [None]);
        let patch = Box::new(Patch::new(version(1), NOW));
        let changes =
            vec![Change::Patch { key: key.clone(), patch, condition: Condition::Always }, crate::remove(key.as_str())];
        let outcomes = store.commit(changes, OnUnmet::Skip).await.unwrap();
        assert_eq!(outcomes[0], Outcome::Unmet { current: None });
        assert!(outcomes[1].is_applied());
        assert_eq!(store.page(&Query::new().prefix(long(3000)), None).await.unwrap().records, []);
    });
}

#[test]
fn a_replica_lists_and_where_it_fails_the_first_server_does() {
    let schema = Schema::new();
    let escaped = |url: &str| url.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('@', "%40");
    TOKIO.block_on(async {
        let server = cacheness_testkit::services::postgres();
        let store = schema.open(&format!("&replica={}", escaped(&server))).await.unwrap();
        store.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        let listed = async || store.page(&Query::new(), None).await.unwrap().records.len();
        assert_eq!(listed().await, 1);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dead = escaped(&format!("postgres://me:hush@127.0.0.1:{port}/db"));
        let without = schema.open(&format!("&replica={dead}")).await.unwrap();
        assert_eq!(without.page(&Query::new(), None).await.unwrap().records.len(), 1);
        assert!(!format!("{without:?} {without}").contains("hush"));
    });
}
