//! Copies in memory on one machine, and changes on another one.

use crate::common::{Schema, TOKIO, client};
use crate::{put, remove};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_storage::{Change, Coherence, Feed, Filter, MetadataBackend, OnUnmet, Reclaim, ReclaimOrder, Stamp};
use cacheness_testkit::records::{NOW, sample};
use std::time::{Duration, Instant};

fn feed(store: &PostgresMetadata) -> Feed {
    match store.coherence() {
        Coherence::Feed(feed) => feed,
        other => panic!("{other:?}"),
    }
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A stamp that is fresh: messages of earlier changes may still be on their way.
async fn stamp(feed: &Feed, key: &str) -> Stamp {
    let start = Instant::now();
    loop {
        if let Some(stamp) = feed.stamp(key.as_bytes()).filter(|stamp| feed.is_fresh(*stamp)) {
            return stamp;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{key}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn what_another_machine_commits_makes_copies_stale() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let here = schema.open("&coherence=notify").await.unwrap();
        // One that does not listen announces all the same.
        let there = schema.open("").await.unwrap();
        let feed = feed(&here);
        let all = Reclaim::all(Filter::All, ReclaimOrder::Key);
        for (what, changes) in [
            ("one put", vec![put(sample("key"))]),
            ("a batch", vec![put(sample("key")), put(sample("other"))]),
            ("a removal", vec![remove("key")]),
            ("many", (0..5000).map(|n| put(sample(&format!("{n}")))).chain([put(sample("key"))]).collect()),
            ("a reclaim", Vec::new()),
        ] {
            let before = stamp(&feed, "key").await;
            if changes.is_empty() {
                while there.reclaim(&all).await.unwrap().more {}
            } else {
                there.commit(changes, OnUnmet::Abort).await.unwrap();
            }
            until(what, || !feed.is_fresh(before)).await;
        }
    });
}

#[test]
fn a_commit_of_ones_own_makes_copies_stale_at_once_and_only_then() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("&coherence=notify").await.unwrap();
        let elsewhere = schema.open("&coherence=notify").await.unwrap();
        let (feed, witness) = (feed(&store), feed(&elsewhere));
        for changes in [vec![put(sample("key"))], vec![put(sample("key")), put(sample("other"))]] {
            let (before, told) = (stamp(&feed, "key").await, stamp(&witness, "key").await);
            store.commit(changes, OnUnmet::Abort).await.unwrap();
            assert!(!feed.is_fresh(before));
            let after = stamp(&feed, "key").await;
            until("the other one is told", || !witness.is_fresh(told)).await;
            assert!(feed.is_fresh(after), "its own message tells it nothing new");
        }
        let before = stamp(&feed, "key").await;
        store.commit(vec![Change::Use { key: "key".into(), at: NOW, hits: 1 }], OnUnmet::Abort).await.unwrap();
        assert!(feed.is_fresh(before), "a use changes nothing");
    });
}

#[test]
fn while_the_connection_is_lost_nothing_is_fresh_and_afterwards_nothing_of_before() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let store = schema.open("&coherence=notify").await.unwrap();
        let feed = feed(&store);
        let before = stamp(&feed, "key").await;
        let channel = "SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'";
        assert!(!schema.ask(channel).await.is_empty());
        for _ in 0..2 {
            let own = schema.ask(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                AND application_name = 'cacheness' AND (query LIKE 'LISTEN%' OR query = 'SELECT 1')",
            );
            own.await;
            until("stamps of before are stale", || !feed.is_fresh(before)).await;
            until("it listens again", || feed.is_up()).await;
            assert!(!feed.is_fresh(before), "what was changed meanwhile was not told");
        }
        let again = stamp(&feed, "key").await;
        schema.open("").await.unwrap().commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        until("it hears again", || !feed.is_fresh(again)).await;
        store.close().await.unwrap();
        assert!(!feed.is_up());
    });
}

#[test]
fn commits_under_way_when_the_first_one_begins_to_listen_are_not_missed() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        let there = schema.open("").await.unwrap();
        let mut under_way = client().await;
        let transaction = under_way.transaction().await.unwrap();
        let lock = format!("LOCK TABLE {}.cacheness_records IN ROW EXCLUSIVE MODE", schema.name);
        transaction.batch_execute(&lock).await.unwrap();
        let opening = {
            let url = schema.url("&coherence=notify");
            TOKIO.spawn(async move { PostgresMetadata::open(&url, &crate::common::context()).await.unwrap() })
        };
        until("the opening waits", || {
            tokio::task::block_in_place(|| {
                let waits = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = relation \
                    JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = '{schema}' AND NOT granted";
                tokio::runtime::Handle::current().block_on(schema.ask(waits)) == ["1"]
            })
        })
        .await;
        assert!(!opening.is_finished(), "whoever began before could commit without telling");
        transaction.commit().await.unwrap();
        let here = opening.await.unwrap();
        let before = stamp(&feed(&here), "key").await;
        there.commit(vec![put(sample("key"))], OnUnmet::Abort).await.unwrap();
        until("it is told", || !feed(&here).is_fresh(before)).await;
    });
}
