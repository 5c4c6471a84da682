//! What `metrics` sees of a cache.

use cacheness::sync::Cache;
use cacheness_tests::work;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Adds counters up by name and labels.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<BTreeMap<String, u64>>>);

struct Sum(Sums, String);

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
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Counter::from_arc(Arc::new(Sum(self.clone(), format!("{} {}", key.name(), labels.join(",")))))
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
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
