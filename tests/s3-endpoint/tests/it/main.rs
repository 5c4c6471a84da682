//! What the endpoint adds to s3s-fs, asked by the official client over the wire.
#![allow(clippy::unwrap_used, reason = "test support")]

mod listing;
mod multipart;
mod objects;
mod requests;
mod support;
