//! What the S3 endpoint adds to s3s-fs, asked by the official client over the wire.

mod listing;
mod multipart;
mod objects;
mod requests;
mod support;
