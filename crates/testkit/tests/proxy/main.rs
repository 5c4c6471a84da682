//! Each fault of the proxy, on real sockets before a real server.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "test support")]

mod bytes;
mod http;
mod servers;
