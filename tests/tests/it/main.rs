//! The cache through its public face, on real files, in real processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod bad_input;
mod blob_store;
mod cache;
mod contexts;
mod damage;
mod faces;
mod formats;
mod keys;
mod moving;
mod processes;
mod protocol;
mod readers;
mod registry;
mod remote;
mod shapes;
mod sharing;
mod stores;
mod support;
mod sweeping;
