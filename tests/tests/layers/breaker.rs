//! When a circuit opens, who may probe, and what says nothing.

use crate::put;
use cacheness::core::ManualClock;
use cacheness_storage::layers::{CircuitBreaker, CircuitState};
use cacheness_storage::{ErrorKind, OpenContext, Result, block_on};
use cacheness_testkit::records::{NOW, blob};
use cacheness_tests::scripted::{Failure, ScriptedBlobs, ScriptedMetadata};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

fn clock() -> (ManualClock, OpenContext) {
    let clock = ManualClock::starting_at(NOW);
    (clock.clone(), OpenContext::new().clock(Arc::new(clock)))
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn state(breaker: &CircuitBreaker) -> CircuitState {
    breaker.circuits()[0].state
}

#[test]
fn five_failures_in_a_row_open_it_for_a_minute() {
    let (blobs, (clock, context)) = (ScriptedBlobs::in_memory(true), clock());
    let script = blobs.script.clone();
    let breaker = CircuitBreaker::new();
    let blobs = breaker.around_blobs(blobs, &context);
    let head = || kind(block_on(blobs.head(&blob(1))));
    script.fail_next([Failure::before(ErrorKind::Unavailable); 4]);
    assert_eq!([head(), head(), head(), head()], [Some(ErrorKind::Unavailable); 4]);
    assert_eq!(head(), None, "a success in between begins the count anew");
    let kinds =
        [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Storage, ErrorKind::Metadata, ErrorKind::Storage];
    script.fail_next(kinds.map(Failure::before));
    assert_eq!(kinds.map(|_| head()), kinds.map(Some));
    script.calls();
    assert_eq!(state(&breaker), CircuitState::Open);
    clock.advance(Duration::from_micros(59_999_999));
    let error = block_on(blobs.list(None, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CircuitOpen);
    assert!(error.to_string().contains("scripted(memory:)"), "{error}");
    assert_eq!(script.calls(), [""; 0], "nobody asked the backend");

    clock.advance(Duration::from_micros(1));
    assert_eq!(state(&breaker), CircuitState::HalfOpen);
    script.fail_next([Failure::before(ErrorKind::Timeout)]);
    assert_eq!(head(), Some(ErrorKind::Timeout));
    assert_eq!(state(&breaker), CircuitState::Open, "one failed probe opens it again");
    assert_eq!(head(), Some(ErrorKind::CircuitOpen));
    clock.advance(Duration::from_secs(60));
    assert_eq!(head(), None);
    assert_eq!(state(&breaker), CircuitState::Closed);
    let stats = &breaker.circuits()[0];
    assert_eq!((stats.failures, stats.refused, stats.opened, stats.probes), (10, 2, 2, 2));
}

#[test]
fn of_five_callers_one_probes() {
    let (index, (clock, context)) = (ScriptedMetadata::in_memory(true), clock());
    let script = index.script.clone();
    let breaker = CircuitBreaker::new().threshold(1);
    let index = breaker.around_metadata(index, &context);
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(index.stats()).unwrap_err();
    script.calls();
    clock.advance(Duration::from_secs(60));
    script.hold();
    let refused = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..5).map(|_| scope.spawn(|| kind(block_on(index.stats())))).collect();
        script.wait_inside(1);
        // Four come back at once, while the probe stands still.
        while callers.iter().filter(|caller| caller.is_finished()).count() < 4 {
            std::thread::yield_now();
        }
        assert_eq!(state(&breaker), CircuitState::HalfOpen);
        assert_eq!(script.calls(), ["stats"]);
        script.heal();
        callers.into_iter().map(|caller| caller.join().unwrap()).filter(Option::is_some).collect::<Vec<_>>()
    });
    assert_eq!(refused, [Some(ErrorKind::CircuitOpen); 4]);
    assert_eq!(state(&breaker), CircuitState::Closed);
    assert_eq!(breaker.circuits()[0].probes, 1);
}

#[test]
fn errors_of_the_caller_say_nothing_of_the_backend() {
    let (blobs, (clock, context)) = (ScriptedBlobs::in_memory(true), clock());
    let script = blobs.script.clone();
    let breaker = CircuitBreaker::new().threshold(2);
    let blobs = breaker.around_blobs(blobs, &context);
    let theirs = [
        ErrorKind::Config,
        ErrorKind::InvalidKey,
        ErrorKind::InvalidQuery,
        ErrorKind::Conflict,
        ErrorKind::AlreadyExists,
        ErrorKind::TooLarge,
        ErrorKind::Closed,
        ErrorKind::ReadOnly,
        ErrorKind::Unsupported,
        ErrorKind::Permission,
        ErrorKind::OutOfSpace,
        ErrorKind::CircuitOpen,
    ];
    for wrong in theirs {
        script.fail_next([Failure::before(wrong); 3]);
        for _ in 0..3 {
            assert_eq!(kind(block_on(blobs.head(&blob(1)))), Some(wrong));
        }
    }
    assert_eq!(state(&breaker), CircuitState::Closed);
    // Nor do they clear the count, and a probe that ends so leaves its place.
    let [sick, wrong] = [ErrorKind::Unavailable, ErrorKind::Conflict].map(Failure::before);
    script.fail_next([sick, wrong, sick]);
    for _ in 0..3 {
        block_on(blobs.head(&blob(1))).unwrap_err();
    }
    assert_eq!(state(&breaker), CircuitState::Open);
    clock.advance(Duration::from_secs(60));
    script.fail_next([wrong]);
    assert_eq!(kind(block_on(blobs.head(&blob(1)))), Some(ErrorKind::Conflict));
    assert_eq!(state(&breaker), CircuitState::HalfOpen);
    assert_eq!(kind(block_on(blobs.head(&blob(1)))), None);
}

#[test]
fn a_probe_that_is_cancelled_leaves_its_place() {
    let (blobs, (clock, context)) = (ScriptedBlobs::in_memory(false), clock());
    let script = blobs.script.clone();
    let breaker = CircuitBreaker::new().threshold(1);
    let blobs = breaker.around_blobs(blobs, &context);
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(blobs.head(&blob(1))).unwrap_err();
    clock.advance(Duration::from_secs(60));
    script.hold();
    {
        let id = blob(1);
        let mut probe = pin!(blobs.head(&id));
        assert!(probe.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(kind(block_on(blobs.head(&blob(1)))), Some(ErrorKind::CircuitOpen));
    }
    script.heal();
    assert_eq!(kind(block_on(blobs.head(&blob(1)))), None, "the next one probes");
    assert_eq!(breaker.circuits()[0].probes, 2);
}

#[test]
fn what_began_before_it_opened_says_nothing_afterwards() {
    let (blobs, (clock, context)) = (ScriptedBlobs::in_memory(false), clock());
    let script = blobs.script.clone();
    let breaker = CircuitBreaker::new().threshold(1);
    let blobs = breaker.around_blobs(blobs, &context);
    let id = blob(1);
    script.hold();
    let mut late = [pin!(blobs.head(&id)), pin!(blobs.head(&id))];
    for call in &mut late {
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    script.heal();
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(blobs.head(&id)).unwrap_err();
    let [success, failure] = late;
    assert!(block_on(success).is_ok());
    assert_eq!(state(&breaker), CircuitState::Open, "a late success closes nothing");
    clock.advance(Duration::from_secs(60));
    assert_eq!(kind(block_on(blobs.head(&id))), None);
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(failure).unwrap_err();
    assert_eq!(state(&breaker), CircuitState::Closed, "a late failure opens nothing");
}

#[test]
fn handles_of_one_server_can_share_a_circuit() {
    let (_, context) = clock();
    for shared in [false, true] {
        let breaker = CircuitBreaker::new().threshold(1).shared(shared);
        let (one, other) = (ScriptedBlobs::in_memory(true), ScriptedBlobs::in_memory(true));
        one.script.fail(ErrorKind::Unavailable);
        let inner = one.inner();
        let (one, other) = (breaker.around_blobs(one, &context), breaker.around_blobs(other, &context));
        block_on(one.head(&blob(1))).unwrap_err();
        let expected = shared.then_some(ErrorKind::CircuitOpen);
        assert_eq!(kind(put(&*other, blob(1), &b"bytes"[..].into())), expected);
        assert_eq!(breaker.circuits().len(), if shared { 1 } else { 2 });
        block_on(one.close()).unwrap();
        assert!(block_on(inner.head(&blob(1))).is_err(), "closing always passes");
    }
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_it_open() {
    let (blobs, (clock, context)) = (ScriptedBlobs::in_memory(true), clock());
    let script = blobs.script.clone();
    let breaker = CircuitBreaker::new().threshold(1);
    let blobs = breaker.around_blobs(blobs, &context);
    script.fail_next([Failure::before(ErrorKind::Unavailable)]);
    block_on(blobs.head(&blob(1))).unwrap_err();
    clock.set(NOW.before(Duration::from_hours(24 * 365)));
    assert_eq!(kind(block_on(blobs.head(&blob(1)))), Some(ErrorKind::CircuitOpen));
    clock.advance(Duration::from_secs(60));
    assert_eq!(kind(block_on(blobs.head(&blob(1)))), None);
}
