//! A relay on loopback between the backend and its server, one request a connection: it keeps what went over the wire, and
//! answers, cuts, loses or holds what a rule says.

use crate::common::Server;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What to do with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Pass it on, and its answer back.
    Forward,
    /// Answer it here: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Pass it on and lose its answer.
    Lose,
    /// Pass it on, and end the connection after so many bytes of the answer's body.
    Cut(usize),
    /// Pass it on, and stop after so many bytes of the answer's body without ending the connection.
    Stall(usize),
    /// Take no more of it than its head.
    Ignore,
    /// Pass it on when there is a permit, which it takes.
    HoldRequest(Arc<Semaphore>),
    /// Pass it on, and its answer back when there is a permit, which it takes.
    HoldAnswer(Arc<Semaphore>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `PUT /bucket/key?query`.
    pub(crate) line: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether it begins with a method and has a part in its path or query.
    pub(crate) fn is(&self, method: &str, part: &str) -> bool {
        self.line.starts_with(method) && self.line.contains(part)
    }
}

/// An answer of S3 that says what went wrong.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Act {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Act::Answer(
        status,
        vec![("content-type", "application/xml".into())],
        if code.is_empty() { String::new() } else { body },
    )
}

type Rule = dyn Fn(&Seen) -> Act + Send + Sync;

/// A running relay; it ends with this value.
pub(crate) struct Relay {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Starts a relay to a server.
    pub(crate) async fn start(server: &Server, rule: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (rule, address, log): (Arc<Rule>, _, _) = (Arc::new(rule), server.address().to_owned(), seen.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (rule, address, log) = (rule.clone(), address.clone(), log.clone());
                tokio::spawn(async move { drop(serve(stream, &address, &*rule, &log).await) });
            }
        });
        Self { port, seen, task }
    }

    /// The server behind this relay.
    pub(crate) fn before(&self, server: &Server) -> Server {
        server.behind(self.port)
    }

    /// What came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests came of a method and a part of path or query.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.seen().iter().filter(|seen| seen.is(method, part)).count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, server: &str, rule: &Rule, log: &Mutex<Vec<Seen>>) -> io::Result<()> {
    let (head, mut body) = read_head(&mut client).await?;
    let seen = parse(&head);
    log.lock().unwrap().push(seen.clone());
    let act = rule(&seen);
    if let Act::Ignore = act {
        return std::future::pending().await;
    }
    let size = seen.header("content-length").map_or(0, |size| size.parse().unwrap());
    while body.len() < size {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    match &act {
        Act::Answer(status, headers, body) => return answer(&mut client, *status, headers, body).await,
        Act::HoldRequest(permits) => permits.acquire().await.unwrap().forget(),
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    let (line, rest) = head.split_once("\r\n").unwrap();
    upstream.write_all(format!("{line}\r\nconnection: close\r\n{rest}").as_bytes()).await?;
    upstream.write_all(&body).await?;
    let (head, mut first) = read_head(&mut upstream).await?;
    match &act {
        Act::Lose => {
            upstream.read_to_end(&mut first).await?;
            return Ok(());
        }
        Act::HoldAnswer(permits) => permits.acquire().await.unwrap().forget(),
        _ => {}
    }
    client.write_all(head.as_bytes()).await?;
    match act {
        Act::Cut(size) | Act::Stall(size) => {
            upstream.read_to_end(&mut first).await?;
            client.write_all(&first[..size.min(first.len())]).await?;
            client.flush().await?;
            if matches!(act, Act::Stall(_)) {
                // Until the other side gives up.
                client.read_to_end(&mut first).await?;
            }
        }
        _ => {
            client.write_all(&first).await?;
            tokio::io::copy(&mut upstream, &mut client).await?;
        }
    }
    client.shutdown().await
}

async fn answer(client: &mut TcpStream, status: u16, headers: &[(&str, String)], body: &str) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    client.write_all(format!("{head}\r\n{body}").as_bytes()).await?;
    client.shutdown().await
}

/// A head with the empty line at its end, and what came behind it.
async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(head: &str) -> Seen {
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Seen { line, headers }
}
