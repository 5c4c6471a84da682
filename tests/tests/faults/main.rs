//! What a cache over PostgreSQL and S3 does when the network and the servers fail: the faults are real, on a proxy before
//! each server, or the server is stopped.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod bad_input;
mod clocks;
mod commits;
mod common;
mod listening;
mod network;
mod outage;
mod secrets;
mod sick;
mod traffic;
mod transfers;
