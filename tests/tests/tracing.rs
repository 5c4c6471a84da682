//! What `tracing` sees of a cache. Alone in its process: whether anybody listens is remembered for all threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

use cacheness::sync::Cache;
use cacheness_tests::work;
use std::fmt;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

type Seen = Arc<Mutex<Vec<String>>>;

/// Writes down spans and events as `name field=value`.
struct Notebook(Seen);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Notebook {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("cacheness")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(span.metadata().name().to_owned());
        span.record(&mut line);
        self.0.lock().unwrap().push(line.0);
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line("event".to_owned());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn operations_are_spans_and_hits_and_misses_are_events() {
    let seen = Seen::default();
    tracing::subscriber::with_default(Notebook(seen.clone()), || {
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
    assert!(!has("7"), "no value is ever seen: {seen:#?}");
}
