//! Handlers and backends by name: added, found, listed, removed.

use crate::support::Place;
use cacheness::backends::{fs, sqlite};
use cacheness::core::Clock;
use cacheness::core::runtime::block_on;
use cacheness::handlers::{Format, Handler, PayloadReader};
use cacheness::storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness::storage::{Bare, Durability, OpenContext};
use cacheness::sync::{BlobStore, Cache};
use cacheness::{Bundle, Bundled, Error, ErrorKind, MissReason, PutOptions, Registry, Result, Ttl, future};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    handlers.describe("mine", "texts in capitals").unwrap();
    let listed: Vec<_> = handlers.iter().take(2).map(|info| (info.name, info.priority, info.built_in)).collect();
    assert_eq!(listed, [("mine", 0, false), ("bytes", 1, true)]);
    let described: Vec<_> = handlers.iter().take(2).map(|info| info.description.into_owned()).collect();
    assert_eq!(described, ["texts in capitals", "alloc::vec::Vec<u8> as bytes"]);
    let taken = handlers.add_named("mine", None, Cased { tag: "other", accepts: upper }).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyRegistered);
    handlers.remove("mine").unwrap();
    handlers.remove("bytes").unwrap();
    let gone = handlers.remove("mine").unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NoHandler);
    assert!(gone.to_string().contains("\"mine\" (registered: bytes_shared, text"), "{gone}");
}

#[test]
fn a_program_puts_its_handlers_in_the_order_that_it_wants() {
    let place = Place::new();
    let mut registry = Bundled::registry().unwrap();
    registry.handlers.add(Cased { tag: "upper", accepts: upper }).unwrap();
    registry.handlers.add(Cased { tag: "any", accepts: |_| true }).unwrap();
    registry.handlers.order(["upper", "any"]).unwrap();
    let cache = cache_with(&place, registry);
    for (key, value, tag) in [("loud", "LOUD", "upper"), ("quiet", "quiet", "any")] {
        cache.put(key, value).unwrap();
        assert_eq!(cache.metadata(key).unwrap().unwrap().data_type(), tag);
    }
}

#[test]
fn what_is_compiled_in_is_built_in_and_what_a_program_adds_is_not() {
    let mut registry = Bundled::registry().unwrap();
    let compiled_in = registry.clone();
    assert!(compiled_in.handlers.iter().all(|handler| handler.built_in));
    let backends = &compiled_in.backends;
    assert!(backends.metadata_backends().chain(backends.blob_backends()).all(|backend| backend.built_in));

    registry.handlers.remove("text").unwrap();
    registry.handlers.add(Cased { tag: "text", accepts: |_| true }).unwrap();
    let added = registry.handlers.iter().filter(|handler| !handler.built_in).map(|handler| handler.name);
    assert_eq!(added.collect::<Vec<_>>(), ["text"]);

    let mut backends = Bare::registry().unwrap().backends;
    fs::register(&mut backends).unwrap();
    sqlite::register(&mut backends).unwrap();
    let mut listed = backends.metadata_backends().chain(backends.blob_backends());
    assert!(listed.all(|backend| backend.built_in == (backend.name == "memory")));
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
    assert_eq!(listed, ["json", "memory", "mine", "postgres", "postgresql", "sqlite"]);
    let listed: Vec<_> = backends.blob_backends().map(|entry| entry.name).collect();
    assert_eq!(listed, ["fs", "memory", "mine", "s3"]);
    assert!(backends.blob_backends().any(|entry| entry.description == "blobs of mine"));

    let cache = Cache::builder().metadata("mine:").blobs("mine:").registry(registry.clone()).open().unwrap();
    cache.put(1, "value").unwrap();
    assert_eq!(cache.get::<String>(1).unwrap().as_deref(), Some("value"));

    registry.backends.remove_metadata("mine").unwrap();
    registry.backends.remove_blobs("mine").unwrap();
    let gone = registry.backends.remove_metadata("mine").unwrap_err();
    assert!(gone.to_string().contains("no metadata backend is named \"mine\" (known here: "), "{gone}");
    assert!(gone.to_string().contains("sqlite"), "{gone}");
    let gone = registry.backends.remove_blobs("mine").unwrap_err();
    assert!(gone.to_string().contains("no blob backend is named \"mine\" (known here: fs, memory"), "{gone}");
    let gone = Cache::builder().metadata("mine:").blobs("memory:").registry(registry).open().unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::UnknownBackend);
}

/// What the opener of a registered backend was given.
type Given = Arc<Mutex<Option<OpenContext>>>;

fn registry_that_tells() -> (Registry, Given) {
    let mut registry = Bundled::registry().unwrap();
    let given = Given::default();
    let told = given.clone();
    let open = move |_, context: OpenContext| {
        *told.lock().unwrap() = Some(context.clone());
        async move { Ok(MemoryMetadata::new(&context)) }
    };
    registry.backends.add_metadata("mine", "an index of mine", open).unwrap();
    (registry, given)
}

#[test]
fn a_backend_is_opened_with_the_clock_the_durability_and_the_access_of_the_builder() {
    let place = Place::new();
    let (registry, given) = registry_that_tells();
    let check = |error: Error| {
        // In memory nothing outlives a loss of power, nor is there anything to read.
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().starts_with("open: memory: cannot be opened read-only"), "{error}");
        let context = given.lock().unwrap().take().unwrap();
        assert_eq!((context.durability, context.read_only), (Durability::Full, true));
        assert_eq!(context.clock.now(), place.clock.now());
    };
    let cache = Cache::builder().metadata("mine:").blobs("memory:").registry(registry.clone());
    check(cache.clock(place.clock.clone()).durability(Durability::Full).read_only(true).open().unwrap_err());
    let store = BlobStore::builder().metadata("mine:").blobs("memory:").registry(registry);
    check(store.clock(place.clock.clone()).durability(Durability::Full).read_only(true).open().unwrap_err());
}

#[test]
fn a_backend_that_cannot_keep_full_durability_is_refused_by_name() {
    let error = Cache::builder().metadata("memory:").blobs("memory:").durability(Durability::Full).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("open: memory: cannot keep the promise of full durability"), "{error}");
}

#[test]
fn a_json_index_is_named_by_url_and_read_by_people() {
    let place = Place::new();
    std::fs::create_dir_all(place.path()).unwrap();
    let index = place.path().join("index.jsonl");
    let open = || {
        let blobs = format!("fs:{}", place.path().join("blobs").display());
        Cache::builder().metadata(format!("json:{}", index.display())).blobs(blobs).open().unwrap()
    };
    let key = open().put("key", &vec![1.5; 5000]).unwrap();
    assert_eq!(open().get("key").unwrap(), Some(vec![1.5; 5000]));
    assert!(std::fs::read_to_string(&index).unwrap().lines().any(|line| line.contains(&key.to_string())));
}

#[test]
fn a_handler_that_nobody_registered_stores_and_reads_by_itself() {
    for size in [3, 50_000] {
        let place = Place::new();
        let cache = place.open();
        let value = "a b".repeat(size);
        cache.put_as(&Words, "words", &words(&value)).unwrap();
        assert_eq!(cache.get_as(&Words, "words").unwrap(), Some(words(&value)));
        assert_eq!(cache.get::<String>("words").unwrap(), None, "another type is stored");
        assert_eq!(cache.get_as(&cacheness::handlers::TextHandler, "words").unwrap(), None);
        assert_eq!(cache.stats().unwrap().misses_because(MissReason::OtherType), 2);
        let awaited = future::Cache::from(cache.clone());
        block_on(awaited.put_as(&Words, "again", &words("x y"))).unwrap();
        assert_eq!(block_on(awaited.get_as(&Words, "again")).unwrap(), Some(words("x y")));
    }
}

#[test]
fn every_way_to_put_takes_options() {
    let place = Place::new();
    let cache = place.open();
    let options = || PutOptions::new().tags(["given"]).ttl(Duration::from_secs(60));
    cache.put_shared_with("shared", Arc::new(1_u8), options()).unwrap();
    cache.put_typed_with("typed", &ndarray::arr1(&[1.5]), options()).unwrap();
    cache.put_reader_with("reader", std::io::Cursor::new("bytes"), options()).unwrap();
    for key in ["shared", "typed", "reader"] {
        let entry = cache.metadata(key).unwrap().unwrap();
        assert_eq!(entry.tags(), ["given"], "{key}");
        assert_eq!(cache.ttl(key).unwrap().and_then(Ttl::left), Some(Duration::from_secs(60)), "{key}");
    }
}

/// Words between spaces, which know no serde.
#[derive(Debug, PartialEq)]
struct Text(Vec<String>);

fn words(text: &str) -> Text {
    Text(text.split(' ').map(str::to_owned).collect())
}

/// A handler that is nowhere registered.
#[derive(Clone)]
struct Words;

impl Handler for Words {
    type Value = Text;

    fn type_tag(&self) -> &str {
        "words"
    }

    fn plan(&self, _text: &Text) -> Result<Format> {
        Ok(Format::new("spaced", 1))
    }

    fn encode(&self, text: &Text, _format: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(text.0.join(" ").as_bytes())?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, _format: &Format) -> Result<Text> {
        Ok(words(&String::from_utf8_lossy(&input.read_bytes()?)))
    }
}
