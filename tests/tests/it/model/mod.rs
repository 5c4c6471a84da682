//! Whatever is done to a cache, over whichever backends, it does what a map with a clock does.
//!
//! `CACHENESS_MODEL_CASES` sets how many histories each pair goes through, `PROPTEST_RNG_SEED` which ones.

mod compare;
mod meaning;
mod operation;
mod pair;
mod reference;
mod subject;
mod value;

use compare::Comparison;
use operation::{Face, Step, Through, steps};
use pair::{Pair, Setup};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reference::Reference;
use std::time::Duration;
use subject::Subject;

/// Histories of a pair, and the steps of the longest.
const CASES: u32 = 16;
const STEPS: usize = 160;

/// Everything is compared after so many steps, and at the end.
const EVERY: usize = 80;

fn setup() -> impl Strategy<Value = Setup> {
    let default_ttl = prop::option::of(prop::sample::select(vec![Duration::from_secs(10), Duration::from_secs(3600)]));
    default_ttl.prop_map(|default_ttl| Setup { default_ttl })
}

fn history(pair: Pair, setup: &Setup, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut subject, mut reference) = (Subject::open(pair, setup).unwrap(), Reference::new(setup));
    let mut comparison = Comparison::default();
    let mut through = Through { second: false, face: Face::Blocking };
    for (number, step) in steps.iter().enumerate() {
        let mut suspects = Vec::new();
        match step {
            Step::Call(by, operation) => {
                through = *by;
                comparison.step(&subject, &mut reference, through, operation)?;
                suspects.extend(operation.slots().into_iter().take(2));
            }
            Step::Time(clock) => {
                subject.set_time(reference.turn(*clock));
                suspects.extend(reference.at_their_end().take(2));
            }
            Step::Reopen => subject.reopen().unwrap(),
        }
        for slot in suspects {
            comparison.key(&subject, &mut reference, through, slot)?;
        }
        if number % EVERY == EVERY - 1 {
            comparison.everything(&subject, &mut reference, through)?;
        }
    }
    comparison.everything(&subject, &mut reference, through)
}

fn check(name: &'static str, pair: Pair) {
    let cases = std::env::var("CACHENESS_MODEL_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let mut config = ProptestConfig { cases, max_shrink_iters: 4096, ..ProptestConfig::default() };
    (config.source_file, config.test_name) = (Some(file!()), Some(name));
    let histories = (setup(), steps(STEPS));
    if let Err(failure) = TestRunner::new(config).run(&histories, |(setup, steps)| history(pair, &setup, &steps)) {
        panic!("over {pair:?}: {failure}");
    }
}

#[test]
fn over_memory_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_memory", Pair::Memory);
}

#[test]
fn over_json_and_files_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_json_and_files", Pair::Json);
}

#[test]
fn over_sqlite_and_files_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_sqlite_and_files", Pair::Sqlite);
}

#[test]
fn over_sqlite_in_memory_and_files_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_sqlite_in_memory_and_files", Pair::SqliteInMemory);
}

#[test]
fn over_the_backends_of_a_third_party_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_the_backends_of_a_third_party", Pair::ThirdParty);
}
