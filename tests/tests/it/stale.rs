//! `get_or_put_with`: negative results, stale values, and refreshing early, at the very moments where they begin and end.

use crate::support::Place;
use cacheness::core::runtime::block_on;
use cacheness::core::{Rng, SystemRng};
use cacheness::sync::Cache;
use cacheness::{ComputeOptions, ErrorKind, Filter, MissReason, PutOptions, Query, Result, future};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What waits for ever where a guard is gone fails after this.
const LONG: Duration = Duration::from_secs(60);

/// How long a call that must wait is seen to wait.
const SILENCE: Duration = Duration::from_millis(300);

const TTL: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(5);
const MOMENT: Duration = Duration::from_micros(1);

fn lived() -> PutOptions {
    PutOptions::new().ttl(TTL)
}

fn revalidating() -> ComputeOptions<u32> {
    ComputeOptions::new().put(lived()).stale_while_revalidate(WINDOW)
}

fn or_stale() -> ComputeOptions<u32> {
    ComputeOptions::new().put(lived()).stale_if_error(WINDOW)
}

/// Runs on a thread of its own what might wait for ever.
fn within<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, done) = channel();
    thread::spawn(move || sender.send(run()));
    done.recv_timeout(LONG).unwrap()
}

fn not_computed() -> u32 {
    panic!("somebody else computes it")
}

#[test]
fn while_one_computes_anew_all_others_get_the_stale_value_at_once() {
    for is_elsewhere in [false, true] {
        let place = Place::new();
        let cache = place.open();
        let other = if is_elsewhere { place.open() } else { cache.clone() };
        assert_eq!(cache.get_or_put_with("key", revalidating(), || 1).unwrap(), 1);
        for past in [Duration::ZERO, WINDOW - MOMENT] {
            place.clock.advance(TTL + past);
            let load = || {
                let blocking = other.clone();
                let stale = within(move || blocking.get_or_put_with("key", revalidating(), not_computed));
                assert_eq!(stale.unwrap(), 1, "{past:?}");
                let awaited = future::Cache::from(other.clone());
                let stale = awaited.get_or_put_with("key", revalidating(), async || not_computed());
                assert_eq!(within(move || block_on(stale)).unwrap(), 1, "{past:?}");
                2
            };
            assert_eq!(cache.get_or_put_with("key", revalidating(), load).unwrap(), 2, "the first one computes");
            assert_eq!(cache.get("key").unwrap(), Some(2_u32));
            cache.put("key", &0_u32).unwrap();
            cache.invalidate("key").unwrap();
            assert_eq!(cache.get_or_put_with("key", revalidating(), || 1).unwrap(), 1);
        }
    }
}

#[test]
fn at_the_end_of_the_window_others_wait() {
    let place = Place::new();
    let cache = place.open();
    for is_elsewhere in [false, true] {
        cache.get_or_put_with("key", revalidating(), || 1).unwrap();
        place.clock.advance(TTL + WINDOW);
        let other = if is_elsewhere { place.open() } else { cache.clone() };
        let (answer, answered) = channel();
        let load = || {
            thread::spawn(move || answer.send(other.get_or_put_with("key", revalidating(), not_computed)));
            assert_eq!(answered.recv_timeout(SILENCE).unwrap_err(), RecvTimeoutError::Timeout);
            2
        };
        assert_eq!(cache.get_or_put_with("key", revalidating(), load).unwrap(), 2);
        assert_eq!(answered.recv_timeout(LONG).unwrap().unwrap(), 2);
        cache.clear().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_async_face_computes_anew_while_others_get_the_stale_value() {
    let place = Place::new();
    let cache = future::Cache::from(place.open());
    cache.get_or_put_with("key", revalidating(), async || 1).await.unwrap();
    place.clock.advance(TTL);
    let (started, is_started) = tokio::sync::oneshot::channel();
    let (go, wait) = tokio::sync::oneshot::channel();
    let leader = tokio::spawn(cache.get_or_put_with("key", revalidating(), async move || {
        started.send(()).unwrap();
        wait.await.unwrap()
    }));
    is_started.await.unwrap();
    let others: Vec<_> =
        (0..100).map(|_| tokio::spawn(cache.get_or_put_with("key", revalidating(), async || not_computed()))).collect();
    for other in others {
        assert_eq!(tokio::time::timeout(LONG, other).await.unwrap().unwrap().unwrap(), 1);
    }
    go.send(2).unwrap();
    assert_eq!(leader.await.unwrap().unwrap(), 2);
    assert_eq!(cache.get("key").await.unwrap(), Some(2_u32));
}

#[test]
fn no_other_verb_shows_a_stale_value() {
    let place = Place::new();
    let cache = place.open();
    cache.get_or_put_with("key", revalidating(), || 1).unwrap();
    place.clock.advance(TTL);
    assert_eq!(cache.get::<u32>("key").unwrap(), None);
    assert_eq!(cache.get_shared::<u32>("key").unwrap(), None);
    assert_eq!(cache.get_many::<u32, _>(["key"]).unwrap(), [None]);
    assert!(!cache.exists("key").unwrap());
    assert!(cache.ttl("key").unwrap().is_none());
    assert!(cache.metadata("key").unwrap().is_none());
    assert!(cache.entries(&Query::new()).unwrap().entries.is_empty());
    assert!(!cache.update("key", &5_u32).unwrap());
    assert!(!cache.touch("key", Some(TTL)).unwrap());
    assert_eq!(cache.stats().unwrap().misses_because(MissReason::Expired), 3);
    assert_eq!(cache.get_or_put("key", || 2_u32).unwrap(), 2, "without the option nothing is stale");
}

#[test]
fn what_may_be_served_stale_is_kept_until_then() {
    for options in [revalidating as fn() -> _, or_stale] {
        let place = Place::new();
        let cache = place.open();
        cache.get_or_put_with("key", options(), || 1).unwrap();
        cache.put_with("other", &1_u32, lived()).unwrap();
        place.clock.advance(TTL + WINDOW - MOMENT);
        assert_eq!(cache.cleanup_expired().unwrap(), 1, "the other one");
        assert_eq!(cache.stats().unwrap().entries, 1);
        place.clock.advance(MOMENT);
        assert_eq!(cache.cleanup_expired().unwrap(), 1);
        assert_eq!(cache.stats().unwrap().entries, 0);
    }
}

#[test]
fn what_is_invalidated_is_not_served_stale() {
    let place = Place::new();
    let cache = place.open();
    let ways: [(&str, &dyn Fn()); 5] = [
        ("invalidate", &|| assert!(cache.invalidate("key").unwrap())),
        ("invalidate_many", &|| assert_eq!(cache.invalidate_many(["key"]).unwrap(), 1)),
        ("invalidate_where", &|| assert_eq!(cache.invalidate_where(&Filter::All).unwrap(), 1)),
        ("invalidate_tag", &|| cache.invalidate_tag("tag").unwrap()),
        ("clear", &|| assert_eq!(cache.clear().unwrap(), 1)),
    ];
    for (way, invalidate) in ways {
        cache.clear().unwrap();
        let options = || ComputeOptions::new().put(lived().tags(["tag"])).stale_if_error(WINDOW);
        cache.get_or_put_with("key", options(), || 1_u32).unwrap();
        place.clock.advance(TTL);
        invalidate();
        let failed = cache.try_get_or_put_with("key", options(), || Err("no luck"));
        assert_eq!(failed.unwrap(), Err("no luck"), "{way}");
    }
}

#[test]
fn a_stale_value_stands_in_for_an_error_until_its_window_ends() {
    let place = Place::new();
    let cache = place.open();
    let awaited = future::Cache::from(cache.clone());
    cache.get_or_put_with("key", or_stale(), || 1).unwrap();
    let failing = || cache.try_get_or_put_with("key", or_stale(), || Err("no luck")).unwrap();
    for past in [TTL, WINDOW - MOMENT] {
        place.clock.advance(past);
        assert_eq!(failing(), Ok(1));
        let call = awaited.try_get_or_put_with("key", or_stale(), async || Err("no luck"));
        assert_eq!(block_on(call).unwrap(), Ok(1));
        assert_eq!(cache.try_get_or_put("key", || Err::<u32, _>("no luck")).unwrap(), Err("no luck"));
        let other = cache.try_get_or_put_with("key", revalidating(), || Err("no luck")).unwrap();
        assert_eq!(other, Err("no luck"), "a window for those who wait is none for errors");
    }
    place.clock.advance(MOMENT);
    assert_eq!(failing(), Err("no luck"));
    assert_eq!(cache.try_get_or_put_with("key", or_stale(), || Ok::<_, ()>(2)).unwrap(), Ok(2));
    assert_eq!(cache.get("key").unwrap(), Some(2_u32));
}

#[test]
fn only_values_that_were_stored_for_it_are_served_stale() {
    let place = Place::new();
    let cache = place.open();
    cache.put_with("key", &1_u32, lived()).unwrap();
    place.clock.advance(TTL);
    assert_eq!(cache.try_get_or_put_with("key", or_stale(), || Err("no luck")).unwrap(), Err("no luck"));
}

#[test]
fn the_shorter_window_counts_that_of_the_call_that_stored_or_that_of_the_call_that_asks() {
    for (stored, asked) in [(WINDOW, 2 * WINDOW), (2 * WINDOW, WINDOW)] {
        let place = Place::new();
        let cache = place.open();
        let options = |window| ComputeOptions::new().put(lived()).stale_if_error(window);
        cache.get_or_put_with("key", options(stored), || 1_u32).unwrap();
        place.clock.advance(TTL + WINDOW - MOMENT);
        let failing = || cache.try_get_or_put_with("key", options(asked), || Err("no luck")).unwrap();
        assert_eq!(failing(), Ok(1));
        place.clock.advance(MOMENT);
        assert_eq!(failing(), Err("no luck"));
    }
}

#[test]
fn an_idle_value_that_was_used_is_served_stale_after_its_new_expiry() {
    let place = Place::new();
    let cache = place.open();
    let options = || ComputeOptions::new().put(PutOptions::new().idle_ttl(TTL)).stale_if_error(WINDOW);
    cache.get_or_put_with("key", options(), || 1_u32).unwrap();
    place.clock.advance(TTL - MOMENT);
    assert_eq!(cache.get("key").unwrap(), Some(1_u32));
    place.clock.advance(TTL + WINDOW - MOMENT);
    let failing = || cache.try_get_or_put_with("key", options(), || Err("no luck")).unwrap();
    assert_eq!(failing(), Ok(1));
    place.clock.advance(MOMENT);
    assert_eq!(failing(), Err("no luck"));
}

#[test]
fn negative_results_live_for_a_time_of_their_own() {
    let place = Place::new();
    let cache = place.open();
    let short = Duration::from_secs(2);
    let options = || {
        let options = ComputeOptions::new().put(lived().idle_ttl(TTL)).stale_if_error(WINDOW).early_refresh(TTL);
        options.negative(Option::is_none, short)
    };
    assert_eq!(cache.get_or_put_with("key", options(), || None::<u32>).unwrap(), None);
    place.clock.advance(short - MOMENT);
    let hit = cache.get_or_put_with("key", options(), || panic!("None is a value, too"));
    assert_eq!(hit.unwrap(), None);
    assert_eq!(cache.get::<Option<u32>>("key").unwrap(), Some(None));
    place.clock.advance(MOMENT);
    let failed = cache.try_get_or_put_with("key", options(), || Err("no luck"));
    assert_eq!(failed.unwrap(), Err("no luck"), "nothing negative is served stale");
    assert_eq!(cache.get_or_put_with("key", options(), || Some(1)).unwrap(), Some(1));
    assert_eq!(cache.ttl("key").unwrap().unwrap().left(), Some(TTL));

    let results = || ComputeOptions::new().negative(Result::<u32, String>::is_err, short);
    assert_eq!(cache.get_or_put_with("result", results(), || Err("none".to_owned())).unwrap(), Err("none".to_owned()));
    assert_eq!(cache.ttl("result").unwrap().unwrap().left(), Some(short));
}

/// Chance, as it is told: all else is the system's.
#[derive(Debug, Clone, Default)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    /// The next draws are this, from 0 to 1.
    fn show(&self, drawn: f64) {
        self.0.store(((drawn * (1_u64 << 53) as f64) as u64) << 11, Ordering::SeqCst);
    }
}

impl Rng for Dice {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        match <&mut [u8; 8]>::try_from(&mut *bytes) {
            Ok(drawn) => *drawn = self.0.load(Ordering::SeqCst).to_le_bytes(),
            Err(_) => SystemRng.fill(bytes)?,
        }
        Ok(())
    }
}

#[test]
fn whoever_is_chosen_refreshes_early_and_the_chance_rises_to_certainty() {
    let place = Place::new();
    let dice = Dice::default();
    let builder = Cache::builder().dir(place.path()).clock(place.clock.clone()).rng(dice.clone());
    let cache = builder.open().unwrap();
    let options = || ComputeOptions::new().put(lived()).early_refresh(WINDOW);
    let refreshes = |left: Duration, drawn: f64| {
        cache.clear().unwrap();
        dice.show(1.0 - f64::EPSILON);
        cache.get_or_put_with("key", options(), || 1).unwrap();
        place.clock.advance(TTL - left);
        dice.show(drawn);
        cache.get_or_put_with("key", options(), || 2).unwrap() == 2
    };
    assert!(!refreshes(WINDOW + MOMENT, 0.0), "before the window nobody is chosen");
    assert!(refreshes(WINDOW, 0.0009));
    assert!(!refreshes(WINDOW, 0.0011));
    assert!(refreshes(WINDOW / 2, 0.031));
    assert!(!refreshes(WINDOW / 2, 0.032));
    assert!(refreshes(MOMENT, 0.999_998), "at the end everybody is");
    assert_eq!(cache.ttl("key").unwrap().unwrap().left(), Some(TTL), "what was refreshed lives anew");
}

#[test]
fn while_one_refreshes_early_all_others_get_the_present_value() {
    for is_elsewhere in [false, true] {
        let place = Place::new();
        // Everybody is chosen.
        let open =
            || Cache::builder().dir(place.path()).clock(place.clock.clone()).rng(Dice::default()).open().unwrap();
        let cache = open();
        let other = if is_elsewhere { open() } else { cache.clone() };
        let options = || ComputeOptions::new().put(lived()).early_refresh(WINDOW);
        cache.get_or_put_with("key", options(), || 1).unwrap();
        place.clock.advance(WINDOW);
        let load = || {
            let other = other.clone();
            assert_eq!(within(move || other.get_or_put_with("key", options(), not_computed)).unwrap(), 1);
            assert_eq!(cache.get("key").unwrap(), Some(1_u32));
            2
        };
        assert_eq!(cache.get_or_put_with("key", options(), load).unwrap(), 2);
        assert_eq!(other.get("key").unwrap(), Some(2_u32));
        place.clock.advance(WINDOW);
        let failed = cache.try_get_or_put_with("key", options(), || Err("no luck"));
        assert_eq!(failed.unwrap(), Ok(2), "what is there is better than an error");
        let invalidated = || {
            assert!(other.invalidate("key").unwrap());
            3
        };
        assert_eq!(cache.get_or_put_with("key", options(), invalidated).unwrap(), 3);
        assert_eq!(cache.get::<u32>("key").unwrap(), None, "an invalidation wins");
    }
}

#[test]
fn options_that_cannot_be_kept_are_refused() {
    let place = Place::new();
    let cache = place.open();
    let options = || ComputeOptions::<u32>::new().negative(|value| *value == 0, Duration::ZERO);
    let error = cache.get_or_put_with("key", options(), not_computed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("get_or_put_with"), "{error}");
    let error = cache.try_get_or_put_with("key", options(), || Ok::<_, ()>(not_computed())).unwrap_err();
    assert!(error.to_string().starts_with("try_get_or_put_with"), "{error}");
    let awaited = future::Cache::from(cache);
    let error = block_on(awaited.get_or_put_with("key", options(), async || not_computed())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
