//! Flights, polled by hand: every order of events is the one written here.

use super::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Joining<'f> = Pin<Box<dyn Future<Output = Result<Turn<u8, &'static str>>> + 'f>>;

type Answers = Flights<u8, &'static str>;

fn flights() -> Answers {
    Flights::default()
}

fn join(flights: &Answers, key: u8) -> Joining<'_> {
    Box::pin(flights.join(key))
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn lead(joining: &mut Joining<'_>) -> Lead<u8, &'static str> {
    match poll(joining) {
        Poll::Ready(Ok(Turn::Lead(lead))) => lead,
        other => panic!("no lead: {other:?}"),
    }
}

fn landing(joining: &mut Joining<'_>) -> &'static str {
    match poll(joining) {
        Poll::Ready(Ok(Turn::Landed(landing))) => landing,
        other => panic!("no landing: {other:?}"),
    }
}

#[test]
fn the_first_leads_and_all_others_learn_how_it_went() {
    let flights = flights();
    let (mut first, mut second, mut third) = (join(&flights, 1), join(&flights, 1), join(&flights, 1));
    let leader = lead(&mut first);
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut third).is_pending());
    leader.land("well");
    assert_eq!((landing(&mut second), landing(&mut third)), ("well", "well"));
    assert!(flights.is_empty());
}

#[test]
fn who_asks_after_an_arrival_leads_while_the_followers_wait_to_be_told() {
    let flights = flights();
    let (mut first, mut second) = (join(&flights, 1), join(&flights, 1));
    let leader = lead(&mut first);
    assert!(poll(&mut second).is_pending());
    let arrival = leader.arrive();
    assert!(arrival.is_awaited());
    let next = lead(&mut join(&flights, 1));
    assert!(poll(&mut second).is_pending());
    arrival.tell("well");
    assert_eq!(landing(&mut second), "well");
    let nobody = next.arrive();
    assert!(!nobody.is_awaited());
    assert!(flights.is_empty());
}

#[test]
fn followers_who_are_told_nothing_start_afresh() {
    let flights = flights();
    let (mut first, mut second) = (join(&flights, 1), join(&flights, 1));
    let leader = lead(&mut first);
    assert!(poll(&mut second).is_pending());
    drop(leader.arrive());
    drop(lead(&mut second));
}

#[test]
fn other_keys_do_not_wait() {
    let flights = flights();
    let one = lead(&mut join(&flights, 1));
    let two = lead(&mut join(&flights, 2));
    assert_eq!(flights.len(), 2);
    drop((one, two));
    assert!(flights.is_empty());
}

#[test]
fn a_dropped_lead_goes_to_the_one_who_waits_longest_and_has_not_given_up() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    let (mut gone, mut second, mut third) = (join(&flights, 1), join(&flights, 1), join(&flights, 1));
    assert!(poll(&mut gone).is_pending() && poll(&mut second).is_pending() && poll(&mut third).is_pending());
    drop(gone);
    drop(leader);
    assert!(poll(&mut third).is_pending());
    let heir = lead(&mut second);
    assert_eq!(flights.len(), 1);
    heir.land("late");
    assert_eq!(landing(&mut third), "late");
    assert!(flights.is_empty());
}

#[test]
fn a_lead_that_arrives_at_one_who_gives_up_goes_on_to_the_next() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    let (mut second, mut third) = (join(&flights, 1), join(&flights, 1));
    assert!(poll(&mut second).is_pending() && poll(&mut third).is_pending());
    drop(leader);
    drop(second);
    drop(lead(&mut third));
    assert!(flights.is_empty());
}

#[test]
fn who_gave_up_takes_no_room() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    for _ in 0..1000 {
        assert!(poll(&mut join(&flights, 1)).is_pending());
    }
    assert!(flights.lock().followers(&1) < 20);
    drop(leader);
    assert!(flights.is_empty());
}

#[test]
fn an_overtaken_leader_may_not_commit_and_his_followers_start_afresh() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    let mut second = join(&flights, 1);
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut Box::pin(flights.overtake(&1))).is_ready());
    let fresh = lead(&mut second);
    assert!(!leader.begin_commit());
    leader.land("overtaken");
    assert_eq!(flights.len(), 1, "the fresh flight stays");
    assert!(fresh.begin_commit());
    fresh.land("fresh");
    assert!(flights.is_empty());
}

#[test]
fn who_overtakes_a_commit_waits_for_its_end() {
    let flights = flights();
    for lands in [true, false] {
        let (one, two) = (lead(&mut join(&flights, 1)), lead(&mut join(&flights, 2)));
        assert!(one.begin_commit());
        let (mut this, mut all) = (Box::pin(flights.overtake(&1)), Box::pin(flights.overtake_all()));
        assert!(poll(&mut this).is_pending());
        assert!(poll(&mut all).is_pending());
        assert!(!two.begin_commit());
        match lands {
            true => one.land("committed"),
            false => drop(one),
        }
        assert!(poll(&mut this).is_ready());
        assert!(poll(&mut all).is_ready());
        assert!(flights.is_empty());
    }
}

#[test]
fn a_computation_that_asks_for_its_own_key_is_refused() {
    let flights = flights();
    let outer = lead(&mut join(&flights, 1));
    let mut driving = Box::pin(outer.drive(|| async {
        let inner = lead(&mut join(&flights, 2));
        let deep = inner.drive(|| async { flights.join(1).await.unwrap_err().kind() }).await;
        drop(inner);
        deep
    }));
    assert_eq!(poll(&mut driving), Poll::Ready(ErrorKind::Conflict));
    assert!(poll(&mut join(&flights, 1)).is_pending(), "outside the computation one waits");
}

#[test]
fn a_computation_that_panics_is_left_behind() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    let mut second = join(&flights, 1);
    assert!(poll(&mut second).is_pending());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let mut driving = Box::pin(leader.drive(|| async { panic!("expected by this test") }));
        let _: Poll<()> = poll(&mut driving);
    }));
    assert!(panicked.is_err());
    let heir = lead(&mut second);
    assert!(poll(&mut join(&flights, 1)).is_pending(), "nobody is inside");
    drop(heir);
    assert!(flights.is_empty());
}

#[test]
fn the_lead_passes_by_however_many_gave_up() {
    let flights = flights();
    let leader = lead(&mut join(&flights, 1));
    let mut waiting: Vec<_> = (0..100_000).map(|_| join(&flights, 1)).collect();
    assert!(waiting.iter_mut().all(|joining| poll(joining).is_pending()));
    drop(waiting);
    drop(leader);
    assert!(flights.is_empty());
}
