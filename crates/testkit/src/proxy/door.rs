//! The listening socket and the thread that accepts.

use super::connection::Connection;
use super::shared::Shared;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a port that was given back may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open door; dropped, the next client is refused.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    pub(super) fn open(address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Self> {
        let listener = bind(address)?;
        let address = listener.local_addr()?;
        let is_closing = Arc::new(AtomicBool::new(false));
        let (closing, shared) = (Arc::clone(&is_closing), Arc::clone(shared));
        let thread = thread::Builder::new().name("proxy".into()).spawn(move || {
            for client in listener.incoming() {
                if closing.load(Ordering::SeqCst) {
                    return;
                }
                // An error concerns one client, which has gone.
                if let Ok(client) = client {
                    Connection::serve(client, &shared);
                }
            }
        })?;
        Ok(Self { address, is_closing, thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for a client.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            bound => return bound,
        }
    }
}
