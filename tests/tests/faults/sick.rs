//! A cache that goes on while S3 or PostgreSQL is gone: the application sees no error, and nothing old comes back.

use crate::common::{Face, LARGE, PATIENCE, Team, bytes, limit, retry, until, within};
use crate::traffic::{Promise, Traffic};
use cacheness::storage::layers::CircuitBreaker;
use cacheness::{CacheBuilder, ErrorKind, MissReason, OnBackendError, PutOptions, sync::Cache};
use cacheness_testkit::proxy::Fault;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a bounded call may take at most on a machine that is busy.
const BOUND: Duration = Duration::from_secs(12);

fn builder(team: &Team) -> CacheBuilder<Cache> {
    let breaker = CircuitBreaker::new().threshold(4).open_for(Duration::from_millis(200));
    let builder = team.builder_with("", "&max_attempts=1").layer(limit(1000)).layer(breaker).layer(retry().max(1));
    builder.on_backend_error(OnBackendError::Miss)
}

/// A server that is gone: connections are refused, or nothing answers.
fn gone(proxy: &cacheness_testkit::proxy::Proxy, silently: bool) {
    if silently {
        proxy.inject(Fault::Stall(None));
    } else {
        proxy.inject(Fault::Refuse);
        proxy.reset_all();
    }
}

#[test]
fn while_s3_is_gone_the_application_sees_misses_that_do_not_count_and_afterwards_nothing_old() {
    let team = Team::new();
    let cache = builder(&team).open().unwrap();
    let other = team.elsewhere();
    for (number, face) in Face::both(&cache).iter().enumerate() {
        let (old, new) = (bytes(1, LARGE), bytes(2, LARGE));
        let keys @ [kept, replaced, removed, small] =
            &["kept", "replaced", "removed", "small"].map(|key| format!("{key}{number}"));
        for key in keys {
            face.put(key, if key == small { &new[..100] } else { &old }.to_vec().as_ref()).unwrap();
        }
        let before = cache.stats().unwrap();
        gone(&team.s3, number == 0);
        within(BOUND, || assert!(face.get(kept).unwrap().is_none()));
        within(BOUND, || face.put(replaced, &new).unwrap());
        within(BOUND, || face.invalidate(removed).unwrap());
        within(BOUND, || assert!(face.get_or_put("computed", new.clone()).unwrap() == new));
        assert!(face.get(small).unwrap().is_some(), "what rides in the index is there");
        assert!(face.get(replaced).unwrap().is_none(), "and nothing that was replaced");
        let stats = cache.stats().unwrap();
        assert_eq!(stats.hits, before.hits + 1, "{stats}");
        // What a failed put was to replace is gone, and that is a miss; so is what nobody put.
        assert!(stats.misses_because(MissReason::Absent) <= before.misses_because(MissReason::Absent) + 2, "{stats}");
        assert_eq!(stats.misses() - stats.misses_because(MissReason::Absent), 0, "{stats}");
        assert!(stats.backend_errors["get"] > 0 && stats.backend_errors["put"] > 0, "{stats:?}");
        let health = within(BOUND, || cache.health_within(Duration::from_millis(500)).unwrap());
        assert!(health.metadata.is_up() && !health.blobs.is_up(), "{health}");
        assert!(health.blobs.backend.contains("s3://") && !health.to_string().contains('\n'), "{health}");

        team.heal();
        until("blobs can be read again", || face.get(kept).unwrap().as_ref() == Some(&old));
        for key in [replaced, removed] {
            assert!(face.get(key).unwrap().is_none(), "{key}");
            until("it is delivered", || other.get::<Vec<u8>>(&**key).unwrap().is_none());
        }
        until("and put", || {
            face.put(replaced, &new).unwrap();
            other.get::<Vec<u8>>(&**replaced).unwrap().as_ref() == Some(&new)
        });
        assert!(cache.health_within(PATIENCE).unwrap().is_up());
    }
    assert_eq!(cache.stats().unwrap().owed, 0);
    team.check_swept();
}

#[test]
fn while_postgresql_is_gone_deletes_are_owed_and_are_delivered_before_anything_is_put() {
    let team = Team::new();
    let cache = builder(&team).open().unwrap();
    let other = team.elsewhere();
    for (number, face) in Face::both(&cache).iter().enumerate() {
        let (old, new) = (bytes(1, LARGE), bytes(2, LARGE));
        let keys @ [kept, replaced, removed, tagged] =
            &["kept", "replaced", "removed", "tagged"].map(|key| format!("{key}{number}"));
        for key in keys {
            let options = if key == tagged { PutOptions::new().tags(["tag"]) } else { PutOptions::new() };
            face.put_with(key, &old, options).unwrap();
        }
        let before = cache.stats().unwrap();
        gone(&team.postgres, number == 0);
        assert!(within(BOUND, || face.get(kept).unwrap().is_none()));
        within(BOUND, || face.put(replaced, &new).unwrap());
        assert!(!within(BOUND, || face.invalidate(removed).unwrap()));
        within(BOUND, || cache.invalidate_tag("tag").unwrap());
        assert!(within(BOUND, || face.get_or_put("computed", new.clone()).unwrap() == new));
        let stats = within(BOUND, || cache.stats().unwrap());
        assert_eq!((stats.hits, stats.misses()), (before.hits, before.misses()), "{stats}");
        assert!(stats.owed >= 3, "{stats}");
        let health = within(BOUND, || cache.health_within(Duration::from_millis(500)).unwrap());
        assert!(!health.metadata.is_up() && health.blobs.is_up() && health.owed >= 3, "{health}");
        for key in [replaced, removed, tagged] {
            assert!(other.get::<Vec<u8>>(&**key).unwrap().is_some(), "nobody else knows: {key}");
        }

        team.heal();
        // Nobody does anything: a timer delivers.
        for key in [replaced, removed, tagged] {
            until("it is delivered", || other.get::<Vec<u8>>(&**key).unwrap().is_none());
        }
        until("all of it", || cache.stats().unwrap().owed == 0);
        until("what was not meant is there", || face.get(kept).unwrap().as_ref() == Some(&old));
        for key in [replaced, removed, tagged] {
            assert!(face.get(key).unwrap().is_none(), "{key}");
        }
        face.put(replaced, &new).unwrap();
        assert!(other.get::<Vec<u8>>(&**replaced).unwrap().as_ref() == Some(&new));
    }
    team.check_swept();
}

#[test]
fn what_is_owed_is_told_by_a_close_that_cannot_deliver_it() {
    let team = Team::new();
    let cache = builder(&team).open().unwrap();
    cache.put("key", &1).unwrap();
    gone(&team.postgres, false);
    assert!(!cache.invalidate("key").unwrap());
    let error = within(BOUND, || cache.close().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(crate::common::line(&error).contains("1 deletes did not reach the index"), "{error}");
}

#[test]
fn servers_that_come_and_go_under_load_are_no_error_and_bring_nothing_old_back() {
    let team = Team::new();
    let caches = [builder(&team).open().unwrap()];
    let traffic = Traffic::new(4, Promise::KeptOrNothing);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| traffic.run(&caches));
        let work = |more| {
            let before = traffic.successes.load(Ordering::Relaxed);
            until("work goes on", || {
                working.is_finished() || traffic.successes.load(Ordering::Relaxed) > before + more
            });
        };
        for round in 0..4 {
            work(60);
            gone(if round % 2 == 0 { &team.s3 } else { &team.postgres }, false);
            work(60);
            team.heal();
        }
        work(60);
        traffic.stop();
        working.join().unwrap();
    });
    let (slowest, what) = traffic.slowest();
    assert!(slowest < BOUND, "{what} took {slowest:?}");
    until("everything is delivered", || caches[0].flush().is_ok());
    assert_eq!(caches[0].stats().unwrap().owed, 0);
    traffic.check(&team.elsewhere());
    team.check_swept();
    traffic.check(&team.elsewhere());
}
