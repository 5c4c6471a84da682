//! Conditional puts, batches, touching, copying, renaming, removing by filter: live entries only, all or nothing.

use crate::stores::{Hold, graceless, open_held};
use crate::support::{Place, noise};
use cacheness::{ErrorKind, Field, Filter, GetOptions, PutOptions, Query, Ttl, future, sync::Cache};
use cacheness_storage::engine::Point;
use cacheness_tests::pairs::Pair;
use std::thread;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn with_ttl(place: &Place) -> Cache {
    Cache::builder().dir(place.path()).clock(place.clock.clone()).default_ttl(HOUR).open().unwrap()
}

#[test]
fn a_put_if_absent_stores_only_where_nothing_lives() {
    let place = Place::new();
    let cache = with_ttl(&place);
    for size in [10, 50_000] {
        let key = ("key", size);
        assert!(cache.put_if_absent(key, &noise(size)).unwrap());
        assert!(!cache.put_if_absent(key, &noise(size + 1)).unwrap());
        assert_eq!(cache.get(key).unwrap(), Some(noise(size)));
        place.clock.advance(HOUR);
        assert!(cache.put_if_absent(key, &noise(size + 2)).unwrap(), "an expired entry counts as absent");
        assert_eq!(cache.get(key).unwrap(), Some(noise(size + 2)));
    }
    assert_eq!(place.blobs().len(), 1, "what was refused left nothing");
}

#[test]
fn of_many_puts_if_absent_one_stores() {
    let place = Place::new();
    let cache = place.open();
    let stored: Vec<_> = thread::scope(|scope| {
        let put = |number: usize| {
            let cache = &cache;
            scope.spawn(move || cache.put_if_absent("key", &noise(20_000 + number)).unwrap())
        };
        (0..8).map(put).collect::<Vec<_>>().into_iter().map(|put| put.join().unwrap()).collect()
    });
    assert_eq!(stored.iter().filter(|stored| **stored).count(), 1);
    assert_eq!(place.blobs().len(), 1);
}

#[test]
fn an_update_replaces_live_entries_only_and_begins_their_time_again() {
    let place = Place::new();
    let cache = with_ttl(&place);
    assert!(!cache.update("key", "new").unwrap());
    cache.put_with("key", "old", PutOptions::new().tags(["a"])).unwrap();
    let before = cache.metadata("key").unwrap().unwrap();
    place.clock.advance(HOUR / 2);
    assert!(cache.update("key", &noise(30_000)).unwrap());
    let after = cache.metadata("key").unwrap().unwrap();
    assert_eq!(after.key(), before.key());
    assert!(after.created_at() > before.created_at() && after.expires_at() > before.expires_at());
    assert_ne!((after.raw_size(), after.digest()), (before.raw_size(), before.digest()));
    assert!(after.tags().is_empty());
    place.clock.advance(HOUR);
    assert!(!cache.update("key", "too late").unwrap());
    assert!(!cache.exists("key").unwrap());
}

#[test]
fn touching_moves_the_expiry_of_live_entries_and_of_nothing_else() {
    let place = Place::new();
    let cache = with_ttl(&place);
    cache.put("key", &noise(30_000)).unwrap();
    let version = cache.metadata("key").unwrap().unwrap().version();
    place.clock.advance(HOUR - Duration::from_micros(1));
    assert!(cache.touch("key", None).unwrap(), "a microsecond before its end it lives");
    assert_eq!(cache.ttl("key").unwrap().unwrap().left(), Some(HOUR));
    assert!(cache.touch("key", Some(HOUR * 48)).unwrap());
    assert_eq!(cache.ttl("key").unwrap().unwrap().left(), Some(HOUR * 48));
    assert_ne!(cache.metadata("key").unwrap().unwrap().version(), version);
    assert_eq!(cache.get("key").unwrap(), Some(noise(30_000)));
    assert!(!cache.touch("missing", None).unwrap());
    place.clock.advance(HOUR * 48);
    assert!(!cache.touch("key", None).unwrap(), "what is expired stays so");
    assert_eq!(cache.ttl("key").unwrap(), None);
    assert_eq!(cache.touch("key", Some(Duration::ZERO)).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn looking_after_a_cache_moves_no_expiry() {
    type Operation = (&'static str, fn(&Cache));
    let operations: &[Operation] = &[
        ("get", |cache| assert!(cache.get::<Vec<u8>>("kept").unwrap().is_some())),
        ("get_many", |cache| drop(cache.get_many::<Vec<u8>, _>(["kept", "for ever"]).unwrap())),
        ("entries", |cache| drop(cache.entries(&Query::new()).unwrap())),
        ("explain", |cache| drop(cache.explain("kept").unwrap())),
        ("ages", |cache| assert!(cache.ages().unwrap().is_some())),
        ("stats", |cache| drop(cache.stats().unwrap())),
        ("flush", |cache| cache.flush().unwrap()),
        ("put_if_absent", |cache| assert!(!cache.put_if_absent("kept", &noise(10)).unwrap())),
        ("put_many", |cache| drop(cache.put_many(&[("other", noise(20_000)), ("more", noise(10))]).unwrap())),
        ("update", |cache| assert!(cache.update("other", &noise(30_000)).unwrap())),
        ("update_many", |cache| assert_eq!(cache.update_many(&[("other", 1), ("none", 2)]).unwrap(), 1)),
        ("touch", |cache| assert!(cache.touch("other", Some(HOUR * 9)).unwrap())),
        ("copy", |cache| assert!(cache.copy("kept", "copy").unwrap())),
        ("rename", |cache| assert!(cache.rename("copy", "copied").unwrap())),
        ("invalidate", |cache| assert!(cache.invalidate("more").unwrap())),
        ("invalidate_many", |cache| assert_eq!(cache.invalidate_many(["other", "none"]).unwrap(), 1)),
        ("invalidate_where", |cache| assert_eq!(cache.invalidate_where(&Filter::eq(Field::Tag, "none")).unwrap(), 0)),
        ("invalidate_if", |cache| assert_eq!(cache.invalidate_if(|_| false).unwrap(), 0)),
        ("invalidate_tag", |cache| cache.invalidate_tag("none").unwrap()),
        ("clear", |cache| assert_eq!(cache.namespace("other").unwrap().clear().unwrap(), 0)),
        ("cleanup_expired", |cache| assert_eq!(cache.cleanup_expired().unwrap(), 0)),
        ("sweep", |cache| assert_eq!(cache.sweep().unwrap().foreign, 0)),
        ("verify", |cache| assert!(cache.verify().unwrap().is_clean())),
    ];
    let minute = Duration::from_secs(60);
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = pair.builder_by(&place.path(), &place.clock).open().unwrap();
        cache.put_with("kept", &noise(40_000), PutOptions::new().ttl(HOUR)).unwrap();
        cache.put("for ever", &noise(10)).unwrap();
        for (minutes, (name, operation)) in operations.iter().enumerate() {
            operation(&cache);
            let left = |key: &str| cache.ttl(key).unwrap().unwrap();
            assert_eq!(left("kept").left(), Some(HOUR - minute * minutes as u32), "{pair:?}: {name}");
            assert_eq!(left("for ever"), Ttl::Never, "{pair:?}: {name}");
            place.clock.advance(minute);
        }
        let left = HOUR - minute * operations.len() as u32;
        assert_eq!(cache.ttl("copied").unwrap().unwrap().left(), Some(left), "{pair:?}: a copy lives as long");
        place.clock.advance(left - Duration::from_micros(1));
        assert!(cache.exists("kept").unwrap() && cache.exists("copied").unwrap(), "{pair:?}");
        place.clock.advance(Duration::from_micros(1));
        assert_eq!(cache.get::<Vec<u8>>("kept").unwrap(), None, "{pair:?}");
        assert_eq!((cache.cleanup_expired().unwrap(), cache.stats().unwrap().entries), (2, 1), "{pair:?}");
    }
}

#[test]
fn without_a_ttl_an_entry_never_expires_and_says_so() {
    let place = Place::new();
    let cache = place.open();
    cache.put("key", "value").unwrap();
    assert_eq!(cache.ttl("key").unwrap(), Some(Ttl::Never));
    cache.touch("key", Some(HOUR)).unwrap();
    assert!(matches!(cache.ttl("key").unwrap(), Some(Ttl::Expires { left: HOUR, .. })));
    cache.touch("key", None).unwrap();
    assert_eq!(cache.ttl("key").unwrap(), Some(Ttl::Never));
}

#[test]
fn a_read_may_ask_for_fresher_and_never_gets_staler() {
    let place = Place::new();
    let cache = with_ttl(&place);
    cache.put("key", "value").unwrap();
    let fresh = |age| cache.get_with::<String>("key", GetOptions::new().max_age(age)).unwrap();
    place.clock.advance(HOUR / 2);
    assert_eq!(fresh(HOUR / 2 + Duration::from_micros(1)).as_deref(), Some("value"));
    assert_eq!(fresh(HOUR / 2), None, "as old as that is too old");
    assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("value"), "it stays for others");
    place.clock.advance(HOUR / 2);
    assert_eq!(fresh(HOUR * 10), None, "expired is expired");
}

#[test]
fn batches_store_read_and_remove_together() {
    let place = Place::new();
    let cache = place.open();
    let entries: Vec<_> = (0..50_usize).map(|number| (("key", number), noise(number * 1000))).collect();
    let keys = cache.put_many(&entries).unwrap();
    assert_eq!(keys.len(), 50);
    assert_eq!(keys[7], cacheness::Key::of(("key", 7)).unwrap());
    let found = cache.get_many::<Vec<u8>, _>((0..60).map(|number| ("key", number))).unwrap();
    for (number, value) in found.into_iter().enumerate() {
        assert_eq!(value, (number < 50).then(|| noise(number * 1000)), "{number}");
    }
    assert_eq!(cache.stats().unwrap().entries, 50);
    assert_eq!(cache.touch_many((40..60).map(|number| ("key", number)), Some(HOUR)).unwrap(), 10);
    assert_eq!(cache.invalidate_many((30..70).map(|number| ("key", number))).unwrap(), 20);
    assert_eq!(cache.stats().unwrap().entries, 30);
    assert_eq!(place.blobs().len(), (0..30).filter(|number| number * 1000 > 16 << 10).count());
    assert!(cache.put_many::<&str, String>(&[]).unwrap().is_empty());
    assert!(cache.get_many::<String, &str>([]).unwrap().is_empty());
    assert_eq!(cache.invalidate_many::<&str>([]).unwrap(), 0);
}

#[test]
fn of_equal_keys_in_a_batch_the_last_stays_and_the_others_leave_nothing() {
    let place = Place::new();
    let cache = place.open();
    cache.put_many(&[("key", noise(40_000)), ("other", noise(10)), ("key", noise(50_000))]).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(noise(50_000)));
    assert_eq!((cache.stats().unwrap().entries, place.blobs().len()), (2, 1));
}

#[test]
fn a_batch_with_a_value_that_cannot_be_stored_stores_nothing() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).max_value_size(60_000).open().unwrap();
    cache.put("kept", "old").unwrap();
    let error = cache.put_many(&[("kept", noise(40_000)), ("large", noise(70_000))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(cache.get::<String>("kept").unwrap().as_deref(), Some("old"));
    assert!(place.blobs().is_empty());
}

#[test]
fn a_batch_whose_blobs_are_swept_away_before_its_commit_uploads_them_again() {
    use cacheness::storage::Condition;
    use cacheness_storage::engine::{Engine, NewEntry, Parts, Source};
    let place = Place::new();
    let (_store, failpoints) = open_held(&place, graceless());
    let sweeper = crate::stores::open(&place, graceless());
    let mut options = graceless();
    options.failpoints = failpoints.clone();
    let context = cacheness_storage::OpenContext::new();
    let engine = cacheness_storage::block_on(Engine::open(Parts {
        metadata: std::sync::Arc::new(
            cacheness::backends::sqlite::SqliteMetadata::open(
                place.path().join("index.db"),
                &context,
                Default::default(),
            )
            .unwrap(),
        ),
        blobs: std::sync::Arc::new(
            cacheness::backends::fs::FsBlobs::open(place.path().join("blobs"), &context, Default::default()).unwrap(),
        ),
        handlers: cacheness::handlers::HandlerRegistry::standard(),
        runtime: std::sync::Arc::new(cacheness::core::ThreadPool::global()),
        clock: std::sync::Arc::new(cacheness::core::SystemClock),
        rng: std::sync::Arc::new(cacheness::core::SystemRng),
        options,
    }))
    .unwrap();
    let (first, second) = (noise(40_000), noise(50_000));
    thread::scope(|scope| {
        let hold = Hold::at(&failpoints, Point::Staged);
        let put = scope.spawn(|| {
            let entry = |key: &str| NewEntry::new(key.into(), Condition::Always);
            let source = |value| Source::borrowed(engine.handlers(), value).unwrap();
            let puts = vec![(source(&first), entry("first")), (source(&second), entry("second"))];
            cacheness_storage::block_on(engine.put_many(puts)).unwrap()
        });
        hold.wait();
        hold.go();
        // The first blob is stored, the second is staged.
        hold.wait();
        assert_eq!(sweeper.sweep().unwrap().deleted, 1);
        hold.go();
        // The first one again.
        hold.wait();
        hold.go();
        assert!(put.join().unwrap());
    });
    assert_eq!(sweeper.get("first").unwrap(), Some(first));
    assert_eq!(sweeper.get("second").unwrap(), Some(second));
    sweeper.sweep().unwrap();
    crate::stores::assert_tidy(&place, &sweeper);
}

#[test]
fn a_copy_shares_the_bytes_and_lives_on_its_own() {
    let place = Place::new();
    let cache = with_ttl(&place);
    for size in [100, 60_000] {
        cache.put_with(("from", size), &noise(size), PutOptions::new().tags(["a"])).unwrap();
        place.clock.advance(Duration::from_secs(60));
        assert!(cache.copy(("from", size), ("to", size)).unwrap());
        let (from, to) =
            (cache.metadata(("from", size)).unwrap().unwrap(), cache.metadata(("to", size)).unwrap().unwrap());
        assert_eq!((to.tags(), to.expires_at(), to.blob()), (from.tags(), from.expires_at(), from.blob()));
        assert!(to.created_at() > from.created_at() && to.version() != from.version());
        assert!(cache.invalidate(("from", size)).unwrap());
        assert_eq!(cache.get(("to", size)).unwrap(), Some(noise(size)));
    }
    assert_eq!(place.blobs().len(), 1, "60,000 bytes were stored once");
    assert!(!cache.copy("missing", "anywhere").unwrap());
    assert!(cache.invalidate(("to", 60_000)).unwrap());
    assert!(place.blobs().is_empty());
}

#[test]
fn a_rename_is_one_step_and_spares_what_lives_under_the_other_key() {
    let place = Place::new();
    let cache = with_ttl(&place);
    cache.put("from", &noise(60_000)).unwrap();
    cache.put("taken", "value").unwrap();
    for rename in [true, false] {
        let error = if rename { cache.rename("from", "taken") } else { cache.copy("from", "taken") }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(cache.get::<String>("taken").unwrap().as_deref(), Some("value"));
    assert!(cache.rename("from", "to").unwrap());
    assert!(!cache.exists("from").unwrap());
    assert_eq!(cache.get("to").unwrap(), Some(noise(60_000)));
    assert!(!cache.rename("from", "elsewhere").unwrap());
    place.clock.advance(HOUR);
    assert!(!cache.rename("to", "too late").unwrap(), "an expired entry is absent");
    cache.put("new", "value").unwrap();
    assert!(cache.rename("new", "taken").unwrap(), "and gives way");
}

#[test]
fn a_filter_removes_the_live_entries_that_it_means() {
    let place = Place::new();
    let cache = with_ttl(&place);
    for number in 0..30 {
        let options =
            PutOptions::new().metadata(serde_json::json!({"number": number})).tags([format!("{}", number % 3)]);
        cache.put_with(number, &noise(20_000), options).unwrap();
    }
    assert_eq!(cache.invalidate_where(&Filter::eq(Field::Tag, "1")).unwrap(), 10);
    assert_eq!(cache.invalidate_where(&Filter::lt(Field::metadata("number"), 9)).unwrap(), 6);
    assert_eq!((cache.stats().unwrap().entries, place.blobs().len()), (14, 14));
    place.clock.advance(HOUR);
    assert_eq!(cache.invalidate_where(&Filter::All).unwrap(), 0, "nothing lives");
    assert_eq!(cache.cleanup_expired().unwrap(), 14);
    assert!(place.blobs().is_empty());
    assert_eq!(cache.cleanup_expired().unwrap(), 0);
}

#[test]
fn cleaning_up_removes_what_is_expired_to_the_microsecond_and_nothing_else() {
    let place = Place::new();
    let cache = place.open();
    for micros in 0..5_u64 {
        let options = PutOptions::new().ttl(HOUR + Duration::from_micros(micros));
        cache.put_with(micros, "value", options).unwrap();
    }
    cache.put("for ever", "value").unwrap();
    place.clock.advance(HOUR + Duration::from_micros(2));
    assert_eq!(cache.cleanup_expired().unwrap(), 3);
    let left: Vec<_> = (0..5_u64).filter(|micros| cache.exists(micros).unwrap()).collect();
    assert_eq!(left, [3, 4]);
    assert!(cache.exists("for ever").unwrap());
}

#[tokio::test]
async fn the_async_face_has_the_same_verbs() {
    let place = Place::new();
    let cache = future::Cache::from(with_ttl(&place));
    assert!(cache.put_if_absent("a", "1").await.unwrap());
    assert!(cache.update("a", "2").await.unwrap());
    assert_eq!(cache.put_many(&[("b", noise(30_000)), ("c", noise(10))]).await.unwrap().len(), 2);
    assert_eq!(cache.get_many::<Vec<u8>, _>(["b", "d"]).await.unwrap(), [Some(noise(30_000)), None]);
    assert_eq!(cache.get_shared::<String>("a").await.unwrap().as_deref().map(String::as_str), Some("2"));
    assert!(cache.touch("a", Some(HOUR * 2)).await.unwrap());
    assert_eq!(cache.ttl("a").await.unwrap().unwrap().left(), Some(HOUR * 2));
    assert!(cache.copy("a", "e").await.unwrap() && cache.rename("e", "f").await.unwrap());
    assert_eq!(cache.invalidate_many(["b", "f"]).await.unwrap(), 2);
    assert_eq!(cache.invalidate_where(&Filter::All).await.unwrap(), 2);
    assert_eq!(cache.cleanup_expired().await.unwrap(), 0);
}

#[test]
fn an_entry_tells_its_size_format_and_digest_and_a_query_only_what_it_is_asked_for() {
    use cacheness::storage::Fields;
    let place = Place::new();
    let cache = place.open();
    let options = || PutOptions::new().metadata(serde_json::json!({"a": 1})).tags(["t"]).description("d");
    cache.put_with("bytes", &noise(30_000), options()).unwrap();
    cache.put_with("object", &(1, 2.5), options()).unwrap();
    let entry = cache.metadata("bytes").unwrap().unwrap();
    assert_eq!((entry.raw_size(), entry.data_type(), entry.format()), (30_000, "bytes", "raw"));
    assert!(entry.digest().to_string().starts_with("xxh3:"), "{}", entry.digest());
    assert_eq!(cache.metadata("object").unwrap().unwrap().format(), "msgpack");
    let shown = cache.entries(&Query::new()).unwrap().entries;
    assert!(shown.iter().all(|entry| entry.tags() == ["t"] && entry.description() == Some("d")));
    let least = cache.entries(&Query::new().fields(Fields::LEAST)).unwrap().entries;
    assert!(least.iter().all(|entry| entry.tags().is_empty() && entry.metadata().is_empty() && entry.raw_size() > 0));
}

#[test]
fn filters_read_from_json_mean_what_they_say() {
    let place = Place::new();
    let cache = place.open();
    for (name, accuracy) in [("a", 0.8), ("b", 0.9), ("c", 0.95)] {
        let metadata = serde_json::json!({"accuracy": accuracy, "model": {"name": name}});
        cache.put_with(name, "value", PutOptions::new().metadata(metadata)).unwrap();
    }
    let names = |json: serde_json::Value| {
        let filter = Filter::try_from(&json).unwrap();
        let found = cache.entries(&Query::new().filter(filter)).unwrap().entries;
        let mut names: Vec<_> =
            found.iter().map(|entry| entry.metadata()["model"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.concat()
    };
    assert_eq!(names(serde_json::json!({"accuracy": {"$gte": 0.9}})), "bc");
    assert_eq!(names(serde_json::json!({"model.name": {"$in": ["a", "c"]}})), "ac");
    assert_eq!(names(serde_json::json!({"$or": [{"accuracy": 0.8}, {"model.name": "b"}]})), "ab");
    assert_eq!(names(serde_json::json!({"accuracy": {"$lt": 0.9}, "model.name": "b"})), "");
}

#[test]
fn conditional_puts_take_options_and_many_updates_count_the_live_ones() {
    let place = Place::new();
    let cache = with_ttl(&place);
    let tagged = || PutOptions::new().tags(["a"]).ttl(HOUR / 2);
    assert!(!cache.update_with("key", "new", tagged()).unwrap());
    assert!(cache.put_if_absent_with("key", "first", tagged()).unwrap());
    assert!(!cache.put_if_absent_with("key", "second", PutOptions::new()).unwrap());
    assert_eq!(cache.ttl("key").unwrap().and_then(Ttl::left), Some(HOUR / 2));
    assert!(cache.update_with("key", "third", PutOptions::new().description("a word")).unwrap());
    let entry = cache.metadata("key").unwrap().unwrap();
    assert_eq!((entry.tags(), entry.description()), ([].as_slice(), Some("a word")));

    cache.put_with("short", "gone", PutOptions::new().ttl(HOUR / 4)).unwrap();
    place.clock.advance(HOUR / 4);
    assert_eq!(cache.update_many(&[("key", 4), ("short", 5), ("nothing", 6)]).unwrap(), 1);
    assert_eq!(cache.get("key").unwrap(), Some(4));
    assert!(!cache.exists("short").unwrap() && !cache.exists("nothing").unwrap());
    let refused = cache.put_if_absent_with("other", "x", PutOptions::new().ttl(Duration::ZERO)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
}
