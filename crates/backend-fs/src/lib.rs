#![doc = include_str!("../README.md")]

mod backend;
mod config;
mod directory;
mod durable;
pub mod json;
mod layout;
mod open;
mod publish;
mod read;
mod root;
mod walk;

pub use backend::{FsBlobs, register};
pub use config::FsConfig;
