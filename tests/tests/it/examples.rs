//! The examples of the facade, compiled in and run on stores of the test's own. `cargo xtask ci` runs them as programs.

#![allow(dead_code, reason = "each example has a `main`")]

#[path = "../../../crates/cacheness/examples/checkpoints.rs"]
mod checkpoints;
#[path = "../../../crates/cacheness/examples/manage.rs"]
mod manage;
#[path = "../../../crates/cacheness/examples/model_registry.rs"]
mod model_registry;
#[path = "../../../crates/cacheness/examples/pipeline.rs"]
mod pipeline;

use crate::support::Place;
use cacheness::storage::PutOptions;
use cacheness::{Entry, Field, Filter, Key, Query, sync};
use cacheness_tests::pairs::Pair;
use checkpoints::{Plan, State};
use pipeline::Settings;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

fn entries(store: &sync::BlobStore, query: Query) -> Vec<Entry> {
    store.list(&query).unwrap().entries
}

fn accuracy(entry: &Entry) -> f64 {
    entry.metadata()["accuracy"].as_f64().unwrap()
}

#[test]
fn the_model_registry_promotes_the_most_accurate_version_and_keeps_what_is_known_of_it() {
    let dir = tempfile::tempdir().unwrap();
    model_registry::run(dir.path()).unwrap();
    let store = sync::BlobStore::open(dir.path()).unwrap();
    let made = || entries(&store, Query::new()).iter().map(Entry::created_at).collect::<Vec<SystemTime>>();
    let in_production = |name: &str| {
        let query = Query::new().prefix(format!("models/{name}/")).filter(Filter::eq(Field::Tag, "production"));
        entries(&store, query).iter().map(|entry| entry.key().to_owned()).collect::<Vec<_>>()
    };
    let first = made();
    for name in ["rain", "warmth"] {
        let versions = entries(&store, Query::new().prefix(format!("models/{name}/")));
        let best = versions.iter().max_by(|one, other| accuracy(one).total_cmp(&accuracy(other))).unwrap();
        assert_eq!(in_production(name), [best.key()]);
        assert!(versions.iter().all(|entry| entry.description().is_some()), "promotion kept the description");
    }

    // Somebody put another version into production.
    let change = |key: &str, tag| {
        let entry = store.metadata(key).unwrap().unwrap();
        let options = PutOptions::new().metadata(entry.metadata()).tags([tag]);
        assert!(store.update_metadata(key, options).unwrap());
    };
    let best = in_production("rain").remove(0);
    change(&best, "candidate");
    change("models/rain/005", "production");
    model_registry::run(dir.path()).unwrap();
    assert_eq!(in_production("rain"), [best]);
    let retired = entries(&store, Query::new().filter(Filter::eq(Field::Tag, "retired")));
    assert_eq!(retired.iter().map(Entry::key).collect::<Vec<_>>(), ["models/rain/005"]);
    assert_eq!(made(), first, "the second run trained nothing");
}

#[test]
fn a_changed_parameter_recomputes_only_the_steps_that_depend_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = |window, years| pipeline::run(dir.path(), &Settings { window, years }).unwrap();
    assert_eq!(run(24, 5), ["series", "trend", "season", "forecast"]);
    assert_eq!(run(24, 5), [""; 0]);
    assert_eq!(run(24, 6), ["forecast"]);
    assert_eq!(run(36, 5), ["trend", "season", "forecast"]);
    assert_eq!(run(24, 5), [""; 0], "what was made before is still there");
}

#[test]
fn every_artifact_names_the_artifacts_it_was_made_of() {
    let dir = tempfile::tempdir().unwrap();
    pipeline::run(dir.path(), &Settings { window: 24, years: 5 }).unwrap();
    let cache = sync::Cache::open(dir.path()).unwrap();
    let inputs = |name: &str| {
        let page = cache.entries(&Query::new().filter(Filter::eq(Field::Description, name))).unwrap();
        let keys = page.entries[0].metadata()["depends_on"].as_array().unwrap().clone();
        let input =
            |key: &serde_json::Value| cache.metadata(Key::parse(key.as_str().unwrap()).unwrap()).unwrap().unwrap();
        keys.iter().map(|key| input(key).description().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(inputs("series"), [""; 0]);
    assert_eq!(inputs("trend"), ["series"]);
    assert_eq!(inputs("season"), ["series", "trend"]);
    assert_eq!(inputs("forecast"), ["trend", "season"]);
}

#[test]
fn what_one_member_of_a_team_computes_and_changes_the_others_find_and_see() {
    let place = Place::new();
    let [metadata, blobs] = Pair::PostgresS3.urls(&place.path());
    let output = Command::new(env!("CARGO_BIN_EXE_team")).args([metadata, blobs]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    let [computed, found, before, change, after] = lines[..] else { panic!("{said}") };
    assert!(computed.starts_with("Ada computed 2"), "{said}");
    assert!(found.starts_with("Grace found 2") && found.ends_with(": 1 hits, 0 misses"), "{said}");
    let days = |line: &str| line.strip_prefix("Grace counts ")?.strip_suffix(" warm days")?.parse::<u64>().ok();
    assert_eq!(change, "Ada now calls a day warm from 25 °C on");
    assert!(days(before).unwrap() > days(after).unwrap(), "Grace sees the change: {said}");
}

#[test]
fn what_is_done_to_a_cache_is_done_to_what_is_meant_and_to_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    for run in 0..2 {
        manage::run(dir.path()).unwrap();
        let cache = sync::Cache::open(dir.path()).unwrap();
        let entries = cache.entries(&Query::new().limit(1000)).unwrap().entries;
        let mut months: Vec<_> = entries.iter().filter_map(Entry::description).collect();
        months.sort_unstable();
        let (y2013, later) = months.split_at(5);
        assert_eq!(y2013, ["2013-05", "2013-06", "2013-07", "2013-08", "2013-09"], "{run}: the others had no warm day");
        assert_eq!((later.len(), later[0], later[1], later[22]), (23, "2014-01", "2014-03", "2015-12"), "{run}");
        assert_eq!(entries.len() - months.len(), 46, "{run}: means");
        assert_eq!(cache.get(("mean", "2012-01")).unwrap(), Some(7.1), "{run}: corrected");
        let gone = [("mean", "2012-02"), ("mean", "2012-03"), ("highs", "2012-07"), ("archive", "july 2012")];
        assert!(gone.iter().all(|key| !cache.exists(key).unwrap()), "{run}");
        let left = |month| cache.ttl(("highs", month)).unwrap().unwrap().left().unwrap().as_secs().div_ceil(24 * 3600);
        assert_eq!((left("2014-12"), left("2015-12")), (7, 30), "{run}: renewed");
    }
}

fn compute(dir: &Path, rounds: u32, interrupt: Option<u32>) -> State {
    checkpoints::run(dir, &Plan { rounds, every: 2, keep: 2, interrupt }).unwrap()
}

fn rounds_saved(dir: &Path) -> Vec<u64> {
    let store = sync::BlobStore::open(dir).unwrap();
    entries(&store, Query::new()).iter().map(|entry| entry.metadata()["round"].as_u64().unwrap()).collect()
}

#[test]
fn an_interrupted_computation_goes_on_from_its_newest_whole_checkpoint() {
    let (straight, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = compute(straight.path(), 8, None);
    assert_eq!(rounds_saved(straight.path()), [6, 8], "older ones were removed");

    assert_eq!(compute(broken.path(), 8, Some(1)).round, 1);
    assert_eq!(rounds_saved(broken.path()), [0; 0]);
    assert_eq!(compute(broken.path(), 8, Some(7)).round, 7);
    assert_eq!(rounds_saved(broken.path()), [4, 6], "the seventh round is lost");

    let store = sync::BlobStore::open(broken.path()).unwrap();
    let newest = store.metadata("checkpoints/000006").unwrap().unwrap().blob().unwrap();
    let blob = broken.path().join("blobs").join(&newest[..2]).join(format!("{newest}.blob"));
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    assert_eq!(store.verify().unwrap().damaged, 1);
    store.close().unwrap();

    assert!(compute(broken.path(), 8, None) == expected, "the same to the last bit as without interruption");
    assert_eq!(rounds_saved(broken.path()), [6, 8]);
}
