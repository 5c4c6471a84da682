//! What `metrics` sees of a cache.

use cacheness::ErrorKind;
use cacheness::sync::Cache;
use cacheness_tests::sick::{Kind, Sick};
use cacheness_tests::{noise, work};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Adds counters up by name and labels, counts what histograms record, and keeps the gauges.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<BTreeMap<String, u64>>>, Arc<Mutex<BTreeMap<String, f64>>>);

struct Sum(Sums, String);

/// What is a time or a state, and no count.
struct Level(Sums, String);

impl Level {
    fn of(sums: &Sums, key: &Key) -> Arc<Self> {
        Arc::new(Self(sums.clone(), named(key)))
    }
}

impl HistogramFn for Level {
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value), "{value} seconds");
        *self.0.1.lock().unwrap().entry(self.1.clone()).or_default() += 1.0;
    }
}

impl GaugeFn for Level {
    fn increment(&self, _value: f64) {}

    fn decrement(&self, _value: f64) {}

    fn set(&self, value: f64) {
        self.0.1.lock().unwrap().insert(self.1.clone(), value);
    }
}

fn named(key: &Key) -> String {
    let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    format!("{} {}", key.name(), labels.join(","))
}

impl CounterFn for Sum {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }

    fn absolute(&self, value: u64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Recorder for Sums {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Sum(self.clone(), named(key))))
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Level::of(self, key))
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Level::of(self, key))
    }
}

#[test]
fn counters_have_the_handler_and_the_reason_as_labels() {
    let sums = Sums::default();
    metrics::with_local_recorder(&sums, || {
        let cache = Cache::builder().metadata("memory:").blobs("memory:").max_entries(2).low_water(50).open().unwrap();
        work(&cache);
        cache.put("second", "two").unwrap();
        cache.put("third", "three").unwrap();
    });
    let expected = [
        ("cacheness_evictions_total ", 2),
        ("cacheness_hits_total handler=object", 1),
        ("cacheness_misses_total reason=absent", 1),
        ("cacheness_misses_total reason=other schema", 1),
        ("cacheness_puts_total handler=object", 1),
        ("cacheness_puts_total handler=text", 2),
    ];
    let sums = sums.0.lock().unwrap().clone();
    assert_eq!(sums, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn every_call_of_a_backend_is_timed_and_its_errors_are_counted() {
    let sums = Sums::default();
    metrics::with_local_recorder(&sums, || {
        let sick = Sick::new(Kind::Memory);
        let cache = sick.builder().no_memory().unlimited().open().unwrap();
        sums.1.lock().unwrap().clear();
        cache.put("large", &noise(50_000)).unwrap();
        assert!(cache.get::<Vec<u8>>("large").unwrap().is_some());
        sick.script.fail(ErrorKind::Unavailable);
        cache.invalidate("large").unwrap();
        assert!(cache.get::<Vec<u8>>("other").unwrap().is_none());
    });
    let levels = sums.1.lock().unwrap().clone();
    let level = |name: &str| levels.get(name).copied().unwrap_or_default();
    assert!((level("cacheness_deletes_owed ") - 1.0).abs() < f64::EPSILON, "{levels:?}");
    for operation in ["blob_put", "blob_get", "commit", "get"] {
        let name = format!("cacheness_backend_seconds backend=memory,operation={operation}");
        assert!(level(&name) >= 1.0, "{name}: {levels:?}");
    }
    let counts = sums.0.lock().unwrap().clone();
    let count = |name: &str| counts.get(name).copied().unwrap_or_default();
    assert_eq!(count("cacheness_failures_total operation=get,kind=Unavailable"), 1, "{counts:?}");
    assert_eq!(count("cacheness_failures_total operation=invalidate,kind=Unavailable"), 1, "{counts:?}");
    assert_eq!(count("cacheness_backend_errors_total backend=memory,operation=get,kind=Unavailable"), 1, "{counts:?}");
    assert_eq!(count("cacheness_backend_errors_total backend=memory,operation=commit,kind=Unavailable"), 1);
    assert_eq!(count("cacheness_misses_total reason=absent"), 0);
}

/// The Rust files below a directory.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

/// The last text in the arguments of a macro that begins here.
fn last_text(arguments: &str) -> &str {
    let end = arguments.find(");").unwrap_or(arguments.len());
    arguments[..end].rsplit('"').nth(1).unwrap_or_default()
}

#[test]
fn every_name_is_in_the_documentation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = std::fs::read_to_string(root.join("docs/observability.md")).unwrap();
    let mut seen = BTreeSet::new();
    for file in
        ["core", "storage", "cache"].iter().flat_map(|name| sources(&root.join("crates").join(name).join("src")))
    {
        let text = std::fs::read_to_string(&file).unwrap();
        for level in ["trace", "debug", "info", "warn", "error"] {
            for (place, opening) in text.match_indices(&format!("tracing::{level}!(")) {
                let message = last_text(&text[place + opening.len()..]);
                let row = document.lines().find(|line| line.contains(&format!("`{message}`")) && line.starts_with('|'));
                let row = row.unwrap_or_else(|| panic!("{message:?} of {} is in no table", file.display()));
                assert!(row.contains(&format!("| {} |", level.to_uppercase())), "{message:?} is not at {level}: {row}");
                seen.insert(message.to_owned());
            }
        }
        for kind in ["counter", "histogram", "gauge"] {
            for (place, opening) in text.match_indices(&format!("metrics::{kind}!(")) {
                let name = text[place + opening.len()..].split('"').nth(1).unwrap();
                let row = document.lines().find(|line| line.contains(&format!("`{name}`")));
                assert!(row.is_some_and(|row| row.contains(kind)), "{name} is no {kind} in the table");
                seen.insert(name.to_owned());
            }
        }
    }
    assert!(seen.len() >= 19, "{seen:?}");
}
