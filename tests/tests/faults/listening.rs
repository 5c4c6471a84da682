//! `coherence=notify`: copies in memory while the connection that listens is cut, or dies without a sign.

use crate::common::{Team, limit, line, retry, until};
use cacheness::{MemoryConfig, sync::Cache};
use cacheness_testkit::proxy::Fault;
use std::time::{Duration, Instant};

/// How long a stale copy may be served by decision 25, and what a busy machine adds to that.
const BOUND: Duration = Duration::from_secs(5 + 10);

fn listening(team: &Team) -> Cache {
    let builder = team.builder_with("&coherence=notify", "").layer(limit(1000)).layer(retry().max(1));
    builder.memory(MemoryConfig::new()).open().unwrap()
}

/// Sees that hits ask nobody, and that what others put is heard of.
fn check_hears(cache: &Cache, other: &Cache, number: &mut u64) {
    let serves_from_memory = || {
        let before = cache.stats().unwrap().memory.unwrap().hits;
        let got = cache.get::<u64>("key").ok().flatten();
        got == Some(*number) && cache.stats().unwrap().memory.unwrap().hits > before
    };
    until("a copy in memory is served", serves_from_memory);
    *number += 1;
    other.put("key", number).unwrap();
    until("the change is heard of", || cache.get("key").ok().flatten() == Some(*number));
}

/// A copy of before may be served until the loss of the listener is noticed, within the bound, and never again after that.
fn check_doubts(cache: &Cache, old: u64, lost_at: Instant) {
    until("the copy is doubted", || match cache.get::<u64>("key") {
        Ok(got) => {
            assert_eq!(got, Some(old));
            assert!(lost_at.elapsed() < BOUND, "a stale copy is served for too long");
            false
        }
        Err(error) => !line(&error).is_empty(),
    });
}

/// The index is asked as soon as it answers, and nothing older is served.
fn check_asks(cache: &Cache, number: u64) {
    until("the index is asked", || match cache.get("key") {
        Ok(got) => {
            assert_eq!(got, Some(number));
            true
        }
        Err(_) => false,
    });
}

#[test]
fn a_listener_that_is_cut_off_serves_nothing_stale_and_listens_again() {
    let team = Team::new();
    let (cache, other) = (listening(&team), team.elsewhere());
    let mut number = 1;
    other.put("key", &number).unwrap();
    check_hears(&cache, &other, &mut number);
    for _ in 0..3 {
        team.postgres.inject(Fault::Refuse);
        team.postgres.reset_all();
        let cut_at = Instant::now();
        number += 1;
        other.put("key", &number).unwrap();
        check_doubts(&cache, number - 1, cut_at);
        for _ in 0..5 {
            assert!(cache.get::<u64>("key").is_err(), "nobody can be asked");
        }
        team.heal();
        check_asks(&cache, number);
        check_hears(&cache, &other, &mut number);
    }
}

#[test]
fn a_listener_that_dies_without_a_sign_is_noticed_within_the_bound() {
    let team = Team::new();
    let (cache, other) = (listening(&team), team.elsewhere());
    let mut number = 1;
    other.put("key", &number).unwrap();
    check_hears(&cache, &other, &mut number);
    assert_eq!(cache.get("key").unwrap(), Some(number));
    team.postgres.inject(Fault::Stall(None));
    let died_at = Instant::now();
    number += 1;
    other.put("key", &number).unwrap();
    check_doubts(&cache, number - 1, died_at);
    team.heal();
    check_asks(&cache, number);
    check_hears(&cache, &other, &mut number);
}
