//! The backend before a real server, and what a relay shows and does on the wire between them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;
mod relay;

mod conformance;
mod failures;
mod keys;
mod listing;
mod multipart;
mod opening;
mod presigned;
mod reading;
mod secrets;
mod usage;
mod wire;
