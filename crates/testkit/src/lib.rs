#![doc = include_str!("../README.md")]

pub mod bench;
pub mod blobs;
#[cfg(unix)]
pub mod crash;
#[cfg(target_os = "linux")]
pub mod full_disk;
pub mod metadata;
#[cfg(unix)]
pub mod proxy;
pub mod records;
pub mod services;
#[cfg(target_os = "linux")]
pub mod syscalls;

mod handler;
mod need;
mod poll;
mod rng;
#[cfg(unix)]
mod servers;
mod subject;
mod suite;
mod threads;

pub use cacheness_core::{Error, Result};
pub use handler::handler_roundtrip;
pub use rng::SeededRng;
pub use subject::{BlobSubject, MetadataSubject, Subject};
pub use suite::Check;
