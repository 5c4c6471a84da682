//! Blobs whose transfer breaks off, in the middle of a body or without a sign at its end.

use crate::common::{Face, LARGE, Team, bytes, line, retry};
use cacheness::ErrorKind;
use cacheness_testkit::proxy::{Answer, Direction, Fault};

/// Uploaded in three parts, with the smallest parts there are.
const IN_PARTS: usize = 11 << 20;
const PARTS: &str = "&multipart_threshold=5242880&part_size=5242880&concurrency=2";

/// Downloaded into a file, in parts of which the first is short.
const INTO_A_FILE: &str = "&memory_limit=65536";

#[test]
fn an_upload_that_is_reset_in_its_body_is_made_again() {
    let team = Team::new();
    let retry = retry();
    let by_layer = team.builder_with("", "&max_attempts=1").layer(retry.clone()).open().unwrap();
    let by_sdk = team.builder().open().unwrap();
    for cache in [&by_layer, &by_sdk] {
        for face in Face::both(cache) {
            for (number, after) in [0, 1, 10_000, LARGE as u64 / 2, LARGE as u64].into_iter().enumerate() {
                let strikes = team.s3.strikes();
                let value = bytes(after, LARGE);
                team.s3.inject_times(1, Fault::Reset { direction: Direction::Requests, after });
                face.put("key", &value).unwrap_or_else(|error| panic!("{number}: {error}"));
                assert_eq!(team.s3.strikes() - strikes, 1, "{after}");
                team.s3.heal();
                assert!(face.get("key").unwrap().as_ref() == Some(&value), "{after}");
            }
        }
    }
    assert_eq!((retry.stats().recovered, retry.stats().gave_up), (10, 0), "{:?}", retry.stats());
    team.check_swept();
}

#[test]
fn an_upload_that_is_always_reset_fails_and_leaves_the_old_value() {
    let team = Team::new();
    let cache = team.builder_with("", "&max_attempts=1").layer(retry().max(1)).open().unwrap();
    let old = bytes(1, LARGE);
    cache.put("key", &old).unwrap();
    for face in Face::both(&cache) {
        team.s3.inject(Fault::Reset { direction: Direction::Requests, after: 100_000 });
        let error = face.put("key", &bytes(2, LARGE)).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{}", line(&error));
        team.s3.heal();
        assert!(face.get("key").unwrap().as_ref() == Some(&old));
    }
    team.check_swept();
}

#[test]
fn a_put_whose_answer_is_lost_is_stored_once() {
    let team = Team::new();
    let retry = retry();
    let cache = team.builder_with("", "&max_attempts=1").layer(retry.clone()).open().unwrap();
    for face in Face::both(&cache) {
        let value = bytes(1, LARGE);
        // The first words of the body's request line are on their way; the store has done it when its answer is lost.
        team.s3.inject_times(1, Fault::CutAfter(b"PUT /".to_vec()));
        face.put("key", &value).unwrap();
        team.s3.heal();
        assert!(face.get("key").unwrap().as_ref() == Some(&value));
    }
    assert_eq!((retry.stats().recovered, retry.stats().gave_up), (2, 0), "{:?}", retry.stats());
    team.check_swept();
}

#[test]
fn an_upload_in_parts_survives_a_part_and_leaves_nothing_when_it_fails() {
    let team = Team::new();
    let cache = team.builder_with("", PARTS).open().unwrap();
    let old = bytes(1, IN_PARTS);
    let part = || team.requests().method("PUT").containing("partNumber=2");
    team.s3.inject_times(1, Fault::Answer(part(), Answer::internal_error()));
    cache.put("key", &old).unwrap();
    assert_eq!(team.s3.strikes(), 1);
    assert!(cache.get::<Vec<u8>>("key").unwrap().as_ref() == Some(&old));

    // Neither the part nor the end of the upload gets through.
    team.s3.inject(Fault::Answer(part(), Answer::internal_error()));
    team.s3.inject(Fault::Answer(team.requests().method("DELETE"), Answer::slow_down()));
    let error = cache.put("key", &bytes(2, IN_PARTS)).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{}", line(&error));
    team.heal();
    let swept = team.elsewhere().sweep().unwrap();
    assert_eq!(swept.remnants, 1, "the upload: {swept:?}");
    assert!(cache.get::<Vec<u8>>("key").unwrap().as_ref() == Some(&old));
    team.check_swept();
}

#[test]
fn a_download_that_is_reset_in_its_body_is_made_again() {
    let team = Team::new();
    let retry = retry();
    let value = bytes(1, LARGE);
    team.elsewhere().put("key", &value).unwrap();
    for options in ["", INTO_A_FILE] {
        let by_layer = team.builder_with("", &format!("&max_attempts=1{options}")).layer(retry.clone()).open().unwrap();
        let by_sdk = team.builder_with("", options).open().unwrap();
        for cache in [&by_layer, &by_sdk] {
            for face in Face::both(cache) {
                for after in [0, 10, 20_000, 60_000, LARGE as u64 / 2] {
                    let strikes = team.s3.strikes();
                    team.s3.inject_times(1, Fault::Reset { direction: Direction::Replies, after });
                    assert!(face.get("key").unwrap().as_ref() == Some(&value), "{after} {options}");
                    assert_eq!(team.s3.strikes() - strikes, 1, "{after} {options}");
                    team.s3.heal();
                }
            }
        }
    }
    assert_eq!((retry.stats().recovered, retry.stats().gave_up), (20, 0), "{:?}", retry.stats());
}

#[test]
fn an_answer_that_ends_before_its_length_is_never_a_short_value() {
    let team = Team::new();
    let value = bytes(1, LARGE);
    team.elsewhere().put("key", &value).unwrap();
    for options in ["", INTO_A_FILE] {
        let cache = team.builder_with("", &format!("&max_attempts=2{options}")).open().unwrap();
        for face in Face::both(&cache) {
            for through in [0, 1, 1000, 65_535] {
                let truncate = || Fault::Truncate(team.requests().method("GET"), through);
                team.s3.inject_times(1, truncate());
                assert!(face.get("key").unwrap().as_ref() == Some(&value), "{through} {options}");
                team.s3.heal();
                team.s3.inject(truncate());
                let error = face.get("key").unwrap_err();
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
                line(&error);
                team.s3.heal();
            }
        }
        team.s3.inject(Fault::Truncate(team.requests().method("GET"), 1000));
        assert_eq!(cache.get_reader("key").unwrap_err().kind(), ErrorKind::Unavailable);
        team.s3.heal();
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut cache.get_reader("key").unwrap().unwrap(), &mut read).unwrap();
        assert!(read.len() >= LARGE);
    }
    team.check_swept();
}

#[test]
fn a_sweep_that_is_cut_off_deletes_nothing_that_is_named_and_the_next_one_ends_it() {
    let team = Team::new();
    let cache = team.builder_with("", "&max_attempts=1").open().unwrap();
    for round in 0..2_u64 {
        for key in 0..6_u64 {
            cache.put(key, &bytes(key + 10 * round, LARGE)).unwrap();
        }
    }
    for (proxy, direction, after) in [
        (&team.s3, Direction::Replies, 0),
        (&team.s3, Direction::Replies, 700),
        (&team.s3, Direction::Requests, 1500),
        (&team.postgres, Direction::Replies, 300),
        (&team.postgres, Direction::Requests, 600),
    ] {
        proxy.inject_times(1, Fault::Reset { direction, after });
        if let Err(error) = cache.sweep() {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", line(&error));
        }
        team.heal();
        for key in 0..6_u64 {
            assert!(cache.get::<Vec<u8>>(key).unwrap() == Some(bytes(key + 10, LARGE)), "{key} after {after}");
        }
    }
    team.check_swept();
}
