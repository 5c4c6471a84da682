//! The cache through its public face, on real files, in real processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod background;
mod bad_input;
mod blob_codecs;
mod blob_store;
mod blob_verbs;
mod cache;
mod compute;
mod contention;
mod contexts;
#[cfg(unix)]
mod crash;
mod damage;
mod examples;
mod faces;
mod formats;
#[cfg(target_os = "linux")]
mod full_disk;
mod hostile;
#[cfg(target_os = "linux")]
mod io_errors;
mod keys;
mod model;
mod moving;
#[cfg(target_os = "linux")]
mod observing;
mod parameters;
mod power;
mod processes;
mod protocol;
mod read_only;
mod readers;
mod registry;
mod remote;
mod shapes;
mod sharing;
mod stores;
mod support;
mod sweeping;
mod verbs;
