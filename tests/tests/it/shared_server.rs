//! Whole caches over PostgreSQL and S3: values of any size in bounded memory, and neighbours that never touch each other.

use crate::support::noise;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use cacheness::core::Runtime;
use cacheness::storage::{Digest, DigestAlgorithm};
use cacheness::sync::Cache;
use cacheness::{Compression, TokioRuntime};
use cacheness_testkit::services;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;
use tokio_postgres::NoTls;

/// Where all of them keep their blobs.
const BUCKET: &str = "cacheness-whole-caches";

/// How much memory a process may have had at once, in KiB.
const MOST_MEMORY: u64 = 150 << 10;

/// Schemas of a database, and prefixes of a bucket, that nobody else uses. They go with this.
struct Team {
    name: String,
    client: Client,
    keys: (String, String),
    endpoint: String,
}

impl Team {
    fn new() -> Self {
        let name = format!(
            "team_{:032x}",
            u128::from_le_bytes(cacheness::core::rng::random(&cacheness::core::SystemRng).unwrap())
        );
        let url = services::s3();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (keys, host) = rest.rsplit_once('@').unwrap();
        let (access, secret) = keys.split_once(':').unwrap();
        let endpoint = format!("{scheme}://{host}");
        let config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(access, secret, None, None, "tests"))
            .endpoint_url(&endpoint)
            .force_path_style(true);
        let team =
            Self { name, client: Client::from_conf(config.build()), keys: (access.into(), secret.into()), endpoint };
        // It may be there already.
        on_tokio(async { drop(team.client.create_bucket().bucket(BUCKET).send().await) });
        team
    }

    /// The URL of an index of its own.
    fn metadata(&self, member: usize) -> String {
        format!("{}?schema={}&table_prefix=member{member}_", services::postgres(), self.name)
    }

    /// The URL of blobs below the team's prefix, which `behind` goes on.
    fn blobs(&self, behind: &str) -> String {
        let (access, secret) = &self.keys;
        format!(
            "s3://{BUCKET}/{}{behind}?region=us-east-1&endpoint_url={}&access_key={access}&secret_key={secret}",
            self.name, self.endpoint
        )
    }

    /// A cache whose sweeps are done with everything at once.
    fn open(&self, member: usize, behind: &str) -> Cache {
        let builder = Cache::builder().metadata(self.metadata(member)).blobs(self.blobs(behind));
        builder.compression(Compression::NONE).grace(Duration::ZERO).delete_grace(Duration::ZERO).open().unwrap()
    }

    /// The keys of all its objects.
    fn objects(&self) -> BTreeSet<String> {
        let request = self.client.list_objects_v2().bucket(BUCKET).prefix(&self.name);
        on_tokio(async {
            let (mut pages, mut keys) = (request.into_paginator().send(), BTreeSet::new());
            while let Some(page) = pages.next().await {
                keys.extend(page.unwrap().contents().iter().filter_map(|object| object.key().map(str::to_owned)));
            }
            keys
        })
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let objects = self.objects();
        on_tokio(async {
            for key in objects {
                drop(self.client.delete_object().bucket(BUCKET).key(key).send().await);
            }
            let Ok((client, connection)) = tokio_postgres::connect(&services::postgres(), NoTls).await else { return };
            tokio::spawn(connection);
            drop(client.batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name)).await);
        });
    }
}

fn on_tokio<T>(task: impl Future<Output = T>) -> T {
    let mut result = None;
    TokioRuntime::global().unwrap().block_on(std::pin::pin!(async { result = Some(task.await) }));
    result.unwrap()
}

#[test]
fn a_large_value_goes_to_s3_and_back_through_readers_in_bounded_memory() {
    let team = Team::new();
    let size = std::env::var("CACHENESS_TEST_LARGE").unwrap_or_else(|_| (256 << 20).to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_other-process"))
        .args(["remote-readers", &team.metadata(0), &team.blobs(""), &size])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let peak: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(peak < MOST_MEMORY, "{peak} KiB were resident");
    assert!(team.objects().iter().any(|key| key.ends_with(".blob")), "nothing was in the bucket");
}

#[test]
fn an_object_carries_the_digest_of_what_was_put_in_it() {
    let team = Team::new();
    let cache = team.open(0, "");
    for (key, value) in [("one", noise(50_000)), ("other", noise(70_000))] {
        cache.put(key, &value).unwrap();
        let entry = cache.metadata(key).unwrap().unwrap();
        assert_eq!(entry.digest(), Digest::of(DigestAlgorithm::Xxh3, &value), "nothing is compressed");
        let name = entry.blob().unwrap();
        let object = team.objects().into_iter().find(|object| object.ends_with(&format!("{name}.blob"))).unwrap();
        let head = on_tokio(team.client.head_object().bucket(BUCKET).key(object).send()).unwrap();
        let told = head.metadata().and_then(|metadata| metadata.get("cacheness-digest"));
        assert_eq!(told, Some(&entry.digest().to_string()));
    }
    cache.close().unwrap();
}

/// Where members of a team keep their blobs: one prefix goes on where another ends, and one lies below another.
const PREFIXES: [&str; 4] = ["/one", "/one2", "/one/below", "/on"];

/// The objects of all members but one; an object is of the member with the longest prefix of its key.
fn of_others(team: &Team, member: usize) -> BTreeSet<String> {
    let is_of = |key: &str, prefix: &str| key.starts_with(&format!("{}{prefix}/", team.name));
    let owner = |key: &str| (0..PREFIXES.len()).filter(|n| is_of(key, PREFIXES[*n])).max_by_key(|n| PREFIXES[*n].len());
    team.objects().into_iter().filter(|key| owner(key) != Some(member)).collect()
}

#[test]
fn caches_below_prefixes_of_one_bucket_never_touch_each_other() {
    let team = Team::new();
    let caches: Vec<Cache> = PREFIXES.iter().enumerate().map(|(member, prefix)| team.open(member, prefix)).collect();
    let values: Vec<Vec<u8>> = (0..3).map(|n| noise(20_000 + n)).collect();
    let put_all = |cache: &Cache| {
        for (key, value) in values.iter().enumerate() {
            cache.put(key, value).unwrap();
        }
    };
    caches.iter().for_each(put_all);
    let mark = MemberCheck { values: &values, objects: team.objects() };
    for (cache, prefix) in caches.iter().zip(PREFIXES) {
        mark.holds(cache, prefix);
    }
    assert!(team.objects() == mark.objects, "sweeps and verifications found nothing to do, and did something");
    for (member, cache) in caches.iter().enumerate() {
        let before = of_others(&team, member);
        let prefix = PREFIXES[member];
        cache.put(0, &noise(30_000)).unwrap();
        assert_eq!(cache.clear().unwrap(), 3, "{prefix}");
        cache.sweep().unwrap();
        assert_eq!(cache.sweep().unwrap().foreign, 0, "{prefix}");
        let verified = cache.verify().unwrap();
        assert_eq!((verified.entries, verified.unreferenced), (0, 0), "{prefix}: {verified:?}");
        assert!(of_others(&team, member) == before, "{prefix} touched an object of another");
        assert!(team.objects().len() < mark.objects.len(), "{prefix} lost its own");
        for (other, prefix) in caches.iter().zip(PREFIXES).filter(|(other, _)| !std::ptr::eq(*other, cache)) {
            mark.holds(other, prefix);
        }
        put_all(cache);
    }
}

/// What every member that nobody touched has.
struct MemberCheck<'v> {
    values: &'v [Vec<u8>],
    objects: BTreeSet<String>,
}

impl MemberCheck<'_> {
    fn holds(&self, cache: &Cache, prefix: &str) {
        let swept = cache.sweep().unwrap();
        assert_eq!((swept.condemned, swept.deleted, swept.foreign, swept.remnants), (0, 0, 0, 0), "{prefix}");
        let verified = cache.verify().unwrap();
        let found = (verified.entries, verified.damaged, verified.unreferenced);
        assert_eq!(found, (self.values.len() as u64, 0, 0), "{prefix}: {verified:?}");
        for (key, value) in self.values.iter().enumerate() {
            assert!(cache.get::<Vec<u8>>(key).unwrap().as_ref() == Some(value), "{prefix}");
        }
    }
}
