//! Putting, getting and everything around them, on SQLite and files.

use crate::support::{Place, Results, noise};
use cacheness::core::Timestamp;
use cacheness::handlers::bincode::{self, de::Decoder, enc::Encoder, error::DecodeError, error::EncodeError};
use cacheness::handlers::{BincodeHandler, Cacheable, ErasedHandler, Value, schema_hash};
use cacheness::{Bundle, Bundled, Field, Key};
use cacheness::{Filter, MissReason, PutOptions, Query, Registry, key, storage::Bytes, sync::Cache};
use cacheness_testkit::SeededRng;
use ndarray::{Array2, ArrayD, ShapeBuilder};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_value_comes_back_under_its_parameters_in_any_order() {
    let place = Place::new();
    let cache = place.open();
    let key = cache.put(key! { experiment: "exp_001", model: "xgboost" }, &Results::sample()).unwrap();
    let hit: Option<Results> = cache.get(key! { model: "xgboost", experiment: "exp_001" }).unwrap();
    assert_eq!(hit, Some(Results::sample()));
    assert_eq!(cache.get(key).unwrap(), Some(Results::sample()));
    assert_eq!(cache.get::<Results>(key! { model: "xgboost" }).unwrap(), None);
}

#[test]
fn every_kind_of_value_survives_reopening() {
    let place = Place::new();
    let cache = place.open();
    cache.put("text", "plain text").unwrap();
    cache.put("slice", [1_u32, 2, 3].as_slice()).unwrap();
    cache.put("vec", &noise(100_000)).unwrap();
    cache.put("shared bytes", &Bytes::from(noise(20))).unwrap();
    cache.put("nothing", &None::<u8>).unwrap();
    cache.put_typed("array", &Array2::from_shape_fn((30, 40).f(), |(row, column)| row as f64 - column as f64)).unwrap();
    cache.close().unwrap();

    let cache = place.open();
    assert_eq!(cache.get::<String>("text").unwrap().as_deref(), Some("plain text"));
    assert_eq!(cache.get::<Vec<u32>>("slice").unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(cache.get::<Vec<u8>>("vec").unwrap(), Some(noise(100_000)));
    assert_eq!(cache.get::<Vec<u8>>("shared bytes").unwrap(), Some(noise(20)), "bytes are bytes");
    assert_eq!(cache.get::<Option<u8>>("nothing").unwrap(), Some(None), "a cached None is a hit");
    let array: Array2<f64> = cache.get_typed("array").unwrap().unwrap();
    assert_eq!(array[(3, 5)], -2.0);
    let array: ArrayD<f64> = cache.get_typed("array").unwrap().unwrap();
    assert_eq!(array.shape(), [30, 40]);
}

#[test]
fn large_values_of_every_codec_come_back() {
    use cacheness::Compression;
    use cacheness::handlers::Codec;
    for codec in [Codec::None, Codec::Lz4, Codec::ZSTD, Codec::GZIP] {
        let place = Place::new();
        let compression = Compression { arrays: codec, objects: codec, threshold: 0 };
        let cache = Cache::builder().dir(place.path()).compression(compression).open().unwrap();
        let text = "a line that repeats itself\n".repeat(40_000);
        let array = Array2::from_shape_fn((300, 500), |(row, column)| (row * column) as f32);
        cache.put("text", &text).unwrap();
        cache.put_typed("array", &array).unwrap();
        assert_eq!(cache.get::<String>("text").unwrap(), Some(text), "{codec}");
        assert_eq!(cache.get_typed("array").unwrap(), Some(array), "{codec}");
        assert_eq!(cache.metadata("text").unwrap().unwrap().codec(), codec.id());
    }
}

#[derive(Debug, PartialEq)]
struct Point {
    x: f64,
    y: f64,
}

impl bincode::Encode for Point {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.x.encode(encoder)?;
        self.y.encode(encoder)
    }
}

impl<C> bincode::Decode<C> for Point {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self { x: f64::decode(decoder)?, y: f64::decode(decoder)? })
    }
}

impl Cacheable for Point {
    const NAME: &'static str = "Point";
    const VERSION: u32 = 1;
    const SCHEMA: u64 = schema_hash("Point { x: f64, y: f64 }");
}

impl Value for Point {
    fn fallback() -> Option<&'static dyn ErasedHandler> {
        Some(const { &BincodeHandler::<Point>::new() })
    }
}

#[test]
fn a_cacheable_type_is_stored_as_bincode() {
    let place = Place::new();
    let cache = place.open();
    cache.put("point", &Point { x: 1.0, y: 2.0 }).unwrap();
    assert_eq!(cache.get("point").unwrap(), Some(Point { x: 1.0, y: 2.0 }));
    let entry = cache.metadata("point").unwrap().unwrap();
    assert_eq!((entry.format(), entry.raw_size()), ("bincode", 16));
}

#[test]
fn an_entry_knows_what_was_put() {
    let place = Place::new();
    let cache = place.open();
    let options = PutOptions::new()
        .ttl(Duration::from_hours(1))
        .metadata(json!({"accuracy": 0.93, "nested": {"n": 1}}))
        .tags(["nightly", "wé ird/tag"])
        .description("the best so far");
    let key = cache.put_with(("model", 1), &Results::sample(), options).unwrap();
    let (value, entry) = cache.get_with_metadata::<Results>(key).unwrap().unwrap();
    assert_eq!(value, Results::sample());
    assert_eq!(Some(&entry), cache.metadata(key).unwrap().as_ref());
    assert_eq!(entry.key(), key.to_string());
    assert_eq!(entry.metadata()["accuracy"], 0.93);
    assert_eq!(entry.tags(), ["nightly", "wé ird/tag"]);
    assert_eq!(entry.description(), Some("the best so far"));
    assert_eq!((entry.data_type(), entry.format()), ("object", "msgpack"));
    assert!(entry.type_name().ends_with("Results"));
    assert_eq!(entry.expires_at().unwrap().duration_since(entry.created_at()).unwrap(), Duration::from_hours(1));
}

#[test]
fn metadata_never_enters_the_key() {
    let place = Place::new();
    let cache = place.open();
    let plain = cache.put(1, "value").unwrap();
    let options = PutOptions::new().description("one").tags(["x"]).metadata(json!({"a": 1}));
    let described = cache.put_with(1, "value", options).unwrap();
    assert_eq!(plain, described);
    assert_eq!(cache.stats().unwrap().entries, 1);
}

#[test]
fn every_read_agrees_about_the_moment_of_expiry() {
    let place = Place::new();
    let cache = place.open();
    cache.put_with(1, "short", PutOptions::new().ttl(Duration::from_secs(10))).unwrap();
    cache.put(2, "for ever").unwrap();
    let live = |expected: bool| {
        assert_eq!(cache.get::<String>(1).unwrap().is_some(), expected);
        assert_eq!(cache.get_with_metadata::<String>(1).unwrap().is_some(), expected);
        assert_eq!(cache.exists(1).unwrap(), expected);
        assert_eq!(cache.metadata(1).unwrap().is_some(), expected);
        assert_eq!(cache.entries(&Query::new()).unwrap().entries.len(), if expected { 2 } else { 1 });
    };
    live(true);
    place.clock.advance(Duration::from_micros(9_999_999));
    live(true);
    place.clock.advance(Duration::from_micros(1));
    live(false);
    assert!(!cache.invalidate(1).unwrap(), "an expired entry counts as absent");
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::Expired), 2);
    assert!(cache.exists(2).unwrap());
}

#[test]
fn the_default_ttl_applies_unless_the_put_says_otherwise() {
    let place = Place::new();
    let builder = || Cache::builder().dir(place.path()).clock(place.clock.clone());
    let cache = builder().default_ttl(Duration::from_secs(10)).open().unwrap();
    cache.put("default", &1).unwrap();
    cache.put_with("longer", &2, PutOptions::new().ttl(Duration::from_secs(20))).unwrap();
    let reads = |key: &str| {
        let entries = cache.entries(&Query::new()).unwrap().entries;
        let expected = Key::of(key).unwrap().to_string();
        [
            cache.get::<i32>(key).unwrap().is_some(),
            cache.get_with_metadata::<i32>(key).unwrap().is_some(),
            cache.exists(key).unwrap(),
            cache.metadata(key).unwrap().is_some(),
            entries.iter().any(|entry| entry.key() == expected),
        ]
    };
    assert_eq!((reads("default"), reads("longer")), ([true; 5], [true; 5]));
    place.clock.advance(Duration::from_secs(10));
    assert_eq!((reads("default"), reads("longer")), ([false; 5], [true; 5]));
    place.clock.advance(Duration::from_secs(10));
    assert_eq!(reads("longer"), [false; 5]);
}

#[test]
fn without_a_ttl_a_value_never_expires() {
    let place = Place::new();
    let cache = place.open();
    cache.put(1, "for ever").unwrap();
    place.clock.set(Timestamp::from_micros(i64::MAX));
    assert_eq!(cache.get::<String>(1).unwrap().as_deref(), Some("for ever"));
    assert_eq!(cache.metadata(1).unwrap().unwrap().expires_at(), None);
}

#[test]
fn a_shown_key_finds_and_removes_its_entry() {
    let place = Place::new();
    let cache = place.open();
    let shown = cache.put(("user", 42), "Ada").unwrap().to_string();
    assert_eq!(cache.get::<String>(Key::parse(&shown).unwrap()).unwrap().as_deref(), Some("Ada"));
    assert!(cache.invalidate(Key::parse(&shown).unwrap()).unwrap());
    assert!(!cache.exists(("user", 42)).unwrap());
}

#[test]
fn invalidate_says_whether_something_was_there() {
    let place = Place::new();
    let cache = place.open();
    let key = cache.put(1, "value").unwrap();
    assert!(cache.invalidate(key).unwrap());
    assert!(!cache.invalidate(1).unwrap());
    assert_eq!(cache.get::<String>(1).unwrap(), None);
}

#[test]
fn overwriting_a_key_leaves_no_orphan_blob() {
    let place = Place::new();
    let cache = place.open();
    for size in [50_000, 60_000, 70_000] {
        cache.put("key", &noise(size)).unwrap();
    }
    assert_eq!(place.blobs().len(), 1);
    cache.put("key", "small").unwrap();
    assert_eq!(place.blobs().len(), 0);
    assert_eq!(cache.get::<Vec<u8>>("key").unwrap(), None, "a text is stored now");
    assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("small"));
}

#[test]
fn clear_removes_everything_that_is_ours_and_nothing_else() {
    let place = Place::new();
    let cache = place.open();
    for number in 0..2500 {
        cache.put(number, &number).unwrap();
    }
    cache.put("large", &noise(100_000)).unwrap();
    let foreign = place.path().join("blobs").join("notes.txt");
    std::fs::write(&foreign, "mine").unwrap();
    assert_eq!(cache.clear().unwrap(), 2501);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes, stats.blobs), (0, 0, 0));
    assert!(place.blobs().is_empty());
    assert_eq!(std::fs::read_to_string(foreign).unwrap(), "mine");
    cache.put("again", &1).unwrap();
    assert_eq!(place.open().get::<i32>("again").unwrap(), Some(1), "the store is still the same");
}

#[test]
fn stats_count_hits_and_misses_by_their_reason() {
    let place = Place::new();
    let cache = place.open();
    cache.put(1, "text").unwrap();
    cache.get::<String>(1).unwrap();
    cache.get::<String>(2).unwrap();
    cache.get::<u64>(1).unwrap();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.hits, stats.misses(), stats.puts), (1, 1, 2, 1));
    assert_eq!(stats.misses_because(MissReason::Absent), 1);
    assert_eq!(stats.misses_because(MissReason::OtherType), 1);
    assert_eq!(stats.bytes, cache.metadata(1).unwrap().unwrap().stored_size());
    assert_eq!(stats.average_size(), stats.bytes);
    assert!((stats.hit_rate() - 1.0 / 3.0).abs() < 1e-9);
    let report = stats.to_string();
    for part in ["sqlite:", "  33.3 % of 3 gets\n", " 2  1 absent, 1 other type\n"] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
fn entries_come_in_pages_and_pass_a_filter() {
    let place = Place::new();
    let cache = place.open();
    for number in 0..50 {
        let options = PutOptions::new().metadata(json!({"number": number}));
        cache.put_with(number, &number, options).unwrap();
    }
    let query = Query::new().limit(7).filter(Filter::ge(Field::metadata("number"), 10));
    let (mut seen, mut query) = (Vec::new(), query);
    loop {
        let page = cache.entries(&query).unwrap();
        assert!(page.entries.len() <= 7);
        seen.extend(page.entries.iter().map(|entry| entry.metadata()["number"].as_i64().unwrap()));
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (10..50).collect::<Vec<_>>());
}

#[test]
fn keys_are_listed_by_how_they_begin() {
    let place = Place::new();
    let cache = place.open();
    let red = cache.namespace("red").unwrap();
    let mut keys: Vec<_> = (0..60).map(|number| cache.put(number, &number).unwrap().to_string()).collect();
    let of_red: Vec<_> = (0..9).map(|number| red.put(number, &number).unwrap().to_string()).collect();
    let begins = &of_red[0][..8];
    assert!(of_red.iter().all(|key| key.starts_with(begins)), "a namespace is the beginning of its keys");
    keys.extend(of_red.iter().cloned());
    keys.sort();
    let listed = |cache: &Cache, begins: &str| {
        let page = cache.entries(&Query::new().prefix(begins)).unwrap();
        page.entries.iter().map(|entry| entry.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&cache, ""), keys);
    for begins in [begins, &keys[0][..1], &keys[7], &keys[9][..2], "x", "%"] {
        let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(begins)).cloned().collect();
        assert_eq!(listed(&cache, begins), expected, "{begins}");
    }
    assert_eq!(listed(&red, "").len(), 9);
}

#[test]
fn a_removed_handler_gives_way_to_the_next() {
    let place = Place::new();
    let mut registry: Registry = Bundled::registry().unwrap();
    registry.handlers.remove("text").unwrap();
    let cache = Cache::builder().dir(place.path()).registry(registry).open().unwrap();
    cache.put(1, "text").unwrap();
    assert_eq!(cache.metadata(1).unwrap().unwrap().data_type(), "object");
    assert_eq!(cache.get::<String>(1).unwrap().as_deref(), Some("text"));
}

#[test]
fn chance_is_injected() {
    let version = || {
        let place = Place::new();
        let cache = Cache::builder().dir(place.path()).rng(SeededRng::new(7)).open().unwrap();
        cache.put(1, &noise(50_000)).unwrap();
        let entry = cache.metadata(1).unwrap().unwrap();
        (entry.version(), entry.blob())
    };
    assert_eq!(version(), version());
}

#[test]
fn clones_share_one_cache() {
    let place = Place::new();
    let cache = place.open();
    let threads: Vec<_> = (0..10)
        .map(|thread| {
            let cache = cache.clone();
            std::thread::spawn(move || {
                for number in 0..100 {
                    cache.put((thread, number), &(thread * number)).unwrap();
                    assert_eq!(cache.get::<i32>((thread, number)).unwrap(), Some(thread * number));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(cache.stats().unwrap().entries, 1000);
}

#[test]
fn stats_count_by_handler_and_begin_anew_when_told_to() {
    let place = Place::new();
    let cache = place.open();
    cache.put("text", "words").unwrap();
    cache.put("object", &1_u64).unwrap();
    for _ in 0..3 {
        cache.get::<u64>("object").unwrap();
    }
    cache.get::<String>("nothing").unwrap();
    let stats = cache.stats().unwrap();
    let of = |tag: &str| stats.handlers.get(tag).map(|handler| (handler.puts, handler.hits));
    assert_eq!((of("text"), of("object"), of("bytes")), (Some((1, 0)), Some((1, 3)), None));
    let report = stats.to_string();
    for part in
        ["  75.0 % of 4 gets\n", " 1  1 absent\n", "\n  copies in memory           1  ", ", 2 hits, 0 evictions"]
    {
        assert!(report.contains(part), "{part} in {report}");
    }
    cache.reset_stats();
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.misses(), stats.puts, stats.handlers.len()), (0, 0, 0, 0));
    assert_eq!((stats.entries, cache.get("object").unwrap()), (2, Some(1_u64)), "what is in the cache stays");
}
