//! Namespaces: the same parameters are other keys, and what concerns all entries concerns those of the namespace.

use crate::support::Place;
use cacheness::{CacheBuilder, ErrorKind, Filter, Key, PutOptions, Query, sync::Cache};
use cacheness_tests::pairs::Pair;
use std::time::Duration;

fn builder(place: &Place, pair: Pair) -> CacheBuilder<Cache> {
    pair.builder_by(&place.path(), &place.clock)
}

fn listed(cache: &Cache) -> usize {
    cache.entries(&Query::new()).unwrap().entries.len()
}

fn text(cache: &Cache, key: &str) -> Option<String> {
    let shared = cache.get_shared::<String>(key).unwrap().map(|value| value.to_string());
    assert_eq!(cache.get::<String>(key).unwrap(), shared);
    assert_eq!(cache.exists(key).unwrap(), shared.is_some());
    shared
}

#[test]
fn the_same_parameters_do_not_meet_in_different_namespaces() {
    for pair in Pair::ALL {
        let place = Place::new();
        let root = builder(&place, pair).open().unwrap();
        let (red, blue, again) =
            (root.namespace("red").unwrap(), root.namespace("blue").unwrap(), root.namespace("red").unwrap());
        let keys = [root.put("key", "root").unwrap(), red.put("key", "red").unwrap(), blue.put("key", "blue").unwrap()];
        for _ in 0..3 {
            for (cache, expected) in [(&root, "root"), (&red, "red"), (&blue, "blue"), (&again, "red")] {
                assert_eq!(text(cache, "key").as_deref(), Some(expected), "{pair:?}");
            }
        }
        assert!(red.put_if_absent("only", "red").unwrap());
        assert_eq!((text(&root, "only"), text(&blue, "only")), (None, None), "{pair:?}");
        assert!(!blue.invalidate("only").unwrap() && !root.invalidate("only").unwrap());
        assert!(!blue.update("only", "blue").unwrap() && !root.touch("only", None).unwrap());
        assert_eq!(blue.get_or_put("only", || "computed".to_owned()).unwrap(), "computed");
        assert_eq!(text(&red, "only").as_deref(), Some("red"), "{pair:?}");
        assert!(red.invalidate("key").unwrap());
        assert_eq!((text(&root, "key"), text(&again, "key")), (Some("root".into()), None), "{pair:?}");
        let entry = blue.metadata("key").unwrap().unwrap();
        assert_eq!((entry.namespace(), root.metadata("key").unwrap().unwrap().namespace()), (Some("blue"), None));
        // A key is a key, wherever it is used.
        assert_eq!(root.get::<String>(keys[2]).unwrap().as_deref(), Some("blue"));
        assert_eq!(root.get::<String>(Key::parse(entry.key()).unwrap()).unwrap().as_deref(), Some("blue"));
        assert_ne!(keys[0], keys[1]);
        let (red_key, only) = (red.put("key", "red").unwrap().to_string(), red.put("only", "red").unwrap().to_string());
        assert_eq!(red_key[..8], only[..8], "the keys of a namespace begin alike");
        assert_ne!(red_key[..8], entry.key()[..8]);
    }
}

/// Three entries each in "red", in "blue", and in none; numbered, with tags.
fn nine(place: &Place, pair: Pair) -> [Cache; 3] {
    let root = builder(place, pair).open().unwrap();
    let all = [root.namespace("red").unwrap(), root.namespace("blue").unwrap(), root];
    for cache in &all {
        for number in 0..3 {
            let tags = ["every".to_owned(), format!("number {number}")];
            let options = PutOptions::new().tags(tags).metadata(serde_json::json!({"number": number}));
            cache.put_with(number, &number, options).unwrap();
            assert_eq!(cache.get::<i32>(number).unwrap(), Some(number));
        }
    }
    all
}

#[test]
fn what_concerns_all_entries_concerns_those_of_the_namespace() {
    for pair in Pair::ALL {
        let place = Place::new();
        let [red, blue, root] = nine(&place, pair);
        let counts = || (listed(&red), listed(&blue), listed(&root));
        assert_eq!(counts(), (3, 3, 9), "{pair:?}");
        assert_eq!(red.entries(&Query::new().limit(2)).unwrap().entries.len(), 2);
        let page = red.entries(&Query::new().limit(2)).unwrap();
        assert_eq!(red.entries(&Query::new().limit(2).after(page.next.unwrap())).unwrap().entries.len(), 1);
        let number = |least: i32| Filter::ge(cacheness::Field::metadata("number"), least);
        assert_eq!(red.invalidate_where(&number(2)).unwrap(), 1, "{pair:?}");
        assert_eq!(counts(), (2, 3, 8), "{pair:?}");
        red.invalidate_tag("number 0").unwrap();
        assert_eq!(counts(), (1, 3, 7), "{pair:?}");
        assert_eq!(
            (red.get::<i32>(0).unwrap(), blue.get::<i32>(0).unwrap(), root.get::<i32>(0).unwrap()),
            (None, Some(0), Some(0)),
            "{pair:?}"
        );
        assert_eq!(blue.clear().unwrap(), 3, "{pair:?}");
        assert_eq!(counts(), (1, 0, 4), "{pair:?}");
        assert_eq!((blue.get::<i32>(1).unwrap(), red.get::<i32>(1).unwrap()), (None, Some(1)), "{pair:?}");
        // The whole cache's handle means everything.
        blue.put_with(5, &5, PutOptions::new().tags(["every"])).unwrap();
        assert_eq!(root.invalidate_where(&number(1)).unwrap(), 1 + 2, "{pair:?}");
        assert_eq!(counts(), (0, 1, 2), "{pair:?}");
        red.put_with(6, &6, PutOptions::new().tags(["every"])).unwrap();
        root.invalidate_tag("every").unwrap();
        assert_eq!(counts(), (0, 0, 0), "{pair:?}");
        red.put(7, &7).unwrap();
        blue.put_with(7, &7, PutOptions::new().tags(["every"])).unwrap();
        assert_eq!(counts(), (1, 1, 2), "{pair:?}");
        // What was invalidated and not removed yet is removed too.
        assert_eq!(red.clear().unwrap(), 3, "{pair:?}: seven, and the invalidated zero and six");
        assert!(root.clear().unwrap() >= 1, "{pair:?}");
        assert_eq!((counts(), root.stats().unwrap().entries), ((0, 0, 0), 0), "{pair:?}");
    }
}

#[test]
fn limits_statistics_and_cleanup_are_those_of_the_whole_cache() {
    for pair in Pair::ALL {
        let place = Place::new();
        let root = builder(&place, pair).max_entries(10).open().unwrap();
        let (red, blue) = (root.namespace("red").unwrap(), root.namespace("blue").unwrap());
        for number in 0..10 {
            place.clock.advance(Duration::from_secs(1));
            red.put(number, &number).unwrap();
        }
        blue.put(0, &0).unwrap();
        assert_eq!((listed(&red), listed(&blue), listed(&root)), (7, 1, 8), "{pair:?}");
        assert_eq!(blue.stats().unwrap(), root.stats().unwrap());
        red.put_with("short", &0, PutOptions::new().ttl(Duration::from_secs(1))).unwrap();
        place.clock.advance(Duration::from_secs(1));
        assert_eq!(blue.cleanup_expired().unwrap(), 1, "{pair:?}");
        red.close().unwrap();
        assert_eq!(blue.get::<i32>(0).unwrap_err().kind(), ErrorKind::Closed, "{pair:?}");
    }
}

#[test]
fn copies_stay_in_their_namespace_and_can_come_from_another_one() {
    for pair in Pair::ALL {
        let place = Place::new();
        let root = builder(&place, pair).open().unwrap();
        let (red, blue) = (root.namespace("red").unwrap(), root.namespace("blue").unwrap());
        let key = red.put_with("key", "red", PutOptions::new().tags(["tag"])).unwrap();
        assert!(blue.copy(key, "copy").unwrap());
        assert_eq!((text(&blue, "copy").as_deref(), text(&red, "copy")), (Some("red"), None), "{pair:?}");
        assert_eq!(blue.metadata("copy").unwrap().unwrap().namespace(), Some("blue"));
        assert_eq!((listed(&red), listed(&blue)), (1, 1), "{pair:?}");
        red.invalidate_tag("tag").unwrap();
        assert_eq!((listed(&red), listed(&blue)), (0, 1), "{pair:?}: the copy is in another namespace");
        blue.invalidate_tag("tag").unwrap();
        assert_eq!((text(&blue, "copy"), listed(&blue)), (None, 0), "{pair:?}: copies keep their tags");
    }
}

#[test]
fn an_entry_that_is_put_by_its_key_stays_in_the_namespace_of_the_handle() {
    for pair in Pair::ALL {
        let place = Place::new();
        let root = builder(&place, pair).open().unwrap();
        let red = root.namespace("red").unwrap();
        let key = red.put("key", "red").unwrap();
        red.put_with(key, "again", PutOptions::new().tags(["tag"])).unwrap();
        assert_eq!((text(&red, "key").as_deref(), listed(&red), listed(&root)), (Some("again"), 1, 1), "{pair:?}");
        red.invalidate_tag("tag").unwrap();
        assert_eq!((text(&red, "key"), red.clear().unwrap(), listed(&root)), (None, 1, 0), "{pair:?}");
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let place = Place::new();
    let cache = builder(&place, Pair::Memory).open().unwrap();
    let long = "x".repeat(65);
    for name in ["", "default", "system", "_x", ".x", "a/b", "a b", "a\0", "ä", "a\n", "%", "'", long.as_str()] {
        let error = cache.namespace(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    for name in ["a", "A", "-", "0", "a.b_c-D", "Default", "systems", &long[..64]] {
        cache.namespace(name).unwrap().put("key", name).unwrap();
    }
    assert_eq!(listed(&cache), 8);
    assert_eq!(text(&cache.namespace("A").unwrap(), "key").as_deref(), Some("A"), "case counts");
}

#[test]
fn namespaces_outlast_their_handles() {
    for pair in Pair::SHARED {
        let place = Place::new();
        builder(&place, pair).open().unwrap().namespace("red").unwrap().put("key", "red").unwrap();
        let other = builder(&place, pair).open().unwrap();
        assert_eq!(text(&other.namespace("red").unwrap(), "key").as_deref(), Some("red"), "{pair:?}");
        assert_eq!(text(&other, "key"), None, "{pair:?}");
    }
}

#[test]
fn an_entry_that_is_put_by_its_key_through_another_handle_stays_where_its_key_belongs() {
    for pair in Pair::ALL {
        let place = Place::new();
        let cache = builder(&place, pair).open().unwrap();
        let (red, blue) = (cache.namespace("red").unwrap(), cache.namespace("blue").unwrap());
        let key = red.put("key", &1).unwrap();
        for other in [&cache, &blue] {
            other.put(key, &2).unwrap();
            assert_eq!(red.get("key").unwrap(), Some(2));
            assert_eq!((listed(&red), listed(&blue)), (1, 0), "{pair:?}");
        }
        assert_eq!((blue.clear().unwrap(), red.clear().unwrap()), (0, 1));
    }
}
