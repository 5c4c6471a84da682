//! Whatever is done to a cache, over whichever backends, it does what a map with a clock does.
//!
//! `CACHENESS_MODEL_CASES` sets how many histories each pair goes through, `PROPTEST_RNG_SEED` which ones.

mod asking;
mod changing;
mod compare;
mod generate;
mod meaning;
mod names;
mod operation;
mod pair;
mod reading;
mod reference;
mod runtime;
mod storing;
mod subject;
mod value;

use cacheness::MemoryPolicy;
use cacheness_tests::pairs;
use compare::Comparison;
use generate::steps;
use operation::{Face, Step, Through};
use pair::{Memories, Memory, Pair, Setup};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use reference::Reference;
use std::time::Duration;
use subject::Subject;

/// Histories of a pair, fewer of one whose index is a server's, and the steps of the longest.
const CASES: u32 = 28;
const REMOTE_CASES: u32 = 4;
const STEPS: usize = 160;

/// Everything is compared after so many steps, and at the end.
const EVERY: usize = 80;

fn setup() -> impl Strategy<Value = Setup> {
    let default_ttl = prop::option::of(prop::sample::select(vec![Duration::from_secs(10), Duration::from_secs(3600)]));
    let policy = |policy| Just(Memory::Tiny(policy));
    let memory = || {
        prop_oneof![
            6 => Just(Memory::Unset),
            2 => Just(Memory::None),
            1 => policy(MemoryPolicy::WTinyLfu),
            1 => policy(MemoryPolicy::Lru),
            1 => policy(MemoryPolicy::Lfu),
            1 => policy(MemoryPolicy::Fifo),
            1 => policy(MemoryPolicy::Random),
        ]
    };
    let memories = prop_oneof![
        2 => [memory(), memory()].prop_map(Memories::Two),
        1 => Just(Memories::OneUnproven),
    ];
    let all = (default_ttl, any::<bool>(), memories);
    all.prop_map(|(default_ttl, keeps_parameters, memories)| Setup { default_ttl, keeps_parameters, memories })
}

fn history(pair: Pair, setup: &Setup, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut subject, mut reference) = (Subject::open(pair, setup).unwrap(), Reference::new(setup));
    let mut comparison = Comparison::new(setup);
    let mut through = Through { second: false, face: Face::Blocking, space: 0, of: 0 };
    for (number, step) in steps.iter().enumerate() {
        let mut suspects = Vec::new();
        match step {
            Step::Call(by, operation) => {
                through = *by;
                let before: Vec<_> = reference.all_live().collect();
                comparison.step(&subject, &mut reference, through, operation)?;
                suspects.extend(operation.spots(through).into_iter().take(2));
                suspects.extend(before.into_iter().filter(|spot| reference.live(*spot).is_none()).take(2));
            }
            Step::Time(clock) => {
                subject.set_time(reference.turn(*clock));
                suspects.extend(reference.at_a_turning_point().take(2));
            }
            Step::Reopen => {
                if subject.reopen().unwrap() {
                    reference.reopen();
                }
            }
        }
        for spot in suspects {
            comparison.entry(&subject, &mut reference, through, spot)?;
        }
        if number % EVERY == EVERY - 1 {
            comparison.everything(&subject, &mut reference, through)?;
        }
    }
    comparison.everything(&subject, &mut reference, through)
}

fn check(name: &'static str, pair: Pair) {
    // A failure over a server is shrunk less: each attempt takes long.
    let (cases, max_shrink_iters) = if matches!(pair, Pair::Remote(_)) { (REMOTE_CASES, 200) } else { (CASES, 4096) };
    let cases = std::env::var("CACHENESS_MODEL_CASES").map_or(cases, |cases| cases.parse().unwrap());
    let mut config = ProptestConfig { cases, max_shrink_iters, ..ProptestConfig::default() };
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
fn over_postgresql_and_files_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_postgresql_and_files", Pair::Remote(pairs::Pair::PostgresFs));
}

#[test]
fn over_postgresql_and_s3_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_postgresql_and_s3", Pair::Remote(pairs::Pair::PostgresS3));
}

#[test]
fn over_the_backends_of_a_third_party_a_cache_does_what_a_map_with_a_clock_does() {
    check("over_the_backends_of_a_third_party", Pair::ThirdParty);
}
