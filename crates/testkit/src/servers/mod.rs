//! Servers that somebody starts for tests: a PostgreSQL cluster and an S3 endpoint, each in a temporary directory and on a
//! free loopback port. Nothing here but the standard library, because `xtask` compiles these files too.

mod account;
mod guard;
mod home;
mod postgres;
mod s3;

pub(crate) use account::Account;
pub(crate) use guard::Guard;
pub(crate) use postgres::{Cluster, binaries};
pub(crate) use s3::Endpoint;
