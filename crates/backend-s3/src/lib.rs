#![doc = include_str!("../README.md")]

mod backend;
mod bucket;
mod check;
mod config;
mod connect;
mod delete;
mod describe;
mod download;
mod failure;
mod layout;
mod list;
mod multipart;
mod open;
mod presign;
mod transfer;
mod upload;
mod usage;

pub use backend::{S3Blobs, register};
pub use config::{Encryption, S3Config};
pub use usage::S3Usage;
