//! Machines whose clocks are ten minutes off, over an index and blobs that others use: the index's time counts.

use crate::common::{LARGE, Team, bytes, until};
use cacheness::core::{Clock, SystemClock, Timestamp};
use cacheness::{EvictionPolicy, PutOptions, sync::Cache};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// The machine's clock, set wrong by so many minutes.
#[derive(Debug, Clone, Copy)]
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        SystemClock.now().offset(self.0 * 60_000_000)
    }
}

fn machine(team: &Team, ahead: i64) -> Cache {
    // With the graces of every day, which such a clock would not respect either.
    let hour = 60 * MINUTE;
    team.builder_elsewhere().clock(Wrong(ahead)).grace(hour).delete_grace(hour).open().unwrap()
}

fn lives(time: Duration) -> PutOptions {
    PutOptions::new().ttl(time)
}

/// Puts entries that live, some of them in blobs, and some that have expired when this returns.
fn fill(cache: &Cache) {
    for key in 0..6_u64 {
        cache.put_with(("lives", key), &value(key), lives(5 * MINUTE)).unwrap();
        cache.put_with(("expired", key), &value(key), lives(Duration::from_millis(1))).unwrap();
    }
    for key in 0..6_u64 {
        until("it expires", || cache.get::<Vec<u8>>(("expired", key)).unwrap().is_none());
    }
}

fn value(key: u64) -> Vec<u8> {
    bytes(key, if key.is_multiple_of(2) { LARGE } else { 100 })
}

fn all_live(cache: &Cache) {
    for key in 0..6_u64 {
        assert!(cache.get::<Vec<u8>>(("lives", key)).unwrap() == Some(value(key)), "{key} is gone");
        assert!(cache.get::<Vec<u8>>(("expired", key)).unwrap().is_none(), "{key} is back");
    }
}

#[test]
fn a_clock_that_is_wrong_cleans_up_what_expired_and_nothing_else() {
    for ahead in [10, -10] {
        let team = Team::new();
        let (right, wrong) = (machine(&team, 0), machine(&team, ahead));
        fill(&right);
        all_live(&wrong);
        let ttl = wrong.ttl(("lives", 0)).unwrap().unwrap().left().unwrap();
        assert!(ttl > 3 * MINUTE && ttl <= 5 * MINUTE, "{ahead}: {ttl:?}");
        assert_eq!(wrong.cleanup_expired().unwrap(), 6, "{ahead}");
        let swept = wrong.sweep().unwrap();
        assert_eq!((swept.condemned, swept.deleted), (0, 0), "every grace runs by the index's clock: {swept:?}");
        all_live(&wrong);
        all_live(&right);
        let skew = wrong.health_within(crate::common::PATIENCE).unwrap().clock_skew.unwrap();
        assert!(skew > 9 * MINUTE && skew < 11 * MINUTE, "{skew:?}");
        team.check_swept();
        all_live(&right);
    }
}

#[test]
fn a_clock_that_is_wrong_makes_room_by_what_expired_first() {
    for (ahead, policy) in [(10, EvictionPolicy::Lru), (-10, EvictionPolicy::Fifo)] {
        let team = Team::new();
        let right = machine(&team, 0);
        fill(&right);
        let hour = 60 * MINUTE;
        let builder = team.builder_elsewhere().clock(Wrong(ahead)).grace(hour).delete_grace(hour);
        let wrong = builder.max_entries(10).eviction(policy).open().unwrap();
        wrong.put_with("one more", &1, lives(5 * MINUTE)).unwrap();
        all_live(&right);
        assert_eq!(right.get("one more").unwrap(), Some(1));
        assert_eq!(right.stats().unwrap().entries, 8, "of twelve and one, what expired made room");
        team.check_swept();
    }
}

#[test]
fn what_a_clock_that_is_wrong_puts_lives_as_long_as_it_says() {
    for ahead in [10, -10] {
        let team = Team::new();
        let (right, wrong) = (machine(&team, 0), machine(&team, ahead));
        fill(&wrong);
        all_live(&right);
        let left = right.ttl(("lives", 1)).unwrap().unwrap().left().unwrap();
        assert!(left > 3 * MINUTE && left <= 5 * MINUTE, "{ahead}: {left:?}");
        assert_eq!(right.cleanup_expired().unwrap(), 6, "{ahead}");
        all_live(&wrong);
        // What is removed without an answer is removed as of the index's time, too.
        wrong.put_with("tagged", &1, PutOptions::new().tags(["tag"])).unwrap();
        wrong.invalidate_tag("tag").unwrap();
        assert_eq!(right.get::<i32>("tagged").unwrap(), None);
        right.put_with("tagged", &2, PutOptions::new().tags(["tag"])).unwrap();
        assert_eq!(wrong.get("tagged").unwrap(), Some(2), "{ahead}: it was put after the tag was invalidated");
    }
}
