//! Puts of one opening that come while others are under way, and go together.

use crate::common::{Schema, TOKIO, context};
use crate::{put, recount, remove};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_storage::{Change, Condition, EntryKey, Fields, MetadataBackend, OnUnmet, Outcome, Record, Version};
use cacheness_testkit::SeededRng;
use cacheness_testkit::proxy::{Direction, Fault, Proxy};
use cacheness_testkit::records::{blob, in_blob, inline, sample, version};
use cacheness_testkit::services;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How many puts there are, most of which come while others are under way.
const PUTS: u64 = 60;

/// A put as a cache makes it: who has the lease of the key loses it.
fn put_with_lease(record: Record) -> Vec<Change> {
    let lease = EntryKey::system(&format!("lease {}", record.key));
    vec![put(record), Change::Remove { key: lease, condition: Condition::Always }]
}

/// Opens a store behind a proxy that keeps answers back for a while.
async fn behind_a_slow_network(schema: &Schema) -> (Arc<PostgresMetadata>, Proxy) {
    let (proxy, server) = Proxy::before(&services::postgres());
    let url = format!("{server}?schema={}&pool_size=4&sslmode=disable", schema.name);
    let store = PostgresMetadata::open(&url.parse().unwrap(), &context()).await.unwrap();
    // What waits for others is prepared, too.
    all_at_once(&Arc::new(store), 0).await;
    let store = PostgresMetadata::open(&url.parse().unwrap(), &context()).await.unwrap();
    proxy.inject(Fault::Delay { direction: Direction::Replies, time: Duration::from_millis(10) });
    (Arc::new(store), proxy)
}

async fn all_at_once(store: &Arc<PostgresMetadata>, first: u64) {
    let tasks: Vec<_> = (first..first + PUTS)
        .map(|n| {
            let store = store.clone();
            TOKIO.spawn(async move { store.commit(put_with_lease(sample(&format!("key {n}"))), OnUnmet::Skip).await })
        })
        .collect();
    for task in tasks {
        let outcomes = task.await.unwrap().unwrap();
        assert!(outcomes.len() == 2 && outcomes.iter().all(Outcome::is_applied), "{outcomes:?}");
    }
}

#[test]
fn puts_that_come_together_share_round_trips() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let (store, proxy) = behind_a_slow_network(&schema).await;
        all_at_once(&store, 1000).await;
        let before = proxy.round_trips();
        all_at_once(&store, 2000).await;
        let taken = proxy.round_trips() - before;
        assert!(taken < PUTS / 2, "{PUTS} puts took {taken} round trips");
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

#[test]
fn each_of_them_means_what_it_means_alone() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = Arc::new(schema.open("&pool_size=4").await.unwrap());
        let tasks: Vec<_> = (0..16)
            .map(|task| {
                let store = store.clone();
                TOKIO.spawn(async move { changes_by_chance(&store, task).await })
            })
            .collect();
        let mut replaced = Vec::new();
        for task in tasks {
            replaced.extend(task.await.unwrap());
        }
        let once: BTreeSet<(String, [u8; 16])> = replaced.iter().cloned().collect();
        assert_eq!(once.len(), replaced.len(), "a version is replaced by one change only");
        assert!(replaced.len() > 100, "{}", replaced.len());
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
        let named = "SELECT count(*) FROM {schema}.cacheness_blobs b \
            WHERE refs <> (SELECT count(*) FROM {schema}.cacheness_records r WHERE r.blob = b.id)";
        assert_eq!(schema.ask(named).await, ["0"], "references are what records name");
    });
}

/// Which versions of which keys the changes of one task replaced.
async fn changes_by_chance(store: &PostgresMetadata, task: u64) -> Vec<(String, [u8; 16])> {
    let chance = SeededRng::new(task);
    let mut replaced = Vec::new();
    for round in 0..40 {
        let key = format!("key {}", chance.below(6));
        let version = version((task << 32) + round);
        let record = Record { version, ..inline(&key, vec![0; usize::try_from(chance.below(500)).unwrap()]) };
        let changes = match chance.below(6) {
            0 => vec![remove(&key)],
            1 => vec![Change::Put { record: Box::new(record), condition: Condition::Absent }],
            2 => vec![put(Record { version, ..in_blob(&key, blob((task << 32) + round), 100) })],
            3 => vec![put(record)],
            _ => put_with_lease(record),
        };
        let is_conditional = matches!(&changes[0], Change::Put { condition: Condition::Absent, .. });
        match &store.commit(changes, OnUnmet::Skip).await.unwrap()[0] {
            Outcome::Applied { previous, .. } => {
                assert!(!is_conditional || previous.is_none(), "there was {previous:?} before");
                replaced.extend(previous.as_ref().map(|previous: &Version| (key, *previous.as_bytes())));
            }
            outcome => assert!(is_conditional && matches!(outcome, Outcome::Unmet { current: Some(_) }), "{outcome:?}"),
        }
    }
    replaced
}

#[test]
fn a_lease_goes_with_the_put_and_its_version_is_told() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let (store, _proxy) = behind_a_slow_network(&schema).await;
        let leases: Vec<Record> = (0..PUTS)
            .map(|n| {
                let key = EntryKey::system(&format!("lease key {n}"));
                Record { key, version: version(7000 + n), ..inline("lease", vec![1]) }
            })
            .collect();
        store.commit(leases.iter().cloned().map(put).collect(), OnUnmet::Abort).await.unwrap();
        let tasks: Vec<_> = (0..PUTS)
            .map(|n| {
                let store = store.clone();
                let changes = put_with_lease(sample(&format!("key {n}")));
                TOKIO.spawn(async move { store.commit(changes, OnUnmet::Skip).await })
            })
            .collect();
        for (task, lease) in tasks.into_iter().zip(&leases) {
            let outcomes = task.await.unwrap().unwrap();
            let gone = Outcome::Applied { previous: Some(lease.version), condemned: Vec::new() };
            assert_eq!(outcomes.get(1), Some(&gone));
        }
        let keys: Vec<_> = leases.into_iter().map(|lease| lease.key).collect();
        assert!(store.get(&keys, Fields::LEAST).await.unwrap().iter().all(Option::is_none));
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

#[test]
fn who_gives_up_takes_nobody_along() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let (store, _proxy) = behind_a_slow_network(&schema).await;
        let mut kept = Vec::new();
        for n in 0..PUTS {
            let store = store.clone();
            kept.push(TOKIO.spawn(async move {
                let changes = put_with_lease(sample(&format!("key {n}")));
                let mut commit = pin!(store.commit(changes, OnUnmet::Skip));
                if n % 3 != 2 {
                    // The first ones are under way when they are dropped, the others wait.
                    poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_ready())).await;
                    return true;
                }
                commit.await.unwrap().iter().all(Outcome::is_applied)
            }));
        }
        for task in kept {
            assert!(task.await.unwrap());
        }
        let keys: Vec<EntryKey> = (0..PUTS).filter(|n| n % 3 == 2).map(|n| format!("key {n}").into()).collect();
        assert!(store.get(&keys, Fields::LEAST).await.unwrap().iter().all(Option::is_some));
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}
