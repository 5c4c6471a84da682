//! Servers that echo, and clients that do not wait forever.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// So long a client waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on threads of its own, and the bytes it was sent. It ends with the tests.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) received: Arc<AtomicU64>,
}

impl Server {
    fn start(serve: impl Fn(TcpStream, &AtomicU64) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&received);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (serve, counted) = (serve.clone(), Arc::clone(&counted));
                thread::spawn(move || serve(connection, &counted));
            }
        });
        Self { address, received }
    }

    /// One that sends back what it gets.
    pub(crate) fn echo() -> Self {
        Self::start(|mut connection, received| {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = connection.read(&mut bytes) {
                received.fetch_add(count as u64, Ordering::SeqCst);
                if connection.write_all(&bytes[..count]).is_err() {
                    return;
                }
            }
        })
    }

    /// One that answers every HTTP request with its path.
    pub(crate) fn http() -> Self {
        Self::start(|connection, received| {
            let mut reader = BufReader::new(connection.try_clone().unwrap());
            loop {
                let (mut head, mut line) = (Vec::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    head.push(std::mem::take(&mut line));
                }
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
                let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
                let length = length.map_or(0, |length| length.trim().parse().unwrap());
                let body = reader.by_ref().take(length);
                received.fetch_add(body.bytes().map_while(Result::ok).count() as u64, Ordering::SeqCst);
                let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
                if (&connection).write_all(reply.as_bytes()).is_err() {
                    return;
                }
            }
        })
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

pub(crate) fn receive(connection: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    connection.read_exact(&mut bytes).unwrap();
    bytes
}

/// Sends bytes and gets them back.
pub(crate) fn echoed(connection: &mut TcpStream, bytes: &[u8]) -> bool {
    connection.write_all(bytes).is_ok() && {
        let mut back = vec![0; bytes.len()];
        connection.read_exact(&mut back).is_ok() && back == bytes
    }
}

/// Waits for what other threads bring about.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}
