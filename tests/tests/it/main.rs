//! The cache through its public face, on real files, in real processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod at_once;
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
mod defaults;
mod degraded;
mod examples;
mod explain;
mod faces;
mod formats;
#[cfg(target_os = "linux")]
mod full_disk;
mod health;
mod hostile;
mod idle;
#[cfg(target_os = "linux")]
mod io_errors;
mod keys;
mod leases;
mod limits;
mod many_processes;
mod memory_layer;
mod migrating;
mod model;
mod moving;
mod namespaces;
mod observing;
mod parameters;
#[cfg(target_os = "linux")]
mod power;
mod processes;
mod protocol;
mod read_only;
mod readers;
mod registry;
mod remote;
mod round_trips;
#[cfg(unix)]
mod services;
mod shapes;
mod shared_server;
mod sharing;
mod skew;
mod stale;
mod stores;
mod support;
mod sweeping;
mod tags;
mod uses;
mod verbs;
