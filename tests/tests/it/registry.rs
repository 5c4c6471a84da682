//! Handlers and backends by name: added, found, listed, removed.

use crate::support::Place;
use cacheness::handlers::{Format, Handler, PayloadReader};
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::{Bundle, Bundled, ErrorKind, Registry, Result, sync::Cache};
use std::io::Write;

/// Stores texts of one case only, and says so.
struct Cased {
    tag: &'static str,
    accepts: fn(&str) -> bool,
}

impl Handler for Cased {
    type Value = String;

    fn type_tag(&self) -> &str {
        self.tag
    }

    fn accepts(&self, value: &String) -> bool {
        (self.accepts)(value)
    }

    fn plan(&self, _: &String) -> Result<Format> {
        Ok(Format::new("cased", 1).extra("by", self.tag))
    }

    fn encode(&self, value: &String, _: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(value.as_bytes())?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<String> {
        assert_eq!(format.extra["by"], self.tag, "what the handler stored beside the bytes comes back");
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        Ok(text)
    }
}

fn upper(text: &str) -> bool {
    text.chars().all(char::is_uppercase)
}

fn cache_with(place: &Place, registry: Registry) -> Cache {
    Cache::builder().dir(place.path()).registry(registry).open().unwrap()
}

#[test]
fn the_first_handler_that_accepts_a_value_stores_it() {
    let place = Place::new();
    let mut registry = Bundled::registry().unwrap();
    registry.handlers.add(Cased { tag: "any", accepts: |_| true }).unwrap();
    registry.handlers.add_named("first", Some(0), Cased { tag: "upper", accepts: upper }).unwrap();
    let cache = cache_with(&place, registry);
    cache.put("loud", "LOUD").unwrap();
    cache.put("quiet", "quiet").unwrap();
    let tag = |key| cache.metadata(key).unwrap().unwrap().data_type().to_owned();
    assert_eq!(tag("loud"), "upper");
    assert_eq!(tag("quiet"), "text", "the built-in handler stands before the one that was added last");
    assert_eq!(cache.get::<String>("loud").unwrap().as_deref(), Some("LOUD"));
    assert_eq!(cache.get::<String>("quiet").unwrap().as_deref(), Some("quiet"));
}

#[test]
fn handlers_are_listed_in_the_order_they_are_asked_and_removed_by_name() {
    let mut handlers = Bundled::registry().unwrap().handlers;
    handlers.add_named("mine", Some(0), Cased { tag: "upper", accepts: upper }).unwrap();
    let listed: Vec<_> = handlers.iter().take(2).map(|info| (info.name, info.priority, info.built_in)).collect();
    assert_eq!(listed, [("mine", 0, false), ("bytes", 1, true)]);
    let taken = handlers.add_named("mine", None, Cased { tag: "other", accepts: upper }).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyRegistered);
    assert!(handlers.remove("mine") && handlers.remove("bytes"));
    assert!(!handlers.remove("mine"));
}

#[test]
fn every_cache_has_a_registry_of_its_own() {
    let (one, other) = (Place::new(), Place::new());
    let mut registry = Bundled::registry().unwrap();
    registry.handlers.add_named("mine", Some(0), Cased { tag: "mine", accepts: |_| true }).unwrap();
    let cache = cache_with(&one, registry);
    cache.put(1, "text").unwrap();
    other.open().put(1, "text").unwrap();
    assert_eq!(cache.metadata(1).unwrap().unwrap().data_type(), "mine");
    assert_eq!(other.open().metadata(1).unwrap().unwrap().data_type(), "text");
}

#[test]
fn backends_are_added_listed_opened_and_removed_by_name() {
    let mut registry = Bundled::registry().unwrap();
    let backends = &mut registry.backends;
    backends
        .add_metadata("mine", "an index of mine", |_, context| async move { Ok(MemoryMetadata::new(&context)) })
        .unwrap();
    backends.add_blobs("mine", "blobs of mine", |_, context| async move { Ok(MemoryBlobs::new(&context)) }).unwrap();
    let again = backends.add_blobs("mine", "again", |_, context| async move { Ok(MemoryBlobs::new(&context)) });
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyRegistered);
    let listed: Vec<_> = backends.metadata_backends().map(|entry| entry.name).collect();
    assert_eq!(listed, ["memory", "mine", "sqlite"]);
    let listed: Vec<_> = backends.blob_backends().map(|entry| entry.name).collect();
    assert_eq!(listed, ["fs", "memory", "mine"]);
    assert!(backends.blob_backends().any(|entry| entry.description == "blobs of mine"));

    let cache = Cache::builder().metadata("mine:").blobs("mine:").registry(registry.clone()).open().unwrap();
    cache.put(1, "value").unwrap();
    assert_eq!(cache.get::<String>(1).unwrap().as_deref(), Some("value"));

    assert!(registry.backends.remove_metadata("mine") && registry.backends.remove_blobs("mine"));
    assert!(!registry.backends.remove_metadata("mine") && !registry.backends.remove_blobs("mine"));
    let gone = Cache::builder().metadata("mine:").blobs("memory:").registry(registry).open().unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::UnknownBackend);
}
