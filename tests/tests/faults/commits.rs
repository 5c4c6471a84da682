//! Connections to PostgreSQL that are cut around a commit: before it arrived, or before its answer did.

use crate::common::{Face, LARGE, Team, bytes, limit, line, retry, until, within};
use cacheness::{ErrorKind, PutOptions};
use cacheness_testkit::proxy::{Direction, Fault};
use std::time::Duration;

/// What nothing says but the round trip that commits.
const NEEDLE: &str = "the needle in what is committed";

/// The command as it is sent, which `READ COMMITTED` is not.
const COMMIT: &[u8] = b"COMMIT\0";

fn marked() -> PutOptions {
    PutOptions::new().description(NEEDLE)
}

/// Makes a change whose commit is carried out, and cuts its connection before the answer arrives: when another machine sees
/// the change.
fn cut_before_the_answer<T: Send>(
    team: &Team,
    pattern: &[u8],
    change: impl FnOnce() -> T + Send,
    mut is_seen: impl FnMut() -> bool,
) -> T {
    let strikes = team.postgres.strikes();
    team.postgres.inject_times(1, Fault::DropReplies(pattern.to_vec()));
    std::thread::scope(|scope| {
        let changing = scope.spawn(change);
        until("the server carries it out", &mut is_seen);
        assert!(!changing.is_finished(), "nobody told");
        assert_eq!(team.postgres.strikes(), strikes + 1);
        team.heal();
        team.postgres.reset_all();
        changing.join().unwrap()
    })
}

#[test]
fn a_put_whose_commit_lost_its_answer_is_an_error_that_nobody_repeats() {
    let team = Team::new();
    let retry = retry();
    let cache = team.builder().layer(retry.clone()).open().unwrap();
    let other = team.elsewhere();
    for (number, face) in Face::both(&cache).iter().enumerate() {
        for size in [100, LARGE] {
            let key = format!("{number} {size}");
            face.put(&key, &bytes(1, size)).unwrap();
            let (new, retries) = (bytes(2, size), retry.stats().retries);
            let seen = || other.get::<Vec<u8>>(&*key).unwrap().as_ref() == Some(&new);
            let put = cut_before_the_answer(&team, NEEDLE.as_bytes(), || face.put_with(&key, &new, marked()), seen);
            let error = put.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
            assert!(line(&error).contains("may have happened"), "{error}");
            assert_eq!(retry.stats().retries, retries, "{size}");
            assert!(face.get(&key).unwrap().as_ref() == Some(&new), "its blob is not lost");
            team.check_swept();
            assert!(seen(), "not even by the sweep");
        }
    }
}

#[test]
fn a_removal_whose_commit_lost_its_answer_is_an_error_and_was_done() {
    let team = Team::new();
    let cache = team.builder().layer(retry()).open().unwrap();
    let other = team.elsewhere();
    for (number, face) in Face::both(&cache).iter().enumerate() {
        let key = format!("{number}");
        face.put(&key, &bytes(1, LARGE)).unwrap();
        let seen = || other.get::<Vec<u8>>(&*key).unwrap().is_none();
        let error = cut_before_the_answer(&team, COMMIT, || face.invalidate(&key), seen).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
        line(&error);
        team.check_swept();
        assert!(face.get(&key).unwrap().is_none());
    }
}

#[test]
fn a_commit_that_is_cut_on_its_way_leaves_one_of_both_values_whole() {
    let team = Team::new();
    let cache = team.builder().layer(retry()).open().unwrap();
    let faults = [Fault::CutBefore(NEEDLE.into()), Fault::CutAfter(NEEDLE.into())];
    for (face, fault) in Face::both(&cache).iter().flat_map(|face| faults.iter().map(move |fault| (face, fault))) {
        for size in [100, LARGE] {
            let (old, new) = (bytes(1, size), bytes(2, size));
            face.put("key", &old).unwrap();
            team.postgres.inject_times(1, fault.clone());
            let error = face.put_with("key", &new, marked()).unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{error}");
            assert!(line(&error).contains("may have happened"), "{error}");
            team.heal();
            team.check_swept();
            let there = face.get("key").unwrap();
            assert!(there.as_ref() == Some(&old) || there.as_ref() == Some(&new), "{size} {fault:?}");
            assert!(there.as_ref() == Some(&old) || *fault != faults[0], "it never arrived");
        }
    }
}

#[test]
fn a_commit_that_is_never_answered_ends_in_time_and_leaves_one_of_both_values() {
    let team = Team::new();
    let cache = team.builder().layer(limit(700)).layer(retry()).open().unwrap();
    for (face, size) in Face::both(&cache).iter().flat_map(|face| [100, LARGE].map(|size| (face, size))) {
        let (old, new) = (bytes(1, size), bytes(2, size));
        team.elsewhere().put("key", &old).unwrap();
        team.postgres.inject_times(1, Fault::DropReplies(NEEDLE.into()));
        let error = within(Duration::from_secs(15), || face.put_with("key", &new, marked()).unwrap_err());
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, false), "{error}");
        assert!(line(&error).contains("may have happened"), "{error}");
        team.heal();
        team.check_swept();
        let there = team.elsewhere().get::<Vec<u8>>("key").unwrap();
        assert!(there.as_ref() == Some(&old) || there.as_ref() == Some(&new), "{size}");
    }
}

#[test]
fn a_batch_that_is_cut_is_there_whole_or_not_at_all() {
    let team = Team::new();
    let cache = team.builder().open().unwrap();
    let batch = |seed: u64| -> Vec<(u64, Vec<u8>)> {
        // Some ride in the index, some are blobs, and all together do not fit into one piece on the way.
        (0..40).map(|key| (key, bytes(seed + key, if key % 8 == 0 { 20_000 } else { 1500 }))).collect()
    };
    let mut there = batch(0);
    cache.put_many(&there).unwrap();
    let cut = |after| Fault::Reset { direction: Direction::Requests, after };
    let faults = [
        Fault::CutBefore(COMMIT.to_vec()),
        Fault::CutAfter(COMMIT.to_vec()),
        cut(0),
        cut(300),
        cut(5000),
        cut(20_000),
        cut(45_000),
        Fault::Reset { direction: Direction::Replies, after: 0 },
        Fault::Reset { direction: Direction::Replies, after: 500 },
    ];
    let (mut stored, mut refused) = (0, 0);
    for (seed, (fault, face)) in (1_u64..).zip(faults.iter().flat_map(|fault| Face::both(&cache).map(|f| (fault, f)))) {
        let new = batch(1000 * seed);
        team.postgres.inject_times(1, fault.clone());
        let put = face.put_many(&new);
        team.heal();
        if let Err(error) = &put {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", line(error));
        }
        let got = cache.get_many::<Vec<u8>, _>(0..40_u64).unwrap();
        let is = |batch: &[(u64, Vec<u8>)]| batch.iter().zip(&got).all(|((_, value), got)| got.as_ref() == Some(value));
        match (is(&there), is(&new)) {
            (true, _) => {
                assert!(put.is_err(), "{fault:?}: what was acknowledged is not there");
                refused += 1;
            }
            (_, true) => {
                there = new;
                stored += 1;
            }
            _ => panic!("{fault:?} left a part of a batch"),
        }
    }
    assert!(refused >= 2, "{stored} were stored and {refused} were not");
    team.check_swept();
    let (new, other) = (batch(1), team.elsewhere());
    let seen = || other.get::<Vec<u8>>(39_u64).unwrap().as_ref() == Some(&new[39].1);
    let error = cut_before_the_answer(&team, COMMIT, || cache.put_many(&new), seen).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false), "{}", line(&error));
    team.check_swept();
    let got = cache.get_many::<Vec<u8>, _>(0..40_u64).unwrap();
    assert!(new.iter().zip(got).all(|((_, value), got)| got.as_ref() == Some(value)));
}

#[test]
fn many_who_lose_their_commits_at_once_leave_nothing_torn() {
    let team = Team::new();
    let cache = team.builder_with("&pool_size=4", "").layer(retry()).open().unwrap();
    let value =
        |round: u64, caller: u64| bytes(100 * round + caller, if caller.is_multiple_of(2) { 500 } else { 50_000 });
    let mut there: Vec<_> = (0..8).map(|caller| value(0, caller)).collect();
    for (caller, value) in (0..8_u64).zip(&there) {
        cache.put(caller, value).unwrap();
    }
    for round in 1..4 {
        team.postgres.inject_times(4, Fault::CutAfter(NEEDLE.into()));
        let put = |caller| cache.put_with(caller, &value(round, caller), marked());
        let puts: Vec<_> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8_u64).map(|caller| scope.spawn(move || put(caller))).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        team.heal();
        assert!(puts.iter().filter(|put| put.is_err()).count() >= 4, "{puts:?}");
        team.check_swept();
        for ((caller, there), put) in (0..8).zip(&mut there).zip(puts) {
            let (got, new) = (cache.get::<Vec<u8>>(caller).unwrap(), value(round, caller));
            let is_old = put.is_err() && got.as_ref() == Some(there);
            assert!(is_old || got.as_ref() == Some(&new), "{caller}");
            there.clone_from(&got.unwrap());
        }
    }
}

#[test]
fn a_commit_that_was_given_up_changes_nothing_when_it_arrives_at_last() {
    let team = Team::new();
    let other = team.elsewhere();
    let cache = team.builder().layer(limit(300)).open().unwrap();
    for (size, removes) in [100, LARGE].into_iter().flat_map(|size| [(size, false), (size, true)]) {
        let [old, given_up, new] = [1, 2, 3].map(|seed| bytes(seed, size));
        other.put("key", &old).unwrap();
        team.postgres.inject(Fault::Stall(None));
        let error = cache.put_with("key", &given_up, marked()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{}", line(&error));
        // What others are told is done must stay done.
        if removes {
            other.invalidate("key").unwrap();
        } else {
            other.put("key", &new).unwrap();
        }
        let there = (!removes).then_some(new);
        team.heal();
        for _ in 0..30 {
            assert!(other.get::<Vec<u8>>("key").unwrap() == there, "{size} {removes}");
            std::thread::sleep(Duration::from_millis(10));
        }
        team.check_swept();
    }
}
