//! What `tracing` sees of a cache.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

use cacheness::ErrorKind;
use cacheness::sync::Cache;
use cacheness_tests::sick::{Kind, Sick};
use cacheness_tests::work;
use std::fmt;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// One test at a time: whether anybody listens to an event is remembered for all threads.
static ALONE: Mutex<()> = Mutex::new(());

type Seen = Arc<Mutex<Vec<String>>>;

/// Writes down spans and events as `name field=value`.
struct Notebook(Seen, Mutex<Vec<u64>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Notebook {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("cacheness") || metadata.name() == "request"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        // Its number, and that of the span around it.
        let parent = self.1.lock().unwrap().last().copied().unwrap_or_default();
        let mut seen = self.0.lock().unwrap();
        let number = seen.len() as u64 + 1;
        seen.push(format!("{} #{number} in #{parent}", line.0));
        Id::from_u64(number)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line("event".to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, span: &Id) {
        self.1.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, _span: &Id) {
        self.1.lock().unwrap().pop();
    }
}

#[test]
fn operations_are_spans_and_hits_and_misses_are_events() {
    let _alone = ALONE.lock();
    let seen = Seen::default();
    tracing::subscriber::with_default(Notebook(seen.clone(), Mutex::default()), || {
        work(&Cache::builder().metadata("memory:").blobs("memory:").open().unwrap());
    });
    let seen = seen.lock().unwrap();
    let has = |line: &str| seen.iter().any(|seen| seen.contains(line));
    for line in [
        "cacheness operation=\"put\"",
        "cacheness operation=\"get\"",
        "message=encoded handler=\"object\"",
        "message=put handler=\"object\"",
        "message=hit handler=\"object\"",
        "message=miss reason=\"absent\"",
        "message=miss reason=\"other schema\"",
    ] {
        assert!(has(line), "{line}: {seen:#?}");
    }
    assert!(!has("=7"), "no value is ever seen: {seen:#?}");
}

#[test]
fn operations_and_calls_of_backends_are_spans_inside_those_of_the_program() {
    let _alone = ALONE.lock();
    let seen = Seen::default();
    tracing::subscriber::with_default(Notebook(seen.clone(), Mutex::default()), || {
        let sick = Sick::new(Kind::Shared);
        let cache = sick.builder().open().unwrap();
        seen.lock().unwrap().clear();
        tracing::info_span!("request", id = "7f3a").in_scope(|| cache.put("key", &1).unwrap());
        sick.script.fail(ErrorKind::Unavailable);
        cache.get::<i32>("key").unwrap();
        cache.get::<i32>("key").unwrap();
        sick.script.heal();
        cache.get::<i32>("key").unwrap();
    });
    let seen = seen.lock().unwrap();
    let spans = ["request id=\"7f3a\" #1 in #0", "cacheness operation=\"put\" #2 in #1"];
    assert_eq!(seen[..2], spans, "{seen:#?}");
    let commit = |line: &&String| line.starts_with("cacheness_backend backend=\"memory\" operation=\"commit\"");
    assert!(seen.iter().find(commit).unwrap().ends_with("in #2"), "{seen:#?}");
    let count = |part: &str| seen.iter().filter(|line| line.contains(part)).count();
    assert_eq!(count("message=a call of a backend failed"), 2, "{seen:#?}");
    assert_eq!(count("message=a backend failed operation=\"get\" kind=Unavailable"), 2, "{seen:#?}");
    assert_eq!(count("message=a backend is sick operation=\"get\" kind=Unavailable"), 1, "told once: {seen:#?}");
    assert_eq!(count("message=the backends answer again"), 1, "{seen:#?}");
}
