//! Servers that refuse, fail, ask for slowness or do not answer, and connections that break between calls.

use crate::common::{Face, LARGE, Team, bytes, limit, line, retry, until, within};
use cacheness::storage::layers::{CircuitBreaker, CircuitState};
use cacheness::{ErrorKind, Query};
use cacheness_testkit::proxy::{Answer, Direction, Fault, Proxy};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a bounded call may take at most on a machine that is busy.
const BOUND: Duration = Duration::from_secs(12);

#[test]
fn refused_connections_are_one_line_and_nothing_is_opened_again_afterwards() {
    let team = Team::new();
    let cache = team.builder().open().unwrap();
    let (small, large) = (bytes(1, 100), bytes(2, LARGE));
    cache.put("small", &small).unwrap();
    cache.put("large", &large).unwrap();
    for face in Face::both(&cache) {
        for (proxy, name) in [(&team.postgres, "postgres://"), (&team.s3, "s3://")] {
            proxy.inject(Fault::Refuse);
            proxy.reset_all();
            let failures = [face.get("large").unwrap_err(), face.put("large", &small.repeat(LARGE / 100)).unwrap_err()];
            for error in failures {
                // A connection that was just reset may still be in the pool: it is told apart from a refusal.
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
                assert!(line(&error).contains(name), "{error} does not name {name}");
            }
            let refusal = face.get("large").unwrap_err();
            let told = line(&refusal);
            assert!(told.contains("cannot be reached") || told.contains("refuses connections"), "{told}");
            // What needs only the other one works.
            assert_eq!(face.get("small").is_ok(), name == "s3://");
            proxy.heal();
            assert!(face.get("large").unwrap().as_ref() == Some(&large), "without being opened again");
            face.put("small", &small).unwrap();
        }
    }
    team.check_swept();
}

#[test]
fn a_server_that_fails_or_asks_for_slowness_is_asked_again() {
    let team = Team::new();
    let retry = retry();
    // The SDK's own attempts, and those of the layer.
    for (options, layer, kept) in [("&max_attempts=3", false, 2), ("&max_attempts=1", true, 3)] {
        let builder = team.builder_with("", options);
        let builder = if layer { builder.layer(retry.clone()) } else { builder };
        let cache = builder.open().unwrap();
        for (number, face) in Face::both(&cache).iter().enumerate() {
            for (kind, answer) in [Answer::internal_error(), Answer::slow_down(), Answer::new(503, "busy")]
                .into_iter()
                .enumerate()
                // The client of the SDK waits longer each time: one answer a face is enough there.
                .filter(|(kind, _)| layer || *kind == number)
            {
                let (key, value) = (format!("{layer}{number}{kind}"), bytes(kind as u64, LARGE));
                team.s3.inject_times(kept, Fault::Answer(team.requests().method("PUT"), answer.clone()));
                face.put(&key, &value).unwrap();
                team.s3.inject_times(kept, Fault::Answer(team.requests().method("GET"), answer));
                assert!(face.get(&key).unwrap().as_ref() == Some(&value), "{key}");
                team.s3.heal();
            }
        }
    }
    let stats = retry.stats();
    assert_eq!((stats.recovered, stats.gave_up), (12, 0), "{stats:?}");
    assert_eq!(team.s3.strikes(), 2 * 2 * 2 + 12 * 3);
    team.check_swept();
}

#[test]
fn when_attempts_are_used_up_the_answer_is_one_line_and_nothing_is_lost() {
    let team = Team::new();
    let retry = retry();
    let cache = team.builder_with("", "&max_attempts=1").layer(retry.clone()).open().unwrap();
    let (old, new) = (bytes(1, LARGE), bytes(2, LARGE));
    cache.put("key", &old).unwrap();
    for face in Face::both(&cache) {
        for (answer, part) in [
            (Answer::internal_error(), "InternalError"),
            (Answer::s3_error(503, "ServiceUnavailable"), "503"),
            (Answer::slow_down(), "fewer requests"),
        ] {
            let gave_up = retry.stats().gave_up;
            team.s3.inject(Fault::Answer(team.requests(), answer));
            for error in [face.put("key", &new).unwrap_err(), face.get("key").unwrap_err()] {
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
                assert!(line(&error).contains(part), "{error}");
            }
            assert_eq!(retry.stats().gave_up - gave_up, 2, "{:?}", retry.stats());
            team.s3.heal();
            assert!(face.get("key").unwrap().as_ref() == Some(&old));
        }
    }
    team.check_swept();
}

/// A stalled server, and how long calls of the cache wait for it.
fn check_bounded(team: &Team, stalled: &Proxy, cache: &cacheness::sync::Cache, key: &str) {
    let value = bytes(3, LARGE);
    for face in Face::both(cache) {
        stalled.inject(Fault::Stall(None));
        let got = within(BOUND, || face.get(key).unwrap_err());
        assert_eq!((got.kind(), got.is_retryable()), (ErrorKind::Timeout, true), "{got}");
        line(&got);
        let put = within(BOUND, || face.put("new", &value).unwrap_err());
        assert_eq!(put.kind(), ErrorKind::Timeout, "{put}");
        line(&put);
        team.heal();
        until("it goes on", || face.get(key).is_ok_and(|got| got.is_some()));
    }
}

#[test]
fn a_stall_is_ended_by_the_layers_limit() {
    let team = Team::new();
    let (limit, retry) = (limit(400), retry().max(1));
    let cache = team.builder().layer(limit.clone()).layer(retry.clone()).open().unwrap();
    team.elsewhere().put("large", &bytes(2, LARGE)).unwrap();
    check_bounded(&team, &team.postgres, &cache, "large");
    check_bounded(&team, &team.s3, &cache, "large");
    assert!(limit.stats().timed_out >= 8 && retry.stats().gave_up >= 4, "{limit:?} {retry:?}");
    team.check_swept();
}

#[test]
fn a_stall_is_ended_by_the_limits_of_the_backends_themselves() {
    let team = Team::new();
    let index = "&statement_timeout_ms=100&connect_timeout_ms=500&acquire_timeout_ms=500";
    let blobs = "&attempt_timeout_ms=400&operation_timeout_ms=1000&max_attempts=2&stall_timeout_ms=400";
    let cache = team.builder_with("", blobs).open().unwrap();
    cache.put("large", &bytes(2, LARGE)).unwrap();
    check_bounded(&team, &team.s3, &cache, "large");
    let cache = team.builder_with(index, "").open().unwrap();
    team.postgres.inject(Fault::Stall(None));
    let error = within(BOUND, || cache.get::<Vec<u8>>("large").unwrap_err());
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{}", line(&error));
    team.heal();
    assert!(cache.get::<Vec<u8>>("large").unwrap().is_some());
    team.check_swept();
}

#[test]
fn a_body_that_stands_still_in_its_middle_is_given_up() {
    let team = Team::new();
    let blobs = "&attempt_timeout_ms=2000&operation_timeout_ms=4000&max_attempts=1&stall_timeout_ms=300";
    let cache = team.builder_with("", blobs).open().unwrap();
    let value = bytes(1, LARGE);
    cache.put("key", &value).unwrap();
    for face in Face::both(&cache) {
        let before = team.s3.bytes(Direction::Replies);
        team.s3.inject(Fault::Throttle { direction: Direction::Replies, bytes_per_second: 200_000 });
        let error = std::thread::scope(|scope| {
            let getting = scope.spawn(|| within(BOUND, || face.get("key").unwrap_err()));
            until("a part of the body came", || team.s3.bytes(Direction::Replies) > before + 30_000);
            team.s3.inject(Fault::Stall(None));
            getting.join().unwrap()
        });
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true), "{error}");
        assert!(line(&error).contains("stands still"), "{error}");
        team.heal();
        assert!(face.get("key").unwrap().as_ref() == Some(&value));
    }
}

#[test]
fn a_circuit_that_opened_refuses_at_once_and_closes_when_the_server_is_back() {
    let team = Team::new();
    let breaker = CircuitBreaker::new().threshold(3).open_for(Duration::from_millis(300));
    let cache = team.builder().layer(limit(2000)).layer(breaker.clone()).layer(retry()).open().unwrap();
    cache.put("key", &bytes(1, 100)).unwrap();
    team.postgres.inject(Fault::Refuse);
    team.postgres.reset_all();
    let mut kinds = BTreeSet::new();
    for _ in 0..20 {
        let error = within(BOUND, || cache.get::<Vec<u8>>("key").unwrap_err());
        line(&error);
        kinds.insert(format!("{:?}", error.kind()));
    }
    assert!(kinds.contains("CircuitOpen"), "{kinds:?}");
    let circuit = &breaker.circuits()[0];
    assert_ne!(circuit.state, CircuitState::Closed, "{circuit:?}");
    team.heal();
    until("the circuit closes", || cache.get::<Vec<u8>>("key").is_ok());
    assert_eq!(breaker.circuits()[0].state, CircuitState::Closed);
    assert_eq!(breaker.circuits()[1].state, CircuitState::Closed, "that of the blobs never opened");
}

#[test]
fn connections_that_broke_while_nobody_used_them_are_replaced() {
    let team = Team::new();
    let retry = retry();
    let cache = team.builder_with("&pool_size=2", "").layer(retry).open().unwrap();
    let value = bytes(1, LARGE);
    cache.put("key", &value).unwrap();
    for round in 0..5 {
        team.postgres.reset_all();
        team.s3.reset_all();
        for face in Face::both(&cache) {
            assert!(face.get("key").unwrap().as_ref() == Some(&value), "{round}");
        }
        // More callers than connections.
        let (cache, value) = (&cache, &value);
        std::thread::scope(|scope| {
            for caller in 0..6 {
                scope.spawn(move || {
                    assert!(cache.get::<Vec<u8>>("key").unwrap().as_ref() == Some(value));
                    cache.put(format!("{caller}"), &caller).unwrap();
                });
            }
        });
    }
    assert!(team.postgres.open_connections() <= 2, "{}", team.postgres.open_connections());
}

#[test]
fn a_listing_that_breaks_off_goes_on_and_tells_every_entry_once() {
    let team = Team::new();
    let retry = retry();
    let entries: Vec<_> = (0..300).map(|number| (format!("key-{number}"), number)).collect();
    team.elsewhere().put_many(&entries).unwrap();
    let all = |cache: &cacheness::sync::Cache| {
        let (mut keys, mut query) = (Vec::new(), Query::new().limit(100));
        loop {
            let page = cache.entries(&query)?;
            keys.extend(page.entries.iter().map(|entry| entry.key().to_owned()));
            let Some(next) = page.next else { return Ok(keys) };
            query = query.after(next);
        }
    };
    let mut whole = all(&team.elsewhere()).unwrap_or_else(|error: cacheness::Error| panic!("{error}"));
    assert_eq!(whole.len(), 300);
    let (bare, patient) = (team.builder().open().unwrap(), team.builder().layer(retry.clone()).open().unwrap());
    for after in [0, 100, 5_000, 20_000, 40_000] {
        team.postgres.inject_times(1, Fault::Reset { direction: Direction::Replies, after });
        let error = all(&bare).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{}", line(&error));
        team.postgres.heal();
        team.postgres.inject_times(1, Fault::Reset { direction: Direction::Replies, after });
        let mut keys = all(&patient).unwrap();
        team.postgres.heal();
        keys.sort();
        whole.sort();
        assert!(keys == whole, "{after}: {} entries, {} of them different", keys.len(), {
            keys.dedup();
            keys.len()
        });
    }
    assert_eq!(retry.stats().gave_up, 0);
    assert!(retry.stats().recovered >= 5, "{:?}", retry.stats());
}
