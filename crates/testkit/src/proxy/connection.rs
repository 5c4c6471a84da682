//! A client's connection and the one to the server that belongs to it.

use super::fault::Direction;
use super::pump::Pump;
use super::reply::Truncation;
use super::shared::Shared;
use rustix::net::sockopt::set_socket_linger;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the server may take to accept.
const CONNECTING: Duration = Duration::from_secs(5);

/// How often a write that gets nowhere looks whether the connection has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Two sockets. They close when nobody holds the connection any more.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    has_ended: AtomicBool,
    /// A [`Replies`].
    replies: AtomicU8,
    truncation: Mutex<Option<Truncation>>,
    shared: Arc<Shared>,
}

/// What becomes of replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replies {
    Forwarded = 0,
    /// They are swallowed, and the client waits.
    Dropped = 1,
    /// The next one resets the connection.
    Cut = 2,
}

impl Connection {
    /// Connects a client with the server and forwards on threads of their own, until both are done.
    pub(super) fn serve(client: TcpStream, shared: &Arc<Shared>) {
        let number = shared.accepted();
        let shared = Arc::clone(shared);
        // The server may take its time, and others wait at the door.
        thread::spawn(move || {
            if shared.faults(|faults| faults.resets_at_once(number)) {
                return without_goodbye(&client);
            }
            let Ok(server) = TcpStream::connect_timeout(&shared.upstream, CONNECTING) else {
                return without_goodbye(&client);
            };
            let connection = Self {
                number,
                client,
                server,
                has_ended: AtomicBool::new(false),
                replies: AtomicU8::new(Replies::Forwarded as u8),
                truncation: Mutex::new(None),
                shared,
            };
            if connection.prepare().is_ok() {
                Arc::new(connection).pump();
            }
        });
    }

    fn prepare(&self) -> io::Result<()> {
        for socket in [&self.client, &self.server] {
            socket.set_nodelay(true)?;
            socket.set_write_timeout(Some(LOOK))?;
        }
        Ok(())
    }

    fn pump(self: Arc<Self>) {
        self.shared.add(&self);
        let other = Arc::clone(&self);
        let replies = thread::spawn(move || Pump::new(&other, Direction::Replies).run());
        Pump::new(&self, Direction::Requests).run();
        let _ = replies.join();
        self.shared.remove(&self);
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    /// Ends both sides with RST.
    pub(super) fn reset(&self) {
        without_goodbye(&self.client);
        without_goodbye(&self.server);
        self.end();
    }

    /// Ends both sides as soon as what was written has been read.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        // Wakes the reads without telling the other ends.
        let _ = self.client.shutdown(Shutdown::Read);
        let _ = self.server.shutdown(Shutdown::Read);
        self.shared.wake();
    }

    pub(super) fn replies(&self) -> Replies {
        match self.replies.load(Ordering::SeqCst) {
            1 => Replies::Dropped,
            2 => Replies::Cut,
            _ => Replies::Forwarded,
        }
    }

    pub(super) fn set_replies(&self, replies: Replies) {
        self.replies.store(replies as u8, Ordering::SeqCst);
    }

    /// Lets the next reply break off after so many bytes of its body.
    pub(super) fn truncate(&self, bytes: u64) {
        *self.truncation.lock().unwrap_or_else(PoisonError::into_inner) = Some(Truncation::new(bytes));
    }

    /// What of the next bytes of a reply gets through, and whether it breaks off behind that.
    pub(super) fn cut(&self, bytes: Vec<u8>) -> (Vec<u8>, bool) {
        match &mut *self.truncation.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(truncation) => truncation.cut(&bytes),
            None => (bytes, false),
        }
    }
}

/// Lets a socket close with RST instead of FIN.
fn without_goodbye(socket: &TcpStream) {
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}
