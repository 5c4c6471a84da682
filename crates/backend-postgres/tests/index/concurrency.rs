//! Many machines at once, in each other's way on purpose.

use crate::common::{Schema, TOKIO, client};
use crate::{put, recount, remove};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_core::Rng;
use cacheness_storage::{
    Change, Condition, Fields, Filter, MetadataBackend, OnUnmet, Outcome, Query, Reclaim, ReclaimOrder, Record,
};
use cacheness_testkit::SeededRng;
use cacheness_testkit::records::{NOW, blob, in_blob, inline, sample, version};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs work in so many tasks, each with an opening of its own.
async fn in_tasks<F: Future<Output = ()> + Send + 'static>(
    schema: &Arc<Schema>,
    count: u64,
    options: &str,
    work: impl Fn(u64, PostgresMetadata) -> F,
) {
    let mut tasks = Vec::new();
    for n in 0..count {
        tasks.push(TOKIO.spawn(work(n, schema.open(options).await.unwrap())));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn commits_of_the_same_keys_and_blobs_in_opposite_order_all_succeed() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        in_tasks(&schema, 6, "&pool_size=2", |task, store| async move {
            for round in 0..30 {
                let new = blob(task * 1000 + round);
                let shared = blob(7000 + round / 10);
                let mut changes: Vec<Change> = (0..8)
                    .map(|key| {
                        let version = version((task << 32) + (round << 8) + key);
                        let named = if key % 2 == 0 { new } else { shared };
                        put(Record { version, ..in_blob(&format!("key {key}"), named, 10) })
                    })
                    .collect();
                changes.push(remove("key 9"));
                changes.push(put(Record { version: version((task << 32) + (round << 8) + 99), ..sample("key 8") }));
                if task % 2 == 1 {
                    changes.reverse();
                }
                // What everybody names may be condemned by the last one who did; then nothing of the commit happens.
                for outcome in store.commit(changes, OnUnmet::Abort).await.unwrap() {
                    assert!(!matches!(outcome, Outcome::Unmet { .. }), "{outcome:?}");
                }
            }
        })
        .await;
        let store = schema.open("").await.unwrap();
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
        let wrong = "SELECT count(*) FROM {schema}.cacheness_blobs b \
            WHERE refs <> (SELECT count(*) FROM {schema}.cacheness_records r WHERE r.blob = b.id)";
        assert_eq!(schema.ask(wrong).await, ["0"], "references are what records name");
    });
}

#[test]
fn sixteen_writers_keep_the_totals_exact() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        in_tasks(&schema, 16, "&pool_size=1", |task, store| async move {
            let rng = SeededRng::new(task);
            assert!(store.committed().is_none(), "nobody asked before");
            for round in 0..40 {
                let key = format!("key {}", rng.below(20));
                let size = usize::try_from(rng.below(500)).unwrap();
                let version = version((task << 32) + round);
                let change = match rng.below(5) {
                    0 => remove(&key),
                    1 => put(Record { version, ..in_blob(&key, blob((task << 32) + round), 1000) }),
                    _ => put(Record { version, ..inline(&key, vec![0; size]) }),
                };
                let is_put = matches!(change, Change::Put { .. });
                let outcomes = store.commit(vec![change], OnUnmet::Abort).await.unwrap();
                assert!(outcomes.iter().all(Outcome::is_applied), "{outcomes:?}");
                assert!(!is_put || store.committed().is_some(), "nobody needs to ask for the totals after a put");
            }
        })
        .await;
        let store = schema.open("").await.unwrap();
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
        let used = "SELECT count(*) > 1 FROM {schema}.cacheness_totals WHERE (entries, bytes, blobs, condemned) <> (0, 0, 0, 0)";
        assert_eq!(schema.ask(used).await, ["t"], "the totals are spread");
    });
}

#[test]
fn writers_and_an_eviction_do_not_wait_for_each_other_in_a_circle() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        in_tasks(&schema, 5, "&pool_size=1", |task, store| async move {
            let rng = SeededRng::new(task);
            for round in 0..30 {
                if task == 0 {
                    let order = [ReclaimOrder::Used, ReclaimOrder::Random, ReclaimOrder::Created][round as usize % 3];
                    let plan = Reclaim::Entries {
                        filter: Filter::All,
                        order,
                        limit: 5,
                        until_bytes: None,
                        until_entries: Some(10),
                    };
                    store.reclaim(&plan).await.unwrap();
                    continue;
                }
                let keys = [(); 6].map(|()| format!("key {}", rng.below(30)));
                let record = |(at, key): (u64, &String)| {
                    let version = version((task << 40) + (round << 8) + at);
                    put(Record { version, ..in_blob(key, blob((task << 40) + (round << 8) + at), 10) })
                };
                let mut changes: Vec<_> = (0..).zip(&keys).map(record).collect();
                changes.push(Change::Use { key: keys[0].as_str().into(), at: NOW, hits: 1 });
                store.commit(changes, OnUnmet::Abort).await.unwrap();
                let uses = keys.iter().map(|key| Change::Use { key: key.as_str().into(), at: NOW, hits: 1 });
                store.commit(uses.rev().collect(), OnUnmet::Skip).await.unwrap();
            }
        })
        .await;
        let store = schema.open("").await.unwrap();
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

#[test]
fn ten_thousand_changes_are_one_commit() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        let record = |n: u64| match n % 3 {
            0 => in_blob(&format!("key {n}"), blob(n / 2), 5),
            _ => inline(&format!("key {n}"), vec![1; 20]),
        };
        for round in 1..3 {
            let changes = (0..10_000).map(|n| put(Record { version: version(round), ..record(n) })).collect();
            let outcomes = store.commit(changes, OnUnmet::Abort).await.unwrap();
            assert_eq!(outcomes.len(), 10_000);
            assert!(outcomes.iter().all(Outcome::is_applied));
        }
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
        let uses = (0..10_000).map(|n| Change::Use { key: format!("key {n}").into(), at: NOW, hits: 1 }).collect();
        assert!(store.commit(uses, OnUnmet::Abort).await.unwrap().iter().all(Outcome::is_applied));
        let outcomes =
            store.commit((0..10_000).map(|n| remove(&format!("key {n}"))).collect(), OnUnmet::Skip).await.unwrap();
        assert!(outcomes.iter().all(Outcome::is_applied));
        assert_eq!(store.page(&Query::new(), None).await.unwrap().records, []);
        assert_eq!(
            schema.ask("SELECT count(*) FROM {schema}.cacheness_usage").await,
            ["0"],
            "usage goes with its record"
        );
    });
}

#[test]
fn one_puts_while_the_other_looks_and_nobody_sees_a_mixture() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        in_tasks(&schema, 4, "&pool_size=1", |task, store| async move {
            for round in 0..60_u64 {
                if task < 2 {
                    let version = version(round << 8 | task);
                    let payload = version.to_string();
                    let changes = ["a", "b"].map(|key| put(Record { version, ..inline(key, payload.clone()) }));
                    store.commit(changes.into(), OnUnmet::Abort).await.unwrap();
                } else {
                    let found = store.get(&["a".into(), "b".into()], Fields::ALL).await.unwrap();
                    assert_eq!(
                        found[0].as_ref().map(|record| (record.version, record.location.clone())),
                        found[1].as_ref().map(|record| (record.version, record.location.clone()))
                    );
                }
            }
        })
        .await;
    });
}

#[test]
fn a_put_of_one_record_sees_what_others_put_meanwhile() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        in_tasks(&schema, 4, "&pool_size=1", |task, store| async move {
            for round in 0..50_u64 {
                let mut bytes = [0; 8];
                SeededRng::new(task << 32 | round).fill(&mut bytes).unwrap();
                let record =
                    Record { version: version(u64::from_le_bytes(bytes)), ..inline("key", vec![0; task as usize]) };
                let condition = if round % 2 == 0 { Condition::Always } else { Condition::Absent };
                let change = Change::Put { record: Box::new(record), condition };
                store.commit(vec![change], OnUnmet::Abort).await.unwrap();
                if round % 5 == 0 {
                    store.commit(vec![remove("key")], OnUnmet::Abort).await.unwrap();
                }
            }
        })
        .await;
        let store = schema.open("").await.unwrap();
        assert_eq!(crate::totals(&store).await, recount(&schema, "cacheness_").await);
    });
}

/// Waits until so many connections of a schema's stores wait for locks.
async fn until_waiting(schema: &Schema, count: usize) {
    let waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = '{schema}' AND wait_event_type = 'Lock'";
    let start = Instant::now();
    while schema.ask(waiting).await.len() != count {
        assert!(start.elapsed() < Duration::from_secs(30), "nobody waits");
    }
}

/// Two commits that wait, one behind the other, for somebody who holds the record under `a`.
async fn one_behind_the_other(schema: &Arc<Schema>, first: Vec<Change>, second: Vec<Change>) -> Vec<Vec<Outcome>> {
    let mut holder = client().await;
    let holding = holder.transaction().await.unwrap();
    let hold = format!("SELECT FROM {}.cacheness_records WHERE key = 'a' FOR UPDATE", schema.name);
    holding.batch_execute(&hold).await.unwrap();
    let mut commits = Vec::new();
    for (changes, waiting) in [(first, 1), (second, 2)] {
        let store = schema.open(&format!("&application_name={}", schema.name)).await.unwrap();
        commits.push(TOKIO.spawn(async move { store.commit(changes, OnUnmet::Abort).await.unwrap() }));
        until_waiting(schema, waiting).await;
    }
    holding.rollback().await.unwrap();
    let mut outcomes = Vec::new();
    for commit in commits {
        outcomes.push(commit.await.unwrap());
    }
    outcomes
}

#[test]
fn a_record_that_is_removed_and_put_in_one_commit_is_never_missing() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        store.commit(vec![put(sample("a"))], OnUnmet::Abort).await.unwrap();
        let renewed = Record { version: version(2), ..sample("a") };
        let outcomes = one_behind_the_other(&schema, vec![remove("a"), put(renewed)], vec![remove("a")]).await;
        assert_eq!(outcomes[1], [Outcome::Applied { previous: Some(version(2)), condemned: Vec::new() }]);
        assert_eq!(crate::totals(&store).await, [0; 4]);
    });
}

#[test]
fn a_commit_of_several_keys_sees_all_of_another_one_or_nothing() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("").await.unwrap();
        store.commit(vec![put(sample("a"))], OnUnmet::Abort).await.unwrap();
        let both = ["a", "b"].map(|key| put(Record { version: version(2), ..sample(key) }));
        let outcomes = one_behind_the_other(&schema, both.into(), vec![remove("a"), remove("b")]).await;
        let removed = Outcome::Applied { previous: Some(version(2)), condemned: Vec::new() };
        assert_eq!(outcomes[1], [removed.clone(), removed]);
        assert_eq!(store.page(&Query::new(), None).await.unwrap().records, []);
        assert_eq!(crate::totals(&store).await, [0; 4]);
    });
}
