//! The PostgreSQL index, by a real server.

mod common;
mod conformance;
