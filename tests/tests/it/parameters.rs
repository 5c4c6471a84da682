//! The parameters of keys, kept beside entries where that is wanted.

use crate::support::Place;
use cacheness::core::Timestamp;
use cacheness::sync::Cache;
use cacheness::{Entry, Field, Filter, Query, StoreParameters, key};
use serde::Serialize;
use serde_json::json;

fn cache(place: &Place, parameters: StoreParameters) -> Cache {
    Cache::builder().dir(place.path()).store_parameters(parameters).open().unwrap()
}

fn entries(cache: &Cache, filter: Filter) -> Vec<Entry> {
    cache.entries(&Query::new().filter(filter)).unwrap().entries
}

#[derive(Serialize)]
struct Run {
    model: &'static str,
    depth: u8,
    options: Option<Vec<&'static str>>,
}

#[test]
fn parameters_are_kept_only_where_that_is_asked_for() {
    let place = Place::new();
    let off = cache(&place, StoreParameters::Off);
    off.put(key! { model: "xgboost" }, &1).unwrap();
    assert_eq!(off.metadata(key! { model: "xgboost" }).unwrap().unwrap().parameters(), None);
    let on = cache(&place, StoreParameters::On);
    on.put(key! { model: "xgboost" }, &2).unwrap();
    let entry = off.metadata(key! { model: "xgboost" }).unwrap().unwrap();
    assert_eq!(entry.parameters(), Some(json!({"model": "xgboost"})));
    assert_eq!(off.get(key! { model: "xgboost" }).unwrap(), Some(2), "they are no part of the key");
}

#[test]
fn parameters_of_every_shape_are_shown_as_json() {
    let place = Place::new();
    let cache = cache(&place, StoreParameters::On);
    let shown = |parameters: &dyn Fn() -> cacheness::Key| {
        let key = parameters();
        cache.metadata(key).unwrap().unwrap().parameters()
    };
    let put = |key| key;
    assert_eq!(shown(&|| put(cache.put(("user", 42), &1).unwrap())), Some(json!(["user", 42])));
    let run = || Run { model: "xgboost", depth: 3, options: Some(vec!["fast"]) };
    let expected = json!({"model": "xgboost", "depth": 3, "options": ["fast"]});
    assert_eq!(shown(&|| put(cache.put(run(), &1).unwrap())), Some(expected));
    assert_eq!(shown(&|| put(cache.put("text", &1).unwrap())), Some(json!("text")));
    let key = cache.put("text", &1).unwrap();
    assert_eq!(shown(&|| put(cache.put(key, &1).unwrap())), None, "a key does not know what it was made of");
}

#[test]
fn entries_are_found_by_the_parameters_of_their_keys() {
    let place = Place::new();
    let cache = cache(&place, StoreParameters::On);
    for depth in 1..=5 {
        cache.put(key! { project: "a", model: key_of(depth), depth }, &depth).unwrap();
        cache.put(key! { project: "b", depth }, &depth).unwrap();
    }
    let deep = Filter::eq(Field::parameter("project"), "a") & Filter::gt(Field::parameter("depth"), 3);
    assert_eq!(entries(&cache, deep.clone()).len(), 2);
    let nested = Filter::try_from(&json!({"$param.model.name": "m4"})).unwrap();
    assert_eq!(entries(&cache, nested).len(), 1);
    assert_eq!(cache.invalidate_where(&deep).unwrap(), 2);
    assert_eq!(entries(&cache, Filter::All).len(), 8);
}

fn key_of(depth: i32) -> serde_json::Value {
    json!({"name": format!("m{depth}")})
}

#[test]
fn what_must_not_be_kept_is_named_and_replaced_at_any_depth() {
    let place = Place::new();
    let cache = cache(&place, StoreParameters::Redacted(vec!["token".into()]));
    let parameters = || key! { user: "ada", token: "s3cret", nested: json!({"token": "t0p"}) };
    cache.put(parameters(), &1).unwrap();
    let entry = cache.metadata(parameters()).unwrap().unwrap();
    let expected = json!({"user": "ada", "token": "[redacted]", "nested": {"token": "[redacted]"}});
    assert_eq!(entry.parameters(), Some(expected));
    assert_eq!(cache.get(parameters()).unwrap(), Some(1), "the key is made of what they are");
    cache.close().unwrap();
    for file in std::fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        let has = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!has(b"s3cret") && !has(b"t0p"), "{}", file.display());
    }
}

#[test]
fn a_copy_shows_the_parameters_of_its_own_key() {
    let place = Place::new();
    let cache = cache(&place, StoreParameters::On);
    cache.put(key! { name: "from" }, &1).unwrap();
    assert!(cache.copy(key! { name: "from" }, key! { name: "to" }).unwrap());
    let parameters = |name: &str| cache.metadata(key! { name }).unwrap().and_then(|entry| entry.parameters());
    assert_eq!(parameters("to"), Some(json!({"name": "to"})));
    assert_eq!(parameters("from"), Some(json!({"name": "from"})));
    assert!(cache.rename(key! { name: "to" }, key! { name: "again" }).unwrap());
    assert_eq!(parameters("again"), Some(json!({"name": "again"})));
}

#[test]
fn entries_are_removed_by_key_prefix_expiry_and_predicate() {
    use cacheness::PutOptions;
    use std::time::{Duration, SystemTime};
    let place = Place::new();
    let cache = cache(&place, StoreParameters::Off);
    let keys: Vec<_> = (0..20).map(|n| cache.put(n, &vec![n; n]).unwrap().to_string()).collect();
    let prefix = &keys[0][..1];
    let expected = keys.iter().filter(|key| key.starts_with(prefix)).count() as u64;
    assert_eq!(cache.invalidate_where(&Filter::prefix(Field::Key, prefix)).unwrap(), expected);

    cache.put_with("soon", &1, PutOptions::new().ttl(Duration::from_secs(60))).unwrap();
    cache.put_with("later", &1, PutOptions::new().ttl(Duration::from_hours(60))).unwrap();
    let limit = Timestamp::from(SystemTime::now() + Duration::from_hours(1));
    assert_eq!(cache.invalidate_where(&Filter::lt(Field::ExpiresAt, limit)).unwrap(), 1);
    assert!(cache.exists("later").unwrap());

    let large = cache.invalidate_if(|entry| entry.raw_size() > 10).unwrap();
    assert!(large > 0 && cache.entries(&Query::new()).unwrap().entries.iter().all(|entry| entry.raw_size() <= 10));
    let ages = cache.ages().unwrap().unwrap();
    assert!(ages.oldest <= ages.newest && ages.newest <= SystemTime::now());
    cache.clear().unwrap();
    assert_eq!(cache.ages().unwrap(), None);
}
