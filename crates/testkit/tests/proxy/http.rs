//! Faults of HTTP.

use crate::servers::{Server, connect, receive, until};
use cacheness_testkit::proxy::{Answer, Fault, Proxy, Requests};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

fn http() -> (Server, Proxy) {
    let server = Server::http();
    let proxy = Proxy::start(server.address);
    (server, proxy)
}

/// Sends a request that has the reply `path`, and says whether it came.
fn is_answered(client: &mut TcpStream, method: &str, path: &str, body: &str) -> bool {
    let length = body.len();
    write!(client, "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let wanted = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
    let mut reply = vec![0; wanted.len()];
    client.read_exact(&mut reply).is_ok() && reply == wanted.as_bytes()
}

fn all(client: &mut TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_heads_of_requests_are_kept() {
    let (server, proxy) = http();
    let mut client = connect(proxy.address());
    assert!(is_answered(&mut client, "PUT", "/bucket/key?x=y", "GET /no HTTP/1.1\r\n\r\n"));
    assert!(is_answered(&mut client, "GET", "/bucket", ""));
    let heads = proxy.requests();
    let lines: Vec<_> = heads.iter().map(|head| (head.method.as_str(), head.target.as_str())).collect();
    assert_eq!(lines, [("PUT", "/bucket/key?x=y"), ("GET", "/bucket")]);
    assert_eq!(heads[0].header("content-length"), Some("20"));
    assert_eq!(server.received.load(Ordering::SeqCst), 20);
}

#[test]
fn the_next_requests_that_match_are_answered_in_the_server_s_place() {
    let (server, proxy) = http();
    let requests = Requests::all().method("PUT").under("/bucket/a").containing("partNumber=2");
    proxy.inject_times(2, Fault::Answer(requests, Answer::slow_down().header("retry-after", "1")));
    for other in ["/bucket/b?partNumber=2", "/bucket/a?partNumber=1"] {
        assert!(is_answered(&mut connect(proxy.address()), "PUT", other, "body"));
    }
    assert!(is_answered(&mut connect(proxy.address()), "GET", "/bucket/a?partNumber=2", ""));
    for _ in 0..2 {
        let mut client = connect(proxy.address());
        assert!(is_answered(&mut client, "PUT", "/bucket/b", "body"));
        let before = server.received.load(Ordering::SeqCst);
        write!(client, "PUT /bucket/a?partNumber=2 HTTP/1.1\r\ncontent-length: 6\r\n\r\nbo").unwrap();
        let reply = all(&mut client);
        assert!(reply.starts_with("HTTP/1.1 503 ") && reply.contains("\r\nretry-after: 1\r\n"), "{reply}");
        assert!(reply.ends_with("</Error>") && reply.contains("<Code>SlowDown</Code>"), "{reply}");
        assert_eq!(server.received.load(Ordering::SeqCst), before);
    }
    assert_eq!(proxy.strikes(), 2);
    assert!(is_answered(&mut connect(proxy.address()), "PUT", "/bucket/a?partNumber=2", "body"));
}

#[test]
fn an_answer_reaches_a_client_that_still_sends() {
    let (_server, proxy) = http();
    proxy.inject(Fault::Answer(Requests::all(), Answer::internal_error()));
    let mut client = connect(proxy.address());
    let body = vec![0; 16 << 20];
    write!(client, "PUT / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    client.write_all(&body).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(all(&mut client).contains("<Code>InternalError</Code>"));
}

#[test]
fn an_answer_to_head_has_no_body() {
    let (_server, proxy) = http();
    proxy.inject(Fault::Answer(Requests::all(), Answer::expired_token()));
    let mut client = connect(proxy.address());
    client.write_all(b"HEAD / HTTP/1.1\r\n\r\n").unwrap();
    let reply = all(&mut client);
    assert!(reply.starts_with("HTTP/1.1 403 ") && reply.ends_with("\r\n\r\n"), "{reply}");
}

#[test]
fn a_reply_breaks_off_in_its_body_and_keeps_its_length() {
    let (_server, proxy) = http();
    proxy.inject_times(1, Fault::Truncate(Requests::all().method("GET"), 4));
    let mut client = connect(proxy.address());
    assert!(is_answered(&mut client, "PUT", "/something", ""));
    client.write_all(b"GET /something HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(all(&mut client), "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n/som");
    until(|| proxy.open_connections() == 0);
    assert!(is_answered(&mut connect(proxy.address()), "GET", "/something", ""));
}

#[test]
fn faults_of_bytes_strike_http_too() {
    let (server, proxy) = http();
    proxy.inject(Fault::CutAfter(b"last part".to_vec()));
    let mut client = connect(proxy.address());
    write!(client, "PUT / HTTP/1.1\r\ncontent-length: 13\r\n\r\nthe ").unwrap();
    client.write_all(b"last part").unwrap();
    assert!(client.read(&mut [0; 1]).is_err());
    assert_eq!(server.received.load(Ordering::SeqCst), 13);
    let mut client = connect(proxy.address());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(receive(&mut client, 8), b"HTTP/1.1");
}
