//! Why a key is a miss: every verdict is what a get does, asking changes nothing, and the nearest parameters are the nearest.

use crate::support::{Place, noise};
use cacheness::core::runtime::block_on;
use cacheness::{
    CacheBuilder, Difference, Explanation, Key, MissReason, PutOptions, StoreParameters, Verdict, future, key,
    sync::Cache,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value as Json, json};
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

fn builder(place: &Place) -> CacheBuilder<Cache> {
    Cache::builder().dir(place.path()).clock(place.clock.clone())
}

fn with_parameters(place: &Place) -> Cache {
    builder(place).store_parameters(StoreParameters::On).open().unwrap()
}

fn now(place: &Place) -> SystemTime {
    use cacheness::core::Clock;
    place.clock.now().into()
}

/// Whether everything that can be seen of the cache is the same after asking.
fn asked<T: cacheness::handlers::Value>(cache: &Cache, key: impl Serialize + Copy) -> (Explanation, Explanation) {
    let before = cache.stats().unwrap();
    let answers = (cache.explain(key).unwrap(), cache.explain_as::<T>(key).unwrap());
    cache.flush().unwrap();
    assert_eq!(cache.stats().unwrap(), before);
    answers
}

fn assert_verdict<T: cacheness::handlers::Value>(
    cache: &Cache,
    key: impl Serialize + Copy,
    verdict: &Verdict,
    reason: MissReason,
) -> Explanation {
    let (explained, explained_as) = asked::<T>(cache, key);
    assert_eq!((&explained.verdict, &explained_as.verdict), (verdict, verdict));
    let before = cache.stats().unwrap().misses_because(reason);
    assert!(cache.get::<T>(key).unwrap().is_none());
    assert_eq!(cache.stats().unwrap().misses_because(reason), before + 1, "{verdict:?} is what a get does");
    explained
}

fn lines(explanation: &Explanation) -> Vec<String> {
    explanation.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn a_hit_is_explained_without_counting_as_a_use() {
    let place = Place::new();
    let cache = builder(&place).default_ttl(2 * HOUR).open().unwrap();
    cache.put("small", "text").unwrap();
    cache.put("large", &noise(40_000)).unwrap();
    place.clock.advance(HOUR / 2);
    let entry = cache.metadata("small").unwrap().unwrap();
    let (explained, explained_as) = asked::<String>(&cache, "small");
    assert_eq!(explained, explained_as);
    assert_eq!((explained.key, &explained.nearest[..]), (Key::of("small").unwrap(), &[][..]));
    assert_eq!(explained.verdict, Verdict::Stored(Box::new(entry.clone())));
    let size = entry.stored_size();
    let expected = format!(
        "{} is stored: alloc::string::String by the handler \"text\", {size} B, expires in 1 hour",
        explained.key
    );
    assert_eq!(lines(&explained), [expected]);
    let (explained, explained_as) = asked::<Vec<u8>>(&cache, "large");
    assert!(matches!(explained.verdict, Verdict::Stored(_)) && explained == explained_as, "{explained}");
    cache.flush().unwrap();
    assert_eq!(cache.metadata("small").unwrap().unwrap(), entry, "nobody used it");
}

#[test]
fn a_key_that_was_never_put_or_was_removed_is_not_known() {
    let place = Place::new();
    let cache = with_parameters(&place);
    let never = Verdict::NeverStored;
    let explained = assert_verdict::<String>(&cache, "key", &never, MissReason::Absent);
    assert_eq!(lines(&explained).len(), 2, "{explained}");
    assert!(lines(&explained)[1].contains("compare the parameters"), "{explained}");
    cache.put("key", "value").unwrap();
    cache.invalidate("key").unwrap();
    assert_verdict::<String>(&cache, "key", &never, MissReason::Absent);
}

#[test]
fn an_expired_entry_is_told_with_its_time() {
    let place = Place::new();
    let cache = builder(&place).default_ttl(HOUR).open().unwrap();
    cache.put("key", "value").unwrap();
    place.clock.advance(HOUR);
    let at = now(&place);
    place.clock.advance(2 * HOUR);
    let explained = assert_verdict::<String>(&cache, "key", &Verdict::Expired { at }, MissReason::Expired);
    assert!(lines(&explained)[0].ends_with("expired 2 hours ago"), "{explained}");
    cache.cleanup_expired().unwrap();
    assert_eq!(cache.explain("key").unwrap().verdict, Verdict::NeverStored);
}

#[test]
fn an_invalidated_entry_is_told_with_the_tag_that_did_it() {
    let place = Place::new();
    let cache = builder(&place).default_ttl(HOUR).open().unwrap();
    cache.put_with("key", "value", PutOptions::new().tags(["model", "nightly", "weekly"])).unwrap();
    cache.invalidate_tag("nightly").unwrap();
    let verdict = Verdict::Invalidated { tag: "nightly".into() };
    let explained = assert_verdict::<String>(&cache, "key", &verdict, MissReason::Invalidated);
    assert!(explained.to_string().contains("has the tag \"nightly\""), "{explained}");
    cache.put_with("key", "value", PutOptions::new().tags(["nightly"])).unwrap();
    assert!(matches!(cache.explain("key").unwrap().verdict, Verdict::Stored(_)));
}

#[test]
fn another_type_and_another_schema_are_told_to_those_who_ask_for_them() {
    #[derive(Serialize, Deserialize)]
    struct Model {
        accuracy: f64,
    }
    mod other {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct Model {
            pub(super) depth: u32,
        }
    }
    let place = Place::new();
    let cache = place.open();
    cache.put("key", &Model { accuracy: 0.9 }).unwrap();
    assert!(matches!(asked::<Model>(&cache, "key").1.verdict, Verdict::Stored(_)));
    let (explained, explained_as) = asked::<other::Model>(&cache, "key");
    assert!(matches!(explained.verdict, Verdict::Stored(_)));
    let Verdict::OtherSchema { type_name } = &explained_as.verdict else { panic!("{explained_as}") };
    assert!(type_name.ends_with("::Model") && lines(&explained_as)[0].contains(type_name.as_str()), "{explained_as}");
    let verdict = explained_as.verdict.clone();
    assert!(cache.get::<other::Model>("key").unwrap().is_none());
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::OtherSchema), 1, "{verdict:?} is what a get does");
    cache.put("text", "value").unwrap();
    assert!(matches!(asked::<u64>(&cache, "text").0.verdict, Verdict::Stored(_)));
    let (_, explained_as) = asked::<u64>(&cache, "text");
    let verdict = Verdict::OtherType { data_type: "text".into(), type_name: "alloc::string::String".into() };
    assert_eq!(explained_as.verdict, verdict);
    assert!(lines(&explained_as)[0].contains("alloc::string::String, by the handler \"text\""), "{explained_as}");
    assert_eq!(cache.get::<u64>("text").unwrap(), None);
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::OtherType), 1);
    assert!(cache.exists("key").unwrap());
    assert_eq!(other::Model { depth: 1 }.depth, 1);
}

/// A key whose first 128 bits are those of another one.
struct Collision(Key);

impl Serialize for Collision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Bytes([u8; 32]);
        impl Serialize for Bytes {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }
        let mut digest = self.0.full_digest().unwrap();
        digest[31] ^= 1;
        serializer.serialize_newtype_struct("$cacheness::Key", &Bytes(digest))
    }
}

#[test]
fn other_parameters_under_the_same_128_bits_are_no_hit() {
    let place = Place::new();
    let cache = place.open();
    let key = cache.put("key", "value").unwrap();
    let collision = Collision(key);
    assert_verdict::<String>(&cache, &collision, &Verdict::OtherParameters, MissReason::OtherType);
}

#[test]
fn damage_is_found_and_nothing_is_dropped_before_the_get() {
    type Harm = fn(&Place);
    let flip: Harm = |place| {
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[20_000] ^= 1;
        std::fs::write(blob, bytes).unwrap();
    };
    let lose: Harm = |place| std::fs::remove_file(place.blobs().pop().unwrap()).unwrap();
    for (harm, what) in [(flip, "digest"), (lose, "missing")] {
        let place = Place::new();
        let cache = builder(&place).no_memory().open().unwrap();
        cache.put("key", &noise(40_000)).unwrap();
        harm(&place);
        for _ in 0..2 {
            let (explained, explained_as) = asked::<Vec<u8>>(&cache, "key");
            for explained in [explained, explained_as] {
                let Verdict::Damaged { what: told } = &explained.verdict else { panic!("{explained}") };
                assert!(told.contains(what), "{explained}");
                assert!(lines(&explained)[1].contains("verify()"), "{explained}");
            }
        }
        assert!(cache.exists("key").unwrap(), "explaining drops nothing");
        assert_eq!(cache.get::<Vec<u8>>("key").unwrap(), None);
        assert_eq!(cache.stats().unwrap().misses_because(MissReason::Corrupt), 1);
    }
}

#[test]
fn a_record_of_a_newer_version_and_one_that_cannot_be_read_are_told() {
    for (bytes, reason) in
        [("CAST(x'7f' || substr(content, 2) AS BLOB)", MissReason::TooNew), ("x'01'", MissReason::Corrupt)]
    {
        let place = Place::new();
        let cache = place.open();
        cache.put("key", "value").unwrap();
        cache.close().unwrap();
        let index = rusqlite::Connection::open(place.path().join("index.db")).unwrap();
        let changed = index.execute(
            &format!("UPDATE records SET content = {bytes} WHERE key = ?1"),
            [Key::of("key").unwrap().to_string()],
        );
        assert_eq!(changed.unwrap(), 1);
        drop(index);
        let cache = place.open();
        let verdict = cache.explain("key").unwrap().verdict;
        match reason {
            MissReason::TooNew => assert!(matches!(verdict, Verdict::TooNew { .. }), "{verdict:?}"),
            _ => assert!(matches!(verdict, Verdict::Damaged { .. }), "{verdict:?}"),
        }
        assert_verdict::<String>(&cache, "key", &verdict, reason);
    }
}

#[test]
fn what_made_room_is_told_with_its_time_until_it_is_put_again() {
    let place = Place::new();
    let open = || builder(&place).max_entries(10).low_water(50).store_parameters(StoreParameters::On).open().unwrap();
    let (one, other) = (open(), open());
    for number in 0..10 {
        place.clock.advance(HOUR);
        one.put(key! { number }, &number).unwrap();
    }
    assert_eq!(one.explain(key! { number: 0 }).unwrap().verdict, Verdict::Stored(metadata(&one, 0)));
    place.clock.advance(HOUR);
    let at = now(&place);
    one.put(key! { number: 10 }, &10).unwrap();
    let evicted = one.stats().unwrap().evictions;
    assert_eq!(evicted, 6, "half of ten stay");
    place.clock.advance(3 * HOUR);
    for number in 0..6 {
        let explained = assert_verdict::<i32>(&other, &key! { number }, &Verdict::Evicted { at }, MissReason::Absent);
        assert!(explained.to_string().contains("was evicted 3 hours ago"), "{explained}");
        assert!(explained.nearest.iter().all(|nearest| nearest.differs[0].name == "number"), "{explained}");
    }
    // Another process that evicts more adds to what is known.
    let later = now(&place);
    for number in 20..26 {
        other.put(key! { number }, &number).unwrap();
    }
    assert!(other.stats().unwrap().evictions > 0);
    assert_eq!(one.explain(key! { number: 0 }).unwrap().verdict, Verdict::Evicted { at });
    assert_eq!(one.explain(key! { number: 6 }).unwrap().verdict, Verdict::Evicted { at: later });
    assert_eq!(one.explain(key! { number: 99 }).unwrap().verdict, Verdict::NeverStored);
    one.put(key! { number: 0 }, &7).unwrap();
    assert!(matches!(other.explain(key! { number: 0 }).unwrap().verdict, Verdict::Stored(_)));
}

fn metadata(cache: &Cache, number: i32) -> Box<cacheness::Entry> {
    Box::new(cache.metadata(key! { number }).unwrap().unwrap())
}

/// Name, asked, stored, of the differences of the entry at a place.
fn differs(explanation: &Explanation, place: usize) -> Vec<(&str, Json, Json)> {
    let part = |json: &Option<Json>| json.clone().unwrap_or(json!("-"));
    let told = |difference: &'_ Difference| (part(&difference.asked), part(&difference.stored));
    let nearest = &explanation.nearest[place].differs;
    nearest.iter().map(|difference| (difference.name.as_str(), told(difference).0, told(difference).1)).collect()
}

#[test]
fn the_three_nearest_parameters_are_told_with_what_differs() {
    let place = Place::new();
    let cache = with_parameters(&place);
    let put = |spec: &cacheness::KeySpec| cache.put(spec, "value").unwrap();
    put(&key! { model: "linear", alpha: 0.5, fold: 9 });
    let two = put(&key! { model: "xgboost", depth: 4, options: key! { eta: 0.1, seed: 2 } });
    let one = put(&key! { model: "xgboost", depth: 3, options: key! { eta: 0.1, seed: 2 } });
    let three = put(&key! { model: "xgboost", depth: 5, rounds: 10 });
    put(&key! { city: "Oslo" });
    cache.put("xgboost", "value").unwrap();
    cache.put(("xgboost", 3), "value").unwrap();
    let wanted = key! { model: "xgboost", depth: 3, options: key! { eta: 0.1, seed: 1 } };
    let explained = cache.explain(&wanted).unwrap();
    assert_eq!(explained.verdict, Verdict::NeverStored);
    let keys: Vec<_> = explained.nearest.iter().map(|nearest| nearest.key).collect();
    assert_eq!(keys, [one, two, three]);
    let other = cache.explain(key! { units: "metric" }).unwrap();
    assert_eq!(other.nearest, [], "nothing is near that has no name in common");
    assert_eq!(differs(&explained, 0), [("options.seed", json!(1), json!(2))]);
    assert_eq!(differs(&explained, 1), [("depth", json!(3), json!(4)), ("options.seed", json!(1), json!(2))]);
    let third = [
        ("depth", json!(3), json!(5)),
        ("options", json!({"eta": 0.1, "seed": 1}), json!("-")),
        ("rounds", json!("-"), json!(10)),
    ];
    assert_eq!(differs(&explained, 2), third);
    assert_eq!(explained.nearest[2].parameters, json!({"depth": 5, "model": "xgboost", "rounds": 10}));
    let shown = lines(&explained);
    assert_eq!(shown[2], format!("  near: {one}: options.seed 1 asked, 2 stored"));
    assert!(
        shown[4].ends_with(
            ": depth 3 asked, 5 stored; options {\"eta\":0.1,\"seed\":1} asked, not stored; rounds not asked, 10 stored"
        ),
        "{explained}"
    );
    assert_eq!(cache.explain(&wanted).unwrap(), cache.explain_as::<String>(&wanted).unwrap());
}

#[test]
fn parameters_by_position_and_plain_ones_are_compared_with_their_like() {
    let place = Place::new();
    let cache = with_parameters(&place);
    cache.put(("user", 42), "value").unwrap();
    cache.put(("user", 42, "en"), "value").unwrap();
    cache.put(("city", 7), "value").unwrap();
    for name in ["user-1", "city-1", "user-21", "zebra"] {
        cache.put(name, "value").unwrap();
    }
    cache.put(7_i8, "value").unwrap();
    let explained = cache.explain(("user", 43)).unwrap();
    assert_eq!(differs(&explained, 0), [("[1]", json!(43), json!(42))]);
    assert_eq!(differs(&explained, 1), [("[1]", json!(43), json!(42)), ("[2]", json!("-"), json!("en"))]);
    assert_eq!(differs(&explained, 2).len(), 2);
    let explained = cache.explain("user-2").unwrap();
    let stored = |place: usize| explained.nearest[place].parameters.clone();
    assert_eq!([stored(0), stored(1)], [json!("user-21"), json!("user-1")], "those that begin alike come first");
    assert_eq!(differs(&explained, 0), [("", json!("user-2"), json!("user-21"))]);
    let explained = cache.explain(7.0_f64).unwrap();
    assert_eq!(differs(&explained, 0), [("", json!(7.0), json!(7))], "{explained}");
    let explained = cache.explain(7_u8).unwrap();
    assert!(matches!(explained.verdict, Verdict::Stored(_)), "whole numbers are one whatever their width");
    assert!(explained.nearest.is_empty());
}

#[test]
fn a_namespace_is_told_of_its_own_and_the_whole_cache_of_all() {
    let place = Place::new();
    let cache = with_parameters(&place);
    let (red, blue) = (cache.namespace("red").unwrap(), cache.namespace("blue").unwrap());
    let stored = red.put(key! { number: 1 }, &1).unwrap();
    assert!(blue.explain(key! { number: 1 }).unwrap().nearest.is_empty());
    assert_eq!(red.explain(key! { number: 2 }).unwrap().nearest[0].key, stored);
    let explained = cache.explain(key! { number: 1 }).unwrap();
    assert_eq!(explained.verdict, Verdict::NeverStored);
    assert_eq!(explained.nearest[0].namespace.as_deref(), Some("red"));
    assert!(explained.nearest[0].differs.is_empty());
    assert!(explained.to_string().contains("in the namespace red has the same parameters"), "{explained}");
}

#[test]
fn redacted_values_are_unknown_and_stay_unsaid() {
    let place = Place::new();
    let cache = builder(&place).store_parameters(StoreParameters::Redacted(vec!["token".into()])).open().unwrap();
    cache.put(key! { user: 1, token: "s3cret" }, "value").unwrap();
    let explained = cache.explain(key! { user: 1, token: "other" }).unwrap();
    assert!(explained.nearest[0].differs.is_empty(), "{explained}");
    let explained = cache.explain(key! { user: 2, token: "other" }).unwrap();
    assert_eq!(differs(&explained, 0), [("user", json!(2), json!(1))]);
    cache.put(key! { user: 3 }, "value").unwrap();
    let explained = cache.explain(key! { user: 3, token: "other" }).unwrap();
    let redacted = [("token", json!("[redacted]"), json!("-"))];
    assert!((0..2).any(|place| differs(&explained, place) == redacted), "{explained}");
    assert!(!format!("{explained:?} {explained}").contains("other"), "{explained:?}");
    drop(cache);
    let explained = with_parameters(&place).explain(key! { user: 1, token: "other" }).unwrap();
    assert!(explained.nearest[0].differs.is_empty(), "also for those who do not redact: {explained}");
}

#[test]
fn nothing_is_near_where_parameters_are_not_stored_or_not_given() {
    let place = Place::new();
    place.open().put(key! { number: 1 }, &1).unwrap();
    assert!(with_parameters(&place).explain(key! { number: 2 }).unwrap().nearest.is_empty());
    with_parameters(&place).put(key! { number: 3 }, &1).unwrap();
    assert!(place.open().explain(key! { number: 2 }).unwrap().nearest.is_empty(), "it is off unless set");
    let cache = with_parameters(&place);
    assert_eq!(cache.explain(key! { number: 2 }).unwrap().nearest.len(), 1);
    assert!(cache.explain(Key::of(key! { number: 2 }).unwrap()).unwrap().nearest.is_empty(), "a key has no parameters");
}

#[test]
fn the_first_ten_thousand_entries_are_compared_page_by_page() {
    let builder = Cache::builder().metadata("memory:").blobs("memory:").store_parameters(StoreParameters::On);
    let cache = builder.open().unwrap();
    let mut entries: Vec<_> = (0..10_010).map(|number| (key! { number }, number)).collect();
    cache.put_many(&entries).unwrap();
    entries.sort_by_cached_key(|(key, _)| Key::of(key).unwrap().to_string());
    for (place, is_compared) in [(0, true), (2345, true), (9_999, true), (10_000, false), (10_009, false)] {
        let number = entries[place].1;
        let explained = cache.explain(key! { number, more: 1 }).unwrap();
        assert_eq!(explained.nearest.len(), 3);
        assert_eq!(differs(&explained, 0).len() == 1, is_compared, "the entry at {place} in the order of keys");
    }
}

#[test]
fn both_faces_explain_alike() {
    let place = Place::new();
    let cache = with_parameters(&place);
    cache.put(key! { number: 1 }, "one").unwrap();
    let other = future::Cache::from(cache.clone());
    for number in [1, 2] {
        let (one, two) = (cache.explain(key! { number }).unwrap(), block_on(other.explain(key! { number })).unwrap());
        assert_eq!(one, two);
        let (one, two) = (
            cache.explain_as::<u64>(key! { number }).unwrap(),
            block_on(other.explain_as::<u64>(key! { number })).unwrap(),
        );
        assert_eq!(one, two);
    }
    cache.close().unwrap();
    let error = cache.explain(key! { number: 1 }).unwrap_err();
    assert!(error.to_string().starts_with("explain: "), "{error}");
}
