//! PostgreSQL is stopped as a crash stops it, and started again, while many work.

use crate::common::{Team, limit, retry, until};
use crate::traffic::{Promise, Traffic};
use cacheness::storage::layers::CircuitBreaker;
use cacheness_testkit::services::PrivatePostgres;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many seconds of work, at least 4; 8 unless it is set.
const SECONDS: &str = "CACHENESS_TEST_OUTAGE_SECONDS";

/// A call of a cache makes a few calls of its backends, each of which is tried up to three times, for up to a second.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn while_postgresql_stops_and_starts_nothing_acknowledged_is_lost_and_nothing_wrong_is_returned() {
    let seconds = std::env::var(SECONDS).map_or(8, |text| text.parse::<u64>().unwrap().max(4));
    let mut postgres = PrivatePostgres::start();
    let team = Team::on(&postgres.url());
    let breaker = CircuitBreaker::new().threshold(5).open_for(Duration::from_millis(200));
    let open = || {
        let builder = team.builder_with("&pool_size=4", "").layer(limit(1000)).layer(breaker.clone());
        builder.layer(retry().max(2)).open().unwrap()
    };
    // Two machines.
    let caches = [open(), open()];
    let traffic = Traffic::new(8, Promise::Kept);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut outages = 0;
    std::thread::scope(|scope| {
        let working = scope.spawn(|| traffic.run(&caches));
        while !working.is_finished() && Instant::now() < deadline {
            let work = |count: &AtomicU64, more| {
                let before = count.load(Ordering::Relaxed);
                until("work goes on", || working.is_finished() || count.load(Ordering::Relaxed) > before + more);
            };
            work(&traffic.successes, 300);
            postgres.stop();
            work(&traffic.failures, 40);
            postgres.start_again();
            outages += 1;
        }
        traffic.stop();
        working.join().unwrap();
    });
    let (slowest, what) = traffic.slowest();
    assert!(slowest < LIMIT, "{what} took {slowest:?}");
    for cache in &caches {
        until("it goes on without being opened again", || cache.put("back", &1).is_ok());
        assert_eq!(cache.get("back").unwrap(), Some(1));
    }
    let found = traffic.check(&team.elsewhere());
    team.check_swept();
    assert_eq!(traffic.check(&team.elsewhere()), found, "the sweep took nothing away");
    assert!(found > 0 && outages > 0, "{outages} outages, {found} entries");
}
