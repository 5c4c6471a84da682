//! What goes over the wire: the text of a statement once for each connection, and no more round trips than it takes.

use crate::common::{Schema, TOKIO, context};
use crate::{put, remove};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_storage::{Change, Condition, EntryKey, Fields, MetadataBackend, OnUnmet, Outcome};
use cacheness_testkit::proxy::{Direction, Fault, Proxy};
use cacheness_testkit::records::sample;
use cacheness_testkit::services;
use std::sync::Arc;
use std::time::Duration;

/// How long answers are held back, so that what is sent without waiting for them is sent by then.
const HELD: Duration = Duration::from_millis(10);

/// How often something is done that may have to wait for others in between.
const TRIES: usize = 5;

/// What every statement has in its text, and no value and no other message.
const TEXT: &[u8] = b"\"cacheness_";

/// A store with one connection, through a proxy that sees what it sends.
struct Watched {
    store: PostgresMetadata,
    proxy: Proxy,
    _schema: Arc<Schema>,
}

impl Watched {
    async fn open() -> Self {
        let schema = Schema::new();
        let (proxy, server) = Proxy::before(&services::postgres());
        let url = format!("{server}?schema={}&pool_size=1&sslmode=disable", schema.name);
        let store = PostgresMetadata::open(&url.parse().unwrap(), &context()).await.unwrap();
        Self { store, proxy, _schema: schema }
    }

    async fn get(&self, keys: &[EntryKey]) {
        let found = self.store.get(keys, Fields::ALL).await.unwrap();
        assert!(found.iter().all(Option::is_some));
    }

    async fn commit(&self, changes: Vec<Change>) {
        let outcomes = self.store.commit(changes, OnUnmet::Abort).await.unwrap();
        assert!(outcomes.iter().all(Outcome::is_applied));
    }

    /// The least number of round trips that something takes once its statements are prepared. A connection whose bytes are
    /// late counts one too many at times, and never one too few.
    async fn fewest(&self, act: impl AsyncFn()) -> u64 {
        act().await;
        self.proxy.inject(Fault::Delay { direction: Direction::Replies, time: HELD });
        let mut fewest = u64::MAX;
        for _ in 0..TRIES {
            let before = self.proxy.round_trips();
            act().await;
            fewest = fewest.min(self.proxy.round_trips() - before);
        }
        self.proxy.heal();
        assert_eq!(self.proxy.connections(), 1, "what is prepared is prepared for one connection");
        fewest
    }
}

fn keys() -> Vec<EntryKey> {
    (0..100).map(|n| format!("key {n}").into()).collect()
}

fn put_all() -> Vec<Change> {
    keys().iter().map(|key| put(sample(key.as_str()))).collect()
}

#[test]
fn a_call_takes_as_few_round_trips_as_it_can() {
    TOKIO.block_on(async {
        let watched = Watched::open().await;
        let (one, all) = (["key 0".into()], keys());
        assert_eq!(watched.fewest(async || watched.commit(vec![put(sample("key 0"))]).await).await, 1, "a put");
        let with_lease = || {
            let lease = Change::Remove { key: EntryKey::system("lease"), condition: Condition::Always };
            vec![put(sample("key 0")), lease]
        };
        assert_eq!(watched.fewest(async || watched.commit(with_lease()).await).await, 1, "a put of a cache");
        assert_eq!(watched.fewest(async || watched.get(&one).await).await, 1, "a get");
        watched.commit(put_all()).await;
        assert_eq!(watched.fewest(async || watched.commit(put_all()).await).await, 2, "a commit of 100 changes");
        assert_eq!(watched.fewest(async || watched.get(&all).await).await, 1, "a get of 100 keys");
        let gone = async || watched.commit(vec![put(sample("gone")), remove("key 0"), put(sample("key 0"))]).await;
        assert_eq!(watched.fewest(gone).await, 2, "a commit that puts and removes");
    });
}

#[test]
fn a_statement_is_sent_once_for_each_connection() {
    TOKIO.block_on(async {
        let watched = Watched::open().await;
        let all = async || {
            watched.commit(vec![put(sample("key 0"))]).await;
            watched.get(&["key 0".into()]).await;
            watched.commit(put_all()).await;
            watched.get(&keys()).await;
            watched.store.stats().await.unwrap();
        };
        // The first time puts are new, the second time they replace.
        all().await;
        all().await;
        watched.proxy.inject(Fault::CutBefore(TEXT.to_vec()));
        all().await;
        assert_eq!((watched.proxy.strikes(), watched.proxy.connections()), (0, 1));
        // What was never asked for before has to be prepared, which is seen.
        watched.store.get(&["key 0".into()], Fields::LEAST).await.unwrap_err();
        assert_eq!(watched.proxy.strikes(), 1);
        watched.proxy.heal();
        watched.get(&["key 0".into()]).await;
        assert_eq!(watched.proxy.connections(), 2);
    });
}
