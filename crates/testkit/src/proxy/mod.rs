//! A bad network on demand: a proxy on a loopback port that forwards TCP until it is told not to. What goes wrong is switched
//! while it runs: refused connections, resets in the middle of a body, stalls, lost replies, slow links and, for HTTP, answers
//! that the server never gave.
//!
//! ```
//! use cacheness_testkit::proxy::{Direction, Fault, Proxy};
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! // A server that says four words to everybody.
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let upstream = server.local_addr()?;
//! std::thread::spawn(move || {
//!     for connection in server.incoming() {
//!         connection?.write_all(b"a word or two")?;
//!     }
//!     std::io::Result::Ok(())
//! });
//!
//! let proxy = Proxy::start(upstream);
//! let read = || {
//!     let mut text = String::new();
//!     TcpStream::connect(proxy.address())?.read_to_string(&mut text).map(|_| text)
//! };
//! assert_eq!(read()?, "a word or two");
//!
//! proxy.inject(Fault::Reset { direction: Direction::Replies, after: 6 });
//! assert_eq!(read().unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
//! assert_eq!(proxy.strikes(), 1);
//!
//! proxy.heal();
//! assert_eq!(read()?, "a word or two");
//! # Ok::<(), std::io::Error>(())
//! ```

mod answer;
mod connection;
mod door;
mod fault;
mod faults;
mod http;
mod pump;
mod reply;
mod shared;

pub use answer::Answer;
pub use fault::{Direction, Fault, Requests};
pub use http::RequestHead;

use crate::need::fail;
use door::Door;
use shared::Shared;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A proxy before a server. Dropped, it resets what is connected.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    door: Mutex<Option<Door>>,
    address: SocketAddr,
}

impl Proxy {
    /// Forwards from a free loopback port to a server, which need not be there yet.
    ///
    /// # Panics
    ///
    /// When no port is to be had.
    pub fn start(upstream: SocketAddr) -> Self {
        Self::try_start(upstream).unwrap_or_else(|error| impossible("start", &error))
    }

    fn try_start(upstream: SocketAddr) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(upstream));
        let door = Door::open(SocketAddr::from(([127, 0, 0, 1], 0)), &shared)?;
        let address = door.address();
        Ok(Self { shared, door: Mutex::new(Some(door)), address })
    }

    /// Forwards to the server of a URL, and returns the URL that leads through the proxy: the same but for host and port.
    ///
    /// # Panics
    ///
    /// When the URL names no host with a port, or no port is to be had.
    pub fn before(url: &str) -> (Self, String) {
        let begin = url.find("://").map_or(0, |place| place + 3);
        let end = url[begin..].find(['/', '?']).map_or(url.len(), |place| begin + place);
        let begin = url[begin..end].rfind('@').map_or(begin, |place| begin + place + 1);
        let upstream = url[begin..end].to_socket_addrs().and_then(|mut found| found.next().ok_or_else(not_found));
        let proxy = Self::start(upstream.unwrap_or_else(|error| impossible("find its server", &error)));
        let through = format!("{}{}{}", &url[..begin], proxy.address, &url[end..]);
        (proxy, through)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets something go wrong from now on, besides what goes wrong already, until [`heal`](Self::heal).
    pub fn inject(&self, fault: Fault) {
        self.inject_limited(fault, None);
    }

    /// Lets something go wrong so many times. What counts as once, [`Fault`] says.
    pub fn inject_times(&self, times: u32, fault: Fault) {
        self.inject_limited(fault, Some(times));
    }

    fn inject_limited(&self, fault: Fault, times: Option<u32>) {
        if fault == Fault::Refuse {
            drop(self.door().take());
        } else {
            self.shared.inject(fault, times);
        }
    }

    /// Lets everything go well again. What is stalled goes on; what was cut or swallowed stays so.
    ///
    /// # Panics
    ///
    /// When connections were refused and somebody else has taken the port meanwhile.
    pub fn heal(&self) {
        self.shared.heal();
        let mut door = self.door();
        if door.is_none() {
            let opened = Door::open(self.address, &self.shared);
            *door = Some(opened.unwrap_or_else(|error| impossible("listen again", &error)));
        }
    }

    /// Resets every connection that is open now.
    pub fn reset_all(&self) {
        self.shared.open().iter().for_each(|connection| connection.reset());
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections()
    }

    /// How many of them are open.
    pub fn open_connections(&self) -> usize {
        self.shared.open().len()
    }

    /// How many bytes were forwarded so far.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.bytes(direction)
    }

    /// How many round trips there were so far: how often a client sent something first, or after it was answered. One client on
    /// one connection has no fewer than it needs; it has more when it sends without waiting and its answers are quicker than
    /// its next bytes, which a [`Fault::Delay`] of the replies prevents.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips()
    }

    /// How often a fault struck so far, refused connections apart, which nobody sees.
    pub fn strikes(&self) -> u64 {
        self.shared.strikes()
    }

    /// The heads of the HTTP requests that came so far, in their order, the last 10,000 of them.
    pub fn requests(&self) -> Vec<RequestHead> {
        self.shared.requests()
    }

    fn door(&self) -> MutexGuard<'_, Option<Door>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.door().take());
        self.shared.close();
    }
}

fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the host has no address")
}

fn impossible(what: &str, error: &io::Error) -> ! {
    fail(format!("the proxy cannot {what}: {error}"))
}
