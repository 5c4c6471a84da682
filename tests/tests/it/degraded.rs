//! A cache that goes on without its backends: nobody fails, and nothing old comes back.

use crate::support::noise;
use cacheness::core::runtime::block_on;
use cacheness::{CopyOptions, ErrorKind, Filter, MemoryConfig, OnBackendError, PutOptions, Query, future, sync::Cache};
use cacheness_tests::scripted::Script;
use cacheness_tests::sick::{Kind, Sick};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SICK: [ErrorKind; 7] = [
    ErrorKind::Unavailable,
    ErrorKind::Timeout,
    ErrorKind::CircuitOpen,
    ErrorKind::Storage,
    ErrorKind::Metadata,
    ErrorKind::OutOfSpace,
    ErrorKind::Permission,
];

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

fn tagged() -> PutOptions {
    PutOptions::new().tags(["tag"])
}

/// What operations come to that find nothing and change nothing.
macro_rules! as_if_nothing_was_there {
    ($cache:ident, $done:ident) => {
        assert_eq!($done!($cache.get::<i32>("key")), None);
        assert_eq!($done!($cache.get_shared::<i32>("key")), None);
        assert_eq!($done!($cache.get_many::<i32, _>(["key", "other"])), [None, None]);
        assert!($done!($cache.get_with_metadata::<i32>("key")).is_none());
        assert!($done!($cache.get_reader("key")).is_none());
        assert!(!$done!($cache.exists("key")));
        assert!($done!($cache.metadata("key")).is_none());
        assert!($done!($cache.ttl("key")).is_none());
        $done!($cache.put("key", &1));
        $done!($cache.put("large", &noise(50_000)));
        assert_eq!($done!($cache.put_many(&[("a", 1), ("b", 2)])).len(), 2);
        assert!(!$done!($cache.put_if_absent("key", &1)));
        assert!(!$done!($cache.update("key", &1)));
        assert!(!$done!($cache.touch("key", Some(HOUR))));
        assert!(!$done!($cache.copy("key", "copy")));
        assert!(!$done!($cache.rename_with("key", "copy", CopyOptions::new().overwrite(true))));
        assert!(!$done!($cache.invalidate("key")));
        assert_eq!($done!($cache.invalidate_many(["key", "other"])), 0);
        assert_eq!($done!($cache.invalidate_where(&Filter::All)), 0);
        $done!($cache.invalidate_tag("tag"));
        assert_eq!($done!($cache.clear()), 0);
        assert_eq!($done!($cache.cleanup_expired()), 0);
        assert_eq!($done!($cache.stats()).misses(), 0);
    };
}

macro_rules! now {
    ($answer:expr) => {
        $answer.unwrap()
    };
}

macro_rules! awaited {
    ($answer:expr) => {
        $answer.await.unwrap()
    };
}

#[test]
fn without_its_backends_a_cache_is_as_if_empty_and_never_fails() {
    for (kind, error) in Kind::ALL.into_iter().flat_map(|kind| SICK.map(|error| (kind, error))) {
        let sick = Sick::new(kind);
        let cache = sick.builder().no_memory().open().unwrap();
        cache.put_with("key", &7, tagged()).unwrap();
        assert_eq!(cache.get("key").unwrap(), Some(7));
        sick.script.fail(error);
        as_if_nothing_was_there!(cache, now);
        let awaited = future::Cache::from(cache.clone());
        block_on(async {
            as_if_nothing_was_there!(awaited, awaited);
            assert_eq!(awaited.get_or_put("key", async || 5).await.unwrap(), 5);
        });
        assert_eq!(cache.get_or_put("key", || 5).unwrap(), 5);
        let stats = cache.stats().unwrap();
        assert_eq!((stats.hits, stats.misses(), stats.puts), (1, 0, 1), "{kind:?} {error:?}");
        assert!((stats.hit_rate() - 1.0).abs() < f64::EPSILON);
        assert!(stats.backend_errors["get"] > 8 && stats.backend_errors["put"] > 6, "{:?}", stats.backend_errors);
        assert!(stats.owed > 0 && stats.to_string().contains("deletes owed"), "{stats}");
        sick.heal();
        assert_eq!(cache.get::<i32>("key").unwrap(), None);
        assert_eq!(cache.stats().unwrap().owed, 0, "{kind:?} {error:?}");
        cache.put("key", &9).unwrap();
        assert_eq!(cache.get("key").unwrap(), Some(9));
        assert_eq!(sick.other().get("key").unwrap(), Some(9));
    }
}

#[test]
fn unless_it_is_told_to_go_on_a_cache_fails_with_its_backends() {
    for error in SICK {
        let sick = Sick::new(Kind::Shared);
        let cache = sick.builder_by(&sick.script).open().unwrap();
        cache.put("key", &7).unwrap();
        sick.script.fail(error);
        assert_eq!(cache.get::<i32>("key").unwrap_err().kind(), error);
        assert_eq!(cache.put("key", &8).unwrap_err().kind(), error);
        assert_eq!(cache.invalidate("key").unwrap_err().kind(), error);
        assert_eq!(cache.get_or_put("key", || 1).unwrap_err().kind(), error);
        sick.script.heal();
        assert_eq!(cache.get("key").unwrap(), Some(7), "what failed changed nothing");
        assert_eq!(cache.stats().unwrap().backend_errors["get"], 2);
    }
}

#[test]
fn what_is_no_sickness_is_an_error_all_the_same() {
    for error in [ErrorKind::Internal, ErrorKind::Conflict, ErrorKind::Unsupported, ErrorKind::ForeignStore] {
        let sick = Sick::new(Kind::Memory);
        let cache = sick.builder().no_memory().open().unwrap();
        cache.put("key", &7).unwrap();
        sick.script.fail(error);
        assert_eq!(cache.get::<i32>("key").unwrap_err().kind(), error);
        assert_eq!(cache.put("key", &8).unwrap_err().kind(), error);
        assert_eq!(cache.invalidate("key").unwrap_err().kind(), error);
    }
    let sick = Sick::new(Kind::Memory);
    let cache = sick.builder().max_size(1000).open().unwrap();
    sick.script.fail(ErrorKind::Unavailable);
    assert_eq!(cache.put("key", &noise(5000)).unwrap_err().kind(), ErrorKind::TooLarge);
    let zero = PutOptions::new().ttl(Duration::ZERO);
    assert_eq!(cache.put_with("key", &1, zero).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(cache.entries(&Query::new()).unwrap_err().kind(), ErrorKind::Unavailable, "there is no other answer");
    cache.close().unwrap();
    assert_eq!(cache.get::<i32>("key").unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_store_that_cannot_be_reached_does_not_open() {
    let sick = Sick::new(Kind::Shared);
    sick.script.fail(ErrorKind::Unavailable);
    assert_eq!(sick.builder().open().unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Fails after some bytes.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Ok(buffer.len())
            }
            None => Err(io::Error::other("the caller's own")),
        }
    }
}

#[test]
fn a_reader_of_the_callers_that_fails_is_an_error_and_no_sickness() {
    let sick = Sick::new(Kind::Sqlite);
    let cache = sick.open();
    cache.put_reader("key", &b"old"[..]).unwrap();
    for blocks in [0, 3] {
        assert_eq!(cache.put_reader("key", Broken(blocks)).unwrap_err().kind(), ErrorKind::Storage);
    }
    assert_eq!(cache.get("key").unwrap(), Some(b"old".to_vec()));
    assert_eq!(cache.stats().unwrap().owed, 0);
}

/// What is done to "key", "pair" and others while the backends are sick.
type Act = (&'static str, fn(&Cache));

const ACTS: [Act; 11] = [
    ("invalidate", |cache| assert!(!cache.invalidate("key").unwrap())),
    ("invalidate_many", |cache| assert_eq!(cache.invalidate_many(["key", "pair"]).unwrap(), 0)),
    ("invalidate_where", |cache| {
        assert_eq!(cache.invalidate_where(&Filter::eq(cacheness::Field::Tag, "tag")).unwrap(), 0)
    }),
    ("invalidate_tag", |cache| cache.invalidate_tag("tag").unwrap()),
    ("clear", |cache| assert_eq!(cache.clear().unwrap(), 0)),
    ("put", |cache| _ = cache.put("key", "lost").unwrap()),
    ("put_with", |cache| _ = cache.put_with("key", "lost", tagged()).unwrap()),
    ("put_many", |cache| _ = cache.put_many(&[("key", "lost".to_owned())]).unwrap()),
    ("put of a blob", |cache| _ = cache.put("key", &noise(50_000)).unwrap()),
    ("update", |cache| assert!(!cache.update("key", "lost").unwrap())),
    ("update_many", |cache| assert_eq!(cache.update_many(&[("key", "lost".to_owned())]).unwrap(), 0)),
];

/// How the backends are sick.
type Illness = (&'static str, fn(&Script));

const ILLNESSES: [Illness; 4] = [
    ("nothing answers", |script| script.fail(ErrorKind::Unavailable)),
    ("nothing can be written", |script| script.fail_only(ErrorKind::OutOfSpace, &["commit", "reclaim", "blob put"])),
    ("replies are lost", |script| script.lose_replies_of(&["commit", "reclaim"])),
    ("nothing is answered in time", |script| script.fail(ErrorKind::Timeout)),
];

fn is_gone(cache: &Cache) {
    assert_eq!(cache.get::<String>("key").unwrap(), None);
    assert_eq!(cache.get_shared::<String>("key").unwrap(), None);
    assert!(!cache.exists("key").unwrap());
    assert!(cache.metadata("key").unwrap().is_none());
    assert_eq!(cache.get_many::<String, _>(["key"]).unwrap(), [None]);
    assert!(!cache.copy("key", "elsewhere").unwrap());
    assert!(!cache.touch("key", Some(HOUR)).unwrap());
}

#[test]
fn nothing_old_comes_back_after_a_change_that_did_not_reach_the_store() {
    for kind in Kind::ALL {
        for ((name, act), (illness, fall_sick)) in ACTS.iter().flat_map(|act| ILLNESSES.map(|illness| (*act, illness)))
        {
            let what = format!("{kind:?}, {name}, {illness}");
            let sick = Sick::new(kind);
            let (cache, other) = (sick.open(), sick.other());
            cache.put_with("key", "old", tagged()).unwrap();
            cache.put_with("pair", "old", tagged()).unwrap();
            assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("old"));
            assert_eq!(*cache.get_shared::<String>("key").unwrap().unwrap(), "old");
            fall_sick(&sick.script);
            act(&cache);
            is_gone(&cache);
            // Reads are answered again, and writes are not.
            sick.script.fail_only(ErrorKind::Unavailable, &["commit", "reclaim"]);
            is_gone(&cache);
            sick.heal();
            is_gone(&cache);
            assert_eq!(cache.stats().unwrap().owed, 0, "{what}");
            assert_eq!(other.get::<String>("key").unwrap(), None, "{what}");
            assert_eq!(sick.other().get::<String>("key").unwrap(), None, "{what}");
            cache.put("key", "new").unwrap();
            sick.clock.advance(10 * SECOND);
            assert_eq!(cache.get::<String>("key").unwrap().as_deref(), Some("new"), "{what}");
            assert_eq!(other.get::<String>("key").unwrap().as_deref(), Some("new"), "{what}");
        }
    }
}

#[test]
fn what_does_not_concern_a_delete_is_served_while_it_waits() {
    for kind in Kind::ALL {
        let sick = Sick::new(kind);
        let cache = sick.builder().no_memory().open().unwrap();
        let (red, blue) = (cache.namespace("red").unwrap(), cache.namespace("blue").unwrap());
        for cache in [&cache, &red, &blue] {
            cache.put("key", &1).unwrap();
            cache.put("other", &2).unwrap();
        }
        sick.script.fail_only(ErrorKind::Unavailable, &["commit", "reclaim"]);
        cache.invalidate("key").unwrap();
        assert_eq!((cache.get::<i32>("key").unwrap(), cache.get::<i32>("other").unwrap()), (None, Some(2)));
        assert_eq!(red.get::<i32>("key").unwrap(), Some(1));
        red.clear().unwrap();
        assert_eq!((red.get::<i32>("key").unwrap(), red.get::<i32>("other").unwrap()), (None, None));
        assert_eq!((blue.get::<i32>("key").unwrap(), cache.get::<i32>("other").unwrap()), (Some(1), Some(2)));
        sick.heal();
        cache.flush().unwrap();
        assert_eq!((red.get::<i32>("other").unwrap(), blue.get::<i32>("other").unwrap()), (None, Some(2)), "{kind:?}");
        assert_eq!((cache.get::<i32>("key").unwrap(), cache.get::<i32>("other").unwrap()), (None, Some(2)), "{kind:?}");
    }
}

#[test]
fn what_others_put_after_a_delete_stays_and_what_they_put_before_goes() {
    for kind in Kind::ALL {
        for clears in [false, true] {
            let sick = Sick::new(kind);
            let (cache, other) = (sick.open(), sick.other());
            let delete = |key: &str| if clears { cache.clear().map(drop) } else { cache.invalidate(key).map(drop) };
            other.put("late", &1).unwrap();
            other.put("early", &1).unwrap();
            sick.script.fail(ErrorKind::Unavailable);
            delete("late").unwrap();
            delete("early").unwrap();
            sick.clock.advance(2 * SECOND);
            other.put("late", &2).unwrap();
            assert!(other.touch("early", Some(HOUR)).unwrap(), "what is touched is not put");
            sick.heal();
            cache.flush().unwrap();
            assert_eq!(other.get("late").unwrap(), Some(2), "{kind:?}");
            assert_eq!(cache.get("late").unwrap(), Some(2), "{kind:?}");
            assert_eq!(
                (other.get::<i32>("early").unwrap(), cache.get::<i32>("early").unwrap()),
                (None, None),
                "{kind:?}"
            );
        }
    }
}

#[test]
fn too_many_deletes_become_one_that_means_more() {
    for in_namespace in [true, false] {
        let sick = Sick::new(Kind::Memory);
        let whole = sick.open();
        let (red, blue) = (whole.namespace("red").unwrap(), whole.namespace("blue").unwrap());
        red.put(1, "old").unwrap();
        blue.put(1, "old").unwrap();
        sick.script.fail(ErrorKind::Unavailable);
        red.invalidate_many(0..60_000).unwrap();
        assert_eq!(whole.stats().unwrap().owed, 60_000);
        let last = if in_namespace { &red } else { &blue };
        last.invalidate_many(60_000..120_000).unwrap();
        assert_eq!(whole.stats().unwrap().owed, 1);
        for number in 0..1000 {
            let filter = Filter::eq(cacheness::Field::Tag, format!("{number}").as_str());
            red.invalidate_where(&filter).unwrap();
            red.invalidate_tag("tag").unwrap();
        }
        assert!(whole.stats().unwrap().owed <= 256);
        sick.heal();
        whole.flush().unwrap();
        assert_eq!(red.get::<String>(1).unwrap(), None);
        assert_eq!(blue.get::<String>(1).unwrap().is_some(), in_namespace);
    }
}

#[test]
fn deletes_are_delivered_without_anybody_asking() {
    let sick = Sick::new(Kind::Shared);
    let (cache, other) = (sick.open(), sick.other());
    cache.put("key", "old").unwrap();
    sick.script.fail(ErrorKind::Unavailable);
    cache.invalidate("key").unwrap();
    cache.invalidate_tag("tag").unwrap();
    cache.namespace("red").unwrap().clear().unwrap();
    sick.script.heal();
    let deadline = Instant::now() + Duration::from_secs(60);
    while other.exists("key").unwrap() && Instant::now() < deadline {
        thread::yield_now();
    }
    assert!(!other.exists("key").unwrap());
}

#[test]
fn flush_and_close_say_what_they_could_not_deliver() {
    let sick = Sick::new(Kind::Sqlite);
    let cache = sick.open();
    cache.put("key", "old").unwrap();
    sick.script.fail(ErrorKind::Unavailable);
    cache.invalidate("key").unwrap();
    cache.put("other", "lost").unwrap();
    assert_eq!(cache.flush().unwrap_err().kind(), ErrorKind::Unavailable);
    let error = cache.close().unwrap_err();
    assert!(error.to_string().contains("2 deletes did not reach the index"), "{error}");
    cache.close().unwrap();
}

#[test]
fn a_close_delivers_what_it_can() {
    let sick = Sick::new(Kind::Json);
    let cache = sick.open();
    cache.put("key", "old").unwrap();
    sick.script.fail(ErrorKind::Unavailable);
    cache.invalidate("key").unwrap();
    sick.script.heal();
    cache.flush().unwrap();
    assert_eq!(sick.other().get::<String>("key").unwrap(), None);
    cache.close().unwrap();
}

#[test]
fn without_its_backends_everybody_computes_for_himself() {
    for kind in Kind::ALL {
        let sick = Sick::new(kind);
        let cache = sick.open();
        let computed = AtomicU64::new(0);
        sick.script.fail(ErrorKind::Unavailable);
        let all = || {
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        cache.get_or_put("key", || computed.fetch_add(1, Ordering::Relaxed)).unwrap();
                    });
                }
            });
        };
        all();
        assert_eq!(computed.load(Ordering::Relaxed), 8, "{kind:?}");
        let failed = cache.try_get_or_put::<i32, _>("key", || Err("no")).unwrap();
        assert_eq!(failed, Err("no"));
        // Only writes fail: what is computed is returned, and not stored.
        sick.script.fail_only(ErrorKind::OutOfSpace, &["commit"]);
        all();
        assert!(computed.load(Ordering::Relaxed) > 8);
        assert_eq!(cache.stats().unwrap().owed, 0, "what was not there is not owed");
        sick.heal();
        assert_eq!(cache.get::<u64>("key").unwrap(), None);
        assert_eq!(cache.get_or_put("key", || 7).unwrap(), 7);
        assert_eq!(cache.get_or_put("key", || 9).unwrap(), 7, "{kind:?}");
    }
}

#[test]
fn what_was_being_computed_when_a_delete_failed_is_not_stored() {
    let deletes: [fn(&Cache); 5] = [
        |cache| assert!(!cache.invalidate("key").unwrap()),
        |cache| assert_eq!(cache.invalidate_many(["key"]).unwrap(), 0),
        |cache| assert_eq!(cache.clear().unwrap(), 0),
        |cache| cache.invalidate_tag("tag").unwrap(),
        |cache| _ = cache.put_many(&[("key", 2)]).unwrap(),
    ];
    for (kind, delete) in Kind::ALL.into_iter().flat_map(|kind| deletes.map(|delete| (kind, delete))) {
        let sick = Sick::new(kind);
        let cache = sick.open();
        let computed = cache.get_or_put("key", || {
            sick.script.fail(ErrorKind::Unavailable);
            // What is owed already keeps the next from being tried.
            cache.invalidate("other").unwrap();
            delete(&cache);
            sick.heal();
            1
        });
        assert_eq!(computed.unwrap(), 1);
        assert_eq!(cache.get::<i32>("key").unwrap(), None, "{kind:?}");
        assert_eq!(sick.other().get::<i32>("key").unwrap(), None, "{kind:?}");
    }
}

#[test]
fn a_copy_that_cannot_be_proven_is_not_served_and_not_lost() {
    let sick = Sick::new(Kind::Shared);
    let cache = sick.open();
    cache.put("key", &7).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(7));
    sick.script.fail(ErrorKind::Unavailable);
    assert_eq!(cache.get::<i32>("key").unwrap(), None);
    sick.script.heal();
    let hits = || cache.stats().unwrap().memory.unwrap().hits;
    let before = hits();
    assert_eq!(cache.get("key").unwrap(), Some(7));
    assert_eq!(hits(), before + 1, "the copy was still there");
    // Where staleness is allowed, a copy needs no proof.
    let memory = MemoryConfig::new().staleness(HOUR);
    let stale = sick.builder().memory(memory).open().unwrap();
    assert_eq!(stale.get("key").unwrap(), Some(7));
    sick.script.fail(ErrorKind::Unavailable);
    assert_eq!(stale.get("key").unwrap(), Some(7));
    assert_eq!(stale.get_or_put("key", || 9).unwrap(), 7);
    stale.invalidate("key").unwrap();
    assert_eq!(stale.get::<i32>("key").unwrap(), None);
}

#[test]
fn copies_that_may_be_stale_go_with_a_delete_whose_reply_is_lost() {
    let deletes: [fn(&Cache); 4] = [
        |cache| assert_eq!(cache.clear().unwrap(), 0),
        |cache| assert_eq!(cache.invalidate_where(&Filter::All).unwrap(), 0),
        |cache| assert!(!cache.invalidate("key").unwrap()),
        |cache| cache.invalidate_tag("tag").unwrap(),
    ];
    for (kind, delete) in Kind::ALL.into_iter().flat_map(|kind| deletes.map(|delete| (kind, delete))) {
        let sick = Sick::new(kind);
        let cache = sick.builder().memory(MemoryConfig::new().staleness(HOUR)).open().unwrap();
        cache.put_with("key", &7, tagged()).unwrap();
        assert_eq!(cache.get("key").unwrap(), Some(7));
        sick.script.lose_replies_of(&["commit", "reclaim"]);
        delete(&cache);
        sick.heal();
        cache.flush().unwrap();
        assert_eq!(cache.get::<i32>("key").unwrap(), None, "{kind:?}");
    }
}

#[test]
fn a_cache_that_may_not_write_owes_nothing() {
    let sick = Sick::new(Kind::Sqlite);
    sick.open().put("key", &7).unwrap();
    let cache = sick.builder().read_only(true).no_memory().open().unwrap();
    sick.script.fail(ErrorKind::Unavailable);
    assert_eq!(cache.get::<i32>("key").unwrap(), None);
    assert_eq!(cache.invalidate("key").unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(cache.put("key", &8).unwrap_err().kind(), ErrorKind::ReadOnly);
    sick.script.heal();
    assert_eq!((cache.get("key").unwrap(), cache.stats().unwrap().owed), (Some(7), 0));
}

/// Random numbers, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn whatever_fails_and_when_a_get_finds_what_was_put_last_or_nothing() {
    for (kind, seed) in Kind::ALL.into_iter().flat_map(|kind| (1..=12).map(move |seed| (kind, seed))) {
        let (sick, mut chance) = (Sick::new(kind), Chance(0x9e37_79b9_7f4a_7c15 ^ (seed << 32)));
        let cache = sick.open();
        // What may be found under each key, besides nothing, and which of it has the tag.
        let (mut last, mut tags): ([Option<u64>; 4], _) = ([None; 4], [false; 4]);
        for step in 0..250_u64 {
            let key = chance.below(4) as usize;
            match chance.below(14) {
                0..4 => {
                    cache.put_with(key, &step, tagged()).unwrap();
                    (last[key], tags[key]) = (Some(step), true);
                }
                4 => {
                    cache.invalidate(key).unwrap();
                    last[key] = None;
                }
                5 => {
                    cache.put_many(&[(key, step), ((key + 1) % 4, step)]).unwrap();
                    for key in [key, (key + 1) % 4] {
                        (last[key], tags[key]) = (Some(step), false);
                    }
                }
                6 => match chance.below(4) {
                    0 => {
                        cache.invalidate_tag("tag").unwrap();
                        (0..4).filter(|key| tags[*key]).for_each(|key| last[key] = None);
                    }
                    1 => {
                        cache.clear().unwrap();
                        last = [None; 4];
                    }
                    2 => {
                        cache.invalidate_many([key, (key + 1) % 4]).unwrap();
                        (last[key], last[(key + 1) % 4]) = (None, None);
                    }
                    _ => {
                        cache.invalidate_where(&Filter::All).unwrap();
                        last = [None; 4];
                    }
                },
                7 => sick.script.fail(ErrorKind::Unavailable),
                8 => sick.script.lose_replies_of(&["commit", "reclaim"]),
                9 => sick.script.fail_only(ErrorKind::Timeout, &["commit", "blob put"]),
                10 => sick.script.heal(),
                11 => sick.heal(),
                _ => sick.clock.advance(Duration::from_millis(chance.below(3000))),
            }
            for (key, last) in last.iter().enumerate() {
                let found = cache.get::<u64>(key).unwrap();
                assert!(found.is_none() || found == *last, "{kind:?} {seed} {step}: {found:?}, not {last:?}");
            }
        }
        sick.heal();
        cache.flush().unwrap();
        for (key, last) in last.iter().enumerate() {
            let found = sick.other().get::<u64>(key).unwrap();
            assert!(found.is_none() || found == *last, "{kind:?} {seed}: {found:?}, not {last:?}");
        }
        cache.put(0, &1_u64).unwrap();
        assert_eq!(sick.other().get(0).unwrap(), Some(1_u64), "{kind:?} {seed}");
        assert_eq!(cache.stats().unwrap().misses_because(cacheness::MissReason::Corrupt), 0);
    }
}

#[test]
fn under_load_nothing_old_comes_back_either() {
    let sick = Sick::new(Kind::Shared);
    let cache = sick.builder_by(&sick.script).on_backend_error(OnBackendError::Miss).open().unwrap();
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (cache, done) = (&cache, &done);
            scope.spawn(move || {
                for step in 0..400_u64 {
                    cache.put(worker, &step).unwrap();
                    let found = cache.get::<u64>(worker).unwrap();
                    assert!(found.is_none() || found == Some(step), "{worker} {step}: {found:?}");
                    if step % 3 == 0 {
                        cache.invalidate(worker).unwrap();
                        assert_eq!(cache.get::<u64>(worker).unwrap(), None, "{worker} {step}");
                    }
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        let mut chance = Chance(7);
        while done.load(Ordering::Relaxed) < 4 {
            match chance.below(3) {
                0 => sick.script.fail(ErrorKind::Unavailable),
                1 => sick.script.lose_replies_of(&["commit"]),
                _ => sick.heal(),
            }
            thread::yield_now();
        }
    });
    sick.heal();
    cache.flush().unwrap();
    for worker in 0..4_u64 {
        let found = sick.other().get::<u64>(worker).unwrap();
        assert!(found.is_none(), "the last step invalidated: {found:?}");
    }
}
