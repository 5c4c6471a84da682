//! The index in PostgreSQL beside prepared statements of its driver, and beside SQLite.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::{Fixtures, settle};
use crate::floors::postgres::{Postgres, Template};
use crate::numbers::{key_of, spread};
use crate::race::{Pace, Race};
use crate::report::{Limit, Report};
use crate::sample::Sample;
use crate::servers::{self, tasks};
use crate::store::{Action, Store};
use crate::timing::{Stretch, each, threads};
use cacheness::backends::postgres::PostgresMetadata;
use cacheness::storage::{Change, Condition, EntryKey, Fields, MetadataBackend, OnUnmet, Query, Record, Version};
use cacheness::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "pg_get",
        what: "a record of 1 KiB of 10 k in PostgreSQL; the floor reads the same columns of the same rows",
        bars: &[Bar::OfFloor(1.25)],
        run: get,
    },
    Workload {
        name: "pg_put_16",
        what: "new records of 1 KiB by 16 writers; the floor sends the same statement but for the totals",
        bars: &[Bar::RateOfFloor(0.9)],
        run: put_16,
    },
    Workload {
        name: "pg_vs_sqlite_get",
        what: "a struct of 1 KiB of 10 k by one caller, through caches over PostgreSQL and over SQLite",
        bars: &[],
        run: |workload, fixtures, report| beside_sqlite(workload, fixtures, report, Action::Get, 1),
    },
    Workload {
        name: "pg_vs_sqlite_put",
        what: "a struct of 1 KiB over one of 10 k by one caller",
        bars: &[],
        run: |workload, fixtures, report| beside_sqlite(workload, fixtures, report, Action::PutOver, 1),
    },
    Workload {
        name: "pg_vs_sqlite_get_8",
        what: "a struct of 1 KiB of 10 k by eight threads; times are by struct",
        bars: &[],
        run: |workload, fixtures, report| beside_sqlite(workload, fixtures, report, Action::Get, 8),
    },
    Workload {
        name: "pg_vs_sqlite_put_8",
        what: "a struct of 1 KiB over one of 10 k by eight threads; times are by struct",
        bars: &[],
        run: |workload, fixtures, report| beside_sqlite(workload, fixtures, report, Action::PutOver, 8),
    },
];

/// Entries in a store while it is read.
const ENTRIES: u64 = 10_000;
const WRITERS: u64 = 16;

/// A schema for one workload, with a cache that is filled and the backend beneath it, opened once more.
struct Schema {
    runtime: Runtime,
    url: String,
    name: String,
    cache: Cache,
    backend: Arc<PostgresMetadata>,
    keys: Arc<Vec<EntryKey>>,
}

impl Schema {
    fn open(workload: &Workload, fixtures: &Fixtures, url: String, entries: u64) -> Result<Self> {
        let (runtime, name) = (servers::tokio()?, servers::name(workload).replace('-', "_"));
        let ours = format!("{url}?schema={name}&pool_size={WRITERS}");
        let blobs = format!("fs:{}", fixtures.path(workload.name).join("blobs").display());
        let cache = Cache::builder().metadata(&ours).blobs(blobs).no_memory().open()?;
        Store::<Sample>::fill(&cache, 0..entries, fixtures.samples.clone())?;
        let context = servers::context(&runtime);
        let parsed = ours.parse()?;
        let backend = Arc::new(runtime.block_on(PostgresMetadata::open(&parsed, &context))?);
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = runtime.block_on(backend.page(&Query::new().limit(1000), after))?;
            keys.extend(page.records.into_iter().map(|record| record.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        settle();
        Ok(Self { runtime, url, name, cache, backend, keys: Arc::new(keys) })
    }

    fn key(&self, call: u64) -> Result<&EntryKey> {
        let place = usize::try_from(spread(call, self.keys.len() as u64))?;
        self.keys.get(place).ok_or_else(|| "no keys".into())
    }

    fn connect(&self) -> Result<Postgres> {
        self.runtime.block_on(Postgres::connect(&self.url, &self.name))
    }

    fn record(&self, key: &EntryKey) -> Result<Record> {
        let found = self.runtime.block_on(self.backend.get(std::slice::from_ref(key), Fields::ALL))?;
        found.into_iter().flatten().next().ok_or_else(|| "a miss".into())
    }

    fn close(self) -> Result {
        self.cache.close()?;
        self.runtime.block_on(self.backend.close())?;
        self.runtime.block_on(Postgres::run(&self.url, &format!("DROP SCHEMA \"{}\" CASCADE", self.name)))
    }
}

fn get(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let Some(url) = servers::named(servers::POSTGRES, workload, report)? else { return Ok(()) };
    let schema = Schema::open(workload, fixtures, url, ENTRIES)?;
    let (runtime, raw) = (&schema.runtime, schema.connect()?);
    Race::new(Pace { rounds: 40, calls: 200, batch: 1 })
        .ours(each(|call| {
            let key = std::slice::from_ref(schema.key(call)?);
            let found = runtime.block_on(schema.backend.get(key, Fields::VALUE))?;
            Ok(found.into_iter().flatten().next().ok_or("a miss")?)
        }))
        .floor("tokio-postgres", each(|call| runtime.block_on(raw.get(schema.key(call)?.as_str()))))
        .subject("the payload alone", each(|call| runtime.block_on(raw.get_payload(schema.key(call)?.as_str()))))
        .subject("cache, decoded", each(|call| Store::<Sample>::get(&schema.cache, spread(call, ENTRIES))))
        .run(workload, report)?;
    drop(raw);
    schema.close()
}

/// A key for each call of each subject that no other has.
fn new_key(subject: u64, call: u64) -> (EntryKey, Version) {
    let number = subject << 40 | call;
    let hex: String = key_of(number).iter().map(|byte| format!("{byte:02x}")).collect();
    (EntryKey::new(hex), Version::from_bytes(key_of(number ^ 1 << 60)))
}

fn put_16(workload: &Workload, fixtures: &Fixtures, report: &mut Report) -> Result {
    let Some(url) = servers::named(servers::POSTGRES, workload, report)? else { return Ok(()) };
    let schema = Schema::open(workload, fixtures, url, 1)?;
    let runtime = &schema.runtime;
    let connections = Arc::new((0..WRITERS).map(|_| schema.connect()).collect::<Result<Vec<_>>>()?);
    let record = Arc::new(schema.record(schema.key(0)?)?);
    let watcher = schema.connect()?;
    let template = runtime.block_on(watcher.template(&schema.name, schema.key(0)?.as_str()))?;

    let backend = schema.backend.clone();
    let ours = move |subject| {
        let (backend, record) = (backend.clone(), record.clone());
        move |_: u64, call| {
            let (key, version) = new_key(subject, call);
            let record = Box::new(Record { key, version, ..(*record).clone() });
            let backend = backend.clone();
            async move {
                let put = vec![Change::Put { record, condition: Condition::Always }];
                let outcomes = backend.commit(put, OnUnmet::Abort).await?;
                if outcomes.iter().all(cacheness::storage::Outcome::is_applied) { Ok(()) } else { Err("unmet".into()) }
            }
        }
    };
    let raw = |subject, is_plain| {
        let (connections, template) = (connections.clone(), template.clone());
        move |writer, call| {
            let (connections, template) = (connections.clone(), template.clone());
            async move {
                let (key, version) = new_key(subject, call);
                put_raw(&connections, writer, (key.as_str(), version.as_bytes()), &template, is_plain).await
            }
        }
    };
    Race::new(Pace::bulk(WRITERS * 50, 30))
        .ours(tasks(runtime, WRITERS, ours(1)))
        .floor("without totals", tasks(runtime, WRITERS, raw(2, false)))
        .subject("plain upsert", tasks(runtime, WRITERS, raw(3, true)))
        .run(workload, report)?;
    for (who, mut stretch) in
        [("ours", tasks(runtime, WRITERS, ours(4))), ("the floor", tasks(runtime, WRITERS, raw(5, false)))]
    {
        let waits = waits(&schema, &mut || stretch(0..WRITERS * 300).map(drop))?;
        let limit = (who == "ours").then_some(Limit::AtMost(0.0));
        report.figure(workload, &format!("looks that saw {who} wait for a row"), waits.for_rows, "", limit);
        report.figure(workload, &format!("of so many looks, {who}"), waits.looks, "", None);
    }
    drop((connections, watcher));
    schema.close()
}

async fn put_raw(
    connections: &[Postgres],
    writer: u64,
    (key, version): (&str, &[u8]),
    template: &Template,
    is_plain: bool,
) -> Result {
    let connection = connections.get(usize::try_from(writer)?).ok_or("no connection")?;
    match is_plain {
        true => connection.upsert(key, version, template).await,
        false => connection.put(key, version, template).await,
    }
}

/// What somebody saw who looked at the locks again and again.
struct Waits {
    looks: f64,
    for_rows: f64,
}

/// Looks at the locks of this database while something runs.
fn waits(schema: &Schema, work: &mut dyn FnMut() -> Result) -> Result<Waits> {
    let watcher = schema.connect()?;
    let is_done = Arc::new(AtomicBool::new(false));
    let done = is_done.clone();
    let watching = schema.runtime.spawn(async move {
        let (mut looks, mut for_rows) = (0.0, 0.0);
        while !done.load(Ordering::Relaxed) {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type \
                = 'Lock' AND wait_event IN ('transactionid', 'tuple')";
            looks += 1.0;
            for_rows += f64::from(u8::from(watcher.count(waiting).await? > 0));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok::<_, crate::Failure>(Waits { looks, for_rows })
    });
    let worked = work();
    is_done.store(true, Ordering::Relaxed);
    let waits = schema.runtime.block_on(watching)?;
    worked.and(waits)
}

/// Gets or puts through a cache by so many callers.
fn calls<'s>(cache: &'s Cache, action: Action, callers: u64, fixtures: &Fixtures) -> Stretch<'s> {
    let samples = fixtures.samples.clone();
    let call = move |call| match action {
        Action::Get => Store::<Sample>::get(cache, spread(call, ENTRIES)).map(drop),
        Action::PutOver | Action::PutNew => Store::put(cache, spread(call, ENTRIES), samples.sample(call)?, &[]),
    };
    if callers == 1 { each(call) } else { threads(callers, move || call.clone()) }
}

fn beside_sqlite(
    workload: &Workload,
    fixtures: &Fixtures,
    report: &mut Report,
    action: Action,
    callers: u64,
) -> Result {
    let Some(url) = servers::named(servers::POSTGRES, workload, report)? else { return Ok(()) };
    let schema = Schema::open(workload, fixtures, url, ENTRIES)?;
    let sqlite = Cache::builder().dir(fixtures.path(workload.name).join("sqlite")).no_memory().open()?;
    Store::<Sample>::fill(&sqlite, 0..ENTRIES, fixtures.samples.clone())?;
    settle();
    let pace = if callers == 1 { Pace { rounds: 30, calls: 200, batch: 1 } } else { Pace::bulk(800, 30) };
    let subject = |cache| calls(cache, action, callers, fixtures);
    Race::new(pace).ours(subject(&schema.cache)).floor("over SQLite", subject(&sqlite)).run(workload, report)?;
    sqlite.close()?;
    schema.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn postgresql_and_sqlite_are_measured_side_by_side_alone_and_by_eight() {
        let names = crate::workloads::all().filter_map(|workload| workload.name.strip_prefix("pg_vs_sqlite_"));
        assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(["get", "get_8", "put", "put_8"]));
    }

    #[test]
    fn new_keys_of_different_subjects_and_calls_are_different() {
        let keys: BTreeSet<_> = (1..4).flat_map(|subject| (0..100).map(move |call| new_key(subject, call))).collect();
        let versions: BTreeSet<_> = keys.iter().map(|(_, version)| version.to_string()).collect();
        assert_eq!((keys.len(), versions.len()), (300, 300));
    }
}
