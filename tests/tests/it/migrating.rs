//! Moving entries to another store: everything that is served, verified, in as many attempts as it takes.

use crate::support::{Place, Results, noise};
use cacheness::{
    ErrorKind, MigrateOptions, Migrated, PutOptions, Query, TokioRuntime, future, key, sync::BlobStore, sync::Cache,
};
use cacheness_tests::pairs::{Pair, blob_files};
use cacheness_tests::remote::Remote;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn open(place: &Place, pair: Pair) -> Cache {
    pair.builder_by(&place.path(), &place.clock).open().unwrap()
}

fn remote() -> Remote {
    Remote::start(env!("CARGO_BIN_EXE_remote-backend"), Duration::ZERO)
}

/// One entry of each sort.
fn fill(cache: &Cache) {
    cache.put(key! { name: "object", part: 1 }, &Results::sample()).unwrap();
    let options = PutOptions::new().ttl(HOUR).tags(["models", "large"]).description("a blob");
    cache.put_with("large", &noise(100_000), options).unwrap();
    cache.put_with("text", "small", PutOptions::new().tags(["models"])).unwrap();
    cache.copy("large", "copy").unwrap();
    cache.namespace("other").unwrap().put("large", &noise(50_000)).unwrap();
}

fn check(cache: &Cache, context: &str) {
    assert_eq!(cache.get(key! { part: 1, name: "object" }).unwrap(), Some(Results::sample()), "{context}");
    let (large, entry) = cache.get_with_metadata::<Vec<u8>>("large").unwrap().unwrap();
    assert_eq!(large, noise(100_000), "{context}");
    assert_eq!(
        (entry.tags(), entry.description()),
        (&["models".into(), "large".into()][..], Some("a blob")),
        "{context}"
    );
    assert!(entry.expires_at().is_some(), "{context}");
    assert_eq!(cache.get::<String>("text").unwrap().as_deref(), Some("small"), "{context}");
    assert_eq!(cache.get("copy").unwrap(), Some(noise(100_000)), "{context}");
    assert_eq!(cache.namespace("other").unwrap().get("large").unwrap(), Some(noise(50_000)), "{context}");
    assert!(cache.verify().unwrap().is_clean(), "{context}");
}

#[test]
fn every_entry_moves_between_all_pairs_of_backends() {
    for (from, to) in Pair::ALL.into_iter().flat_map(|from| Pair::ALL.map(|to| (from, to))) {
        let (old_place, new_place) = (Place::new(), Place::new());
        let (old, new) = (open(&old_place, from), open(&new_place, to));
        fill(&old);
        let migrated = old.migrate_to(&new, MigrateOptions::new()).unwrap();
        let context = format!("{from:?} to {to:?}");
        assert_eq!((migrated.total, migrated.copied, migrated.examined), (5, 5, 5), "{context}");
        check(&new, &context);
        let entry = |cache: &Cache| cache.metadata("large").unwrap().unwrap();
        assert_eq!(entry(&old).expires_at(), entry(&new).expires_at(), "{context}");
        assert_eq!(entry(&old).created_at(), entry(&new).created_at(), "{context}");
        assert_eq!(new.stats().unwrap().bytes, old.stats().unwrap().bytes, "the copy shares its blob: {context}");
        check(&old, &context);
        let again = old.migrate_to(&new, MigrateOptions::new()).unwrap();
        assert_eq!((again.copied, again.present), (0, 5), "{context}");
    }
}

#[test]
fn a_local_cache_moves_to_a_remote_one_and_back() {
    let (old_place, new_place, server) = (Place::new(), Place::new(), remote());
    let old = Cache::builder().dir(old_place.path()).open().unwrap();
    fill(&old);
    let far = Cache::builder().metadata_backend(server.metadata()).blob_backend(server.blobs()).open().unwrap();
    assert_eq!(old.migrate_to(&far, MigrateOptions::new()).unwrap().copied, 5);
    check(&far, "remote");
    let back = Cache::builder().dir(new_place.path()).open().unwrap();
    assert_eq!(far.migrate_to(&back, MigrateOptions::new()).unwrap().copied, 5);
    check(&back, "back");
}

#[tokio::test]
async fn the_async_face_moves_a_local_cache_to_servers_and_back() {
    let places = [Place::new(), Place::new(), Place::new()];
    let open = async |place: &Place, pair: Pair| {
        let [metadata, blobs] = pair.urls(&place.path());
        future::Cache::builder().metadata(metadata).blobs(blobs).open().await.unwrap()
    };
    let old = open(&places[0], Pair::Sqlite).await;
    old.put("large", &noise(100_000)).await.unwrap();
    old.put_with("small", "text", PutOptions::new().ttl(HOUR)).await.unwrap();
    let far = open(&places[1], Pair::PostgresS3).await;
    assert_eq!(old.migrate_to(&far, MigrateOptions::new()).await.unwrap().copied, 2);
    let back = open(&places[2], Pair::Sqlite).await;
    assert_eq!(far.migrate_to(&back, MigrateOptions::new()).await.unwrap().copied, 2);
    for cache in [&far, &back] {
        assert_eq!(cache.get("large").await.unwrap(), Some(noise(100_000)));
        assert_eq!(cache.get::<String>("small").await.unwrap().as_deref(), Some("text"));
        assert!(cache.ttl("small").await.unwrap().unwrap().left().unwrap() <= HOUR);
        assert!(cache.verify().await.unwrap().is_clean());
    }
}

#[tokio::test]
async fn both_faces_migrate_and_only_the_async_one_inside_async_code() {
    let (place, server) = (Place::new(), remote());
    let old = future::Cache::builder().dir(place.path()).open().await.unwrap();
    old.put("large", &noise(100_000)).await.unwrap();
    let builder = future::Cache::builder().metadata_backend(server.metadata()).blob_backend(server.blobs());
    let far = builder.open().await.unwrap();
    assert_eq!(old.migrate_to(&far, MigrateOptions::new()).await.unwrap().copied, 1);
    assert_eq!(far.get("large").await.unwrap(), Some(noise(100_000)));

    let blocking = Cache::builder().dir(place.path()).open().unwrap();
    let builder = Cache::builder().metadata_backend(server.metadata()).blob_backend(server.blobs());
    let far = std::thread::spawn(|| builder.open().unwrap()).join().unwrap();
    let refused = blocking.migrate_to(&far, MigrateOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AsyncContext, "{refused}");
    assert!(TokioRuntime::global().is_ok());
}

#[test]
fn an_interrupted_migration_goes_on_where_it_was() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let old = open(&old_place, Pair::Sqlite);
    for number in 0..300 {
        old.put(number, &noise(if number % 10 == 0 { 40_000 } else { 100 })).unwrap();
    }
    let new = open(&new_place, Pair::Sqlite);
    let stop = MigrateOptions::new().on_progress(|_| panic!("the power fails"));
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| old.migrate_to(&new, stop)));
    assert!(interrupted.is_err());
    let so_far = new.stats().unwrap().entries;
    assert!((1..300).contains(&so_far), "{so_far}");
    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = MigrateOptions::new().on_progress({
        let told = told.clone();
        move |so_far: &Migrated| told.lock().unwrap().push(*so_far)
    });
    let rest = old.migrate_to(&new, progress).unwrap();
    assert_eq!((rest.present, rest.copied), (so_far, 300 - so_far));
    assert_eq!(told.lock().unwrap().iter().map(|told| told.examined).collect::<Vec<_>>(), [256, 300]);
    for number in 0..300 {
        assert_eq!(new.get(number).unwrap(), Some(noise(if number % 10 == 0 { 40_000 } else { 100 })));
    }
    assert_eq!(blob_files(&new_place.path()).len(), 30, "no blob is left over");
}

#[test]
fn what_nobody_is_served_any_more_stays_behind() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let (old, new) = (open(&old_place, Pair::Sqlite), open(&new_place, Pair::Memory));
    old.put_with("expired", &1, PutOptions::new().ttl(HOUR)).unwrap();
    old.put_with("invalidated", &2, PutOptions::new().tags(["gone"])).unwrap();
    old.invalidate_tag("gone").unwrap();
    old.put_with("tagged again", &3, PutOptions::new().tags(["gone"])).unwrap();
    old_place.clock.advance(2 * HOUR);
    new_place.clock.advance(2 * HOUR);
    new.invalidate_tag("gone").unwrap();
    assert_eq!(old.migrate_to(&new, MigrateOptions::new()).unwrap().copied, 1);
    assert_eq!(new.get("tagged again").unwrap(), Some(3));
    assert_eq!(new.entries(&Query::new()).unwrap().entries.len(), 1);
    new.invalidate_tag("gone").unwrap();
    assert_eq!(new.get::<i32>("tagged again").unwrap(), None, "a later invalidation means it");
}

#[test]
fn a_later_call_brings_what_changed_and_keeps_what_changed_there() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let (old, new) = (open(&old_place, Pair::Sqlite), open(&new_place, Pair::Sqlite));
    for name in ["same", "changed here", "changed there"] {
        old.put(name, &noise(30_000)).unwrap();
    }
    old.migrate_to(&new, MigrateOptions::new()).unwrap();
    assert_eq!(new.get("changed here").unwrap(), Some(noise(30_000)), "a copy of it is in memory");
    for place in [&old_place, &new_place] {
        place.clock.advance(HOUR);
    }
    old.put("changed here", &noise(31_000)).unwrap();
    new.put("changed there", &noise(32_000)).unwrap();
    old.put("added", &noise(33_000)).unwrap();
    let again = old.migrate_to(&new, MigrateOptions::new()).unwrap();
    assert_eq!((again.copied, again.present, again.kept), (2, 1, 1));
    let read = |name: &str| new.get::<Vec<u8>>(name).unwrap().map(|value| value.len());
    assert_eq!(
        ["same", "changed here", "changed there", "added"].map(read),
        [Some(30_000), Some(31_000), Some(32_000), Some(33_000)]
    );
    assert_eq!(blob_files(&new_place.path()).len(), 4, "what was replaced is deleted");
}

#[test]
fn a_namespace_moves_alone() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let (old, new) = (open(&old_place, Pair::Sqlite), open(&new_place, Pair::Json));
    fill(&old);
    let migrated = old.namespace("other").unwrap().migrate_to(&new, MigrateOptions::new()).unwrap();
    assert_eq!((migrated.total, migrated.copied), (5, 1));
    assert_eq!(new.namespace("other").unwrap().get("large").unwrap(), Some(noise(50_000)));
    assert_eq!(new.get::<Vec<u8>>("large").unwrap(), None);
}

#[test]
fn what_is_damaged_is_left_and_counted() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let (old, new) = (open(&old_place, Pair::Sqlite), open(&new_place, Pair::Sqlite));
    for (name, size) in [("whole", 30_000), ("lost", 40_000), ("torn", 50_000)] {
        old.put(name, &noise(size)).unwrap();
    }
    for file in blob_files(&old_place.path()) {
        match std::fs::metadata(&file).unwrap().len() {
            40_000..50_000 => std::fs::remove_file(file).unwrap(),
            50_000.. => {
                let mut bytes = std::fs::read(&file).unwrap();
                bytes[25_000] ^= 1;
                std::fs::write(file, bytes).unwrap();
            }
            _ => {}
        }
    }
    let migrated = old.migrate_to(&new, MigrateOptions::new()).unwrap();
    assert_eq!((migrated.copied, migrated.damaged), (1, 2));
    assert_eq!(new.get("whole").unwrap(), Some(noise(30_000)));
    assert_eq!(blob_files(&new_place.path()).len(), 1, "nothing of the others came along");
}

#[test]
fn a_cache_is_not_moved_onto_itself() {
    let place = Place::new();
    let (one, same) = (open(&place, Pair::Sqlite), open(&place, Pair::Sqlite));
    let refused = one.migrate_to(&same, MigrateOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("name another place"), "{refused}");
}

#[test]
fn a_source_may_be_opened_read_only_and_a_destination_not() {
    let (old_place, new_place) = (Place::new(), Place::new());
    fill(&open(&old_place, Pair::Sqlite));
    let old = Cache::builder().dir(old_place.path()).clock(old_place.clock.clone()).read_only(true).open().unwrap();
    let new = open(&new_place, Pair::Sqlite);
    assert_eq!(old.migrate_to(&new, MigrateOptions::new()).unwrap().copied, 5);
    assert_eq!(new.migrate_to(&old, MigrateOptions::new()).unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn a_blob_store_moves_with_its_shared_content() {
    let (old_place, new_place) = (Place::new(), Place::new());
    let open = |place: &Place| BlobStore::builder().dir(place.path()).content_addressable(true).open().unwrap();
    let (old, new) = (open(&old_place), open(&new_place));
    for name in ["one", "two", "three"] {
        old.put(name, &noise(60_000)).unwrap();
    }
    assert_eq!(old.migrate_to(&new, MigrateOptions::new()).unwrap().copied, 3);
    assert_eq!(blob_files(&new_place.path()).len(), 1);
    assert_eq!(new.get("three").unwrap(), Some(noise(60_000)));
    assert!(new.verify().unwrap().is_clean());
}
