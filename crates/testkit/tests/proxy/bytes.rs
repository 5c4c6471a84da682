//! Faults of any connection.

use crate::servers::{Server, connect, echoed, receive, until};
use cacheness_testkit::proxy::{Direction, Fault, Proxy};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

fn echo() -> (Server, Proxy) {
    let server = Server::echo();
    let proxy = Proxy::start(server.address);
    (server, proxy)
}

fn is_reset(connection: &mut TcpStream) -> bool {
    connection.read(&mut [0; 16]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// Whether nothing comes for a moment. A fault that fails is seen; a slow machine is not mistaken for one.
fn is_silent(connection: &mut TcpStream) -> bool {
    connection.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let read = connection.read(&mut [0; 16]);
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn bytes_go_both_ways_and_are_counted() {
    let (_server, proxy) = echo();
    let mut client = connect(proxy.address());
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
    let mut writer = client.try_clone().unwrap();
    let sent = bytes.clone();
    let sending = thread::spawn(move || writer.write_all(&sent).unwrap());
    assert!(receive(&mut client, bytes.len()) == bytes);
    sending.join().unwrap();
    until(|| proxy.bytes(Direction::Requests) == 1_000_000 && proxy.bytes(Direction::Replies) == 1_000_000);
    assert_eq!((proxy.connections(), proxy.open_connections(), proxy.strikes()), (1, 1, 0));
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    until(|| proxy.open_connections() == 0);
}

#[test]
fn round_trips_are_counted_and_what_does_not_wait_for_an_answer_is_none_of_its_own() {
    let (_server, proxy) = echo();
    let mut client = connect(proxy.address());
    for count in 1..=3 {
        assert!(echoed(&mut client, b"x"));
        assert_eq!(proxy.round_trips(), count);
    }
    proxy.inject(Fault::Delay { direction: Direction::Replies, time: Duration::from_secs(60) });
    for sent in 4..=5 {
        client.write_all(b"x").unwrap();
        until(|| proxy.bytes(Direction::Requests) == sent);
    }
    proxy.heal();
    assert_eq!(receive(&mut client, 2), b"xx");
    assert_eq!(proxy.round_trips(), 4);
}

#[test]
fn a_url_leads_through_the_proxy() {
    let server = Server::echo();
    for (begin, end) in [("postgres://user:p%40ss@", "/database?sslmode=disable"), ("http://key:secret@", ""), ("", "")]
    {
        let (proxy, url) = Proxy::before(&format!("{begin}{}{end}", server.address));
        assert_eq!(url, format!("{begin}{}{end}", proxy.address()));
        assert!(echoed(&mut connect(proxy.address()), b"x"));
    }
}

#[test]
fn refused_clients_get_through_again_at_the_same_place() {
    let (_server, proxy) = echo();
    let mut open = connect(proxy.address());
    assert!(echoed(&mut open, b"x"));
    for _ in 0..3 {
        proxy.inject(Fault::Refuse);
        let refused = TcpStream::connect(proxy.address());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(echoed(&mut open, b"y"));
        proxy.heal();
        assert!(echoed(&mut connect(proxy.address()), b"z"));
    }
    proxy.reset_all();
    assert!(is_reset(&mut open));
}

#[test]
fn a_server_that_is_away_resets_its_clients() {
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::start(away);
    assert!(is_reset(&mut connect(proxy.address())));
}

#[test]
fn a_connection_is_reset_after_so_many_bytes() {
    let (server, proxy) = echo();
    let mut open = connect(proxy.address());
    assert!(echoed(&mut open, b"before the injection"));
    proxy.inject(Fault::Reset { direction: Direction::Replies, after: 5 });
    for client in [&mut open, &mut connect(proxy.address())] {
        assert!(echoed(client, b"123"));
        client.write_all(b"4567").unwrap();
        assert_eq!(receive(client, 2), b"45");
        assert!(is_reset(client));
    }
    assert_eq!(proxy.strikes(), 2);
    proxy.heal();

    let before = server.received.load(Ordering::SeqCst);
    proxy.inject_times(1, Fault::Reset { direction: Direction::Requests, after: 3 });
    let mut client = connect(proxy.address());
    client.write_all(b"1234567").unwrap();
    let mut came = Vec::new();
    assert_eq!(client.read_to_end(&mut came).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(came.len() <= 3);
    until(|| server.received.load(Ordering::SeqCst) == before + 3);
    assert!(echoed(&mut connect(proxy.address()), b"1234567"));
}

#[test]
fn a_connection_is_reset_at_once() {
    let (_server, proxy) = echo();
    proxy.inject_times(2, Fault::Reset { direction: Direction::Requests, after: 0 });
    for _ in 0..2 {
        assert!(is_reset(&mut connect(proxy.address())));
    }
    assert!(echoed(&mut connect(proxy.address()), b"x"));
}

#[test]
fn a_stall_lasts_until_it_is_healed() {
    let (server, proxy) = echo();
    let mut open = connect(proxy.address());
    assert!(echoed(&mut open, b"x"));
    proxy.inject(Fault::Stall(None));
    let mut new = connect(proxy.address());
    open.write_all(b"y").unwrap();
    new.write_all(b"z").unwrap();
    assert!(is_silent(&mut open) && is_silent(&mut new));
    assert_eq!((server.received.load(Ordering::SeqCst), proxy.strikes()), (1, 2));
    proxy.heal();
    assert_eq!((receive(&mut open, 1), receive(&mut new, 1)), (b"y".to_vec(), b"z".to_vec()));
}

#[test]
fn a_stall_ends_by_itself_when_its_time_is_over() {
    let (_server, proxy) = echo();
    let begun = Instant::now();
    proxy.inject(Fault::Stall(Some(Duration::from_millis(200))));
    assert!(echoed(&mut connect(proxy.address()), b"x"));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_stalled_connection_can_be_reset() {
    let (_server, proxy) = echo();
    proxy.inject(Fault::Stall(None));
    let mut client = connect(proxy.address());
    client.write_all(b"x").unwrap();
    until(|| proxy.strikes() == 1);
    proxy.reset_all();
    assert!(is_reset(&mut client));
}

#[test]
fn a_cut_before_some_bytes_keeps_them_from_the_server() {
    let (server, proxy) = echo();
    proxy.inject_times(1, Fault::CutBefore(b"COMMIT".to_vec()));
    let mut client = connect(proxy.address());
    assert!(echoed(&mut client, b"BEGIN COMM"));
    client.write_all(b"IT").unwrap();
    assert!(is_reset(&mut client));
    until(|| proxy.open_connections() == 0);
    assert_eq!(server.received.load(Ordering::SeqCst), 10);
    assert!(echoed(&mut connect(proxy.address()), b"COMMIT"));
}

#[test]
fn a_cut_after_some_bytes_gives_them_to_the_server_and_loses_the_reply() {
    let (server, proxy) = echo();
    proxy.inject(Fault::CutAfter(b"COMMIT".to_vec()));
    let mut client = connect(proxy.address());
    assert!(echoed(&mut client, b"BEGIN"));
    assert!(echoed(&mut client, b"COM"));
    client.write_all(b"MIT;").unwrap();
    assert!(is_reset(&mut client));
    assert_eq!((server.received.load(Ordering::SeqCst), proxy.strikes()), (12, 1));
    assert!(echoed(&mut connect(proxy.address()), b"COMMIT"), "it strikes the first time only");
}

#[test]
fn dropped_replies_leave_the_client_waiting() {
    let (server, proxy) = echo();
    proxy.inject(Fault::DropReplies(b"COMMIT".to_vec()));
    let mut client = connect(proxy.address());
    assert!(echoed(&mut client, b"BEGIN"));
    client.write_all(b"COMMIT").unwrap();
    until(|| server.received.load(Ordering::SeqCst) == 11);
    assert!(is_silent(&mut client));
    client.write_all(b"more").unwrap();
    until(|| server.received.load(Ordering::SeqCst) == 15);
    proxy.heal();
    assert!(is_silent(&mut client));
    assert!(echoed(&mut connect(proxy.address()), b"COMMIT"));
}

#[test]
fn bytes_that_went_by_are_not_seen_again() {
    let (_server, proxy) = echo();
    proxy.inject(Fault::CutBefore(b"something that nobody sends".to_vec()));
    proxy.inject_times(2, Fault::DropReplies(b"COMMIT".to_vec()));
    let mut client = connect(proxy.address());
    client.write_all(b"COMMIT").unwrap();
    until(|| proxy.bytes(Direction::Requests) == 6);
    client.write_all(b"more").unwrap();
    until(|| proxy.bytes(Direction::Requests) == 10);
    assert_eq!(proxy.strikes(), 1);
}

#[test]
fn pieces_wait_before_they_go_on() {
    let (_server, proxy) = echo();
    let time = Duration::from_millis(50);
    proxy.inject(Fault::Delay { direction: Direction::Replies, time });
    let mut client = connect(proxy.address());
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(echoed(&mut client, b"x"));
    }
    assert!(begun.elapsed() >= time * 3);
    assert_eq!(proxy.strikes(), 3);
    proxy.heal();
    proxy.inject(Fault::Delay { direction: Direction::Requests, time: Duration::from_secs(3600) });
    client.write_all(b"y").unwrap();
    until(|| proxy.strikes() == 4);
    proxy.heal();
    assert_eq!(receive(&mut client, 1), b"y");
}

#[test]
fn a_slow_connection_forwards_so_many_bytes_a_second() {
    let (_server, proxy) = echo();
    proxy.inject(Fault::Throttle { direction: Direction::Replies, bytes_per_second: 100_000 });
    let mut client = connect(proxy.address());
    let begun = Instant::now();
    assert!(echoed(&mut client, &[7; 30_000]));
    // The last piece arrives before it is waited for.
    assert!(begun.elapsed() >= Duration::from_millis(240), "{:?}", begun.elapsed());
}

#[test]
fn a_proxy_that_is_dropped_resets_its_clients() {
    let (_server, proxy) = echo();
    let address = proxy.address();
    let mut client = connect(address);
    assert!(echoed(&mut client, b"x"));
    drop(proxy);
    assert!(is_reset(&mut client));
    assert!(TcpStream::connect(address).is_err());
}
