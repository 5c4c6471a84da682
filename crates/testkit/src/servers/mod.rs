//! Servers that somebody starts for tests: a PostgreSQL cluster and an S3 endpoint, each in a temporary directory and on a
//! free loopback port. Nothing here but the standard library, because `xtask` compiles these files too.

mod account;
mod guard;
mod home;
pub(crate) mod postgres;
mod s3;

pub(crate) use account::Account;
pub(crate) use guard::Guard;
pub(crate) use postgres::Cluster;
pub(crate) use s3::Endpoint;

use std::io;
use std::path::Path;
use std::process::Child;

/// Makes and starts a cluster that ends with the guard, or with this process.
pub(crate) fn start_postgres() -> io::Result<(Cluster, Guard)> {
    let mut cluster = Cluster::create()?;
    let guard = Guard::over(cluster.home(), cluster.account(), Some(&cluster.stopping()))?;
    cluster.start()?;
    Ok((cluster, guard))
}

/// Starts an endpoint that ends with the input of its process, whose directory goes with the guard; or with this process.
pub(crate) fn start_s3(binary: &Path) -> io::Result<(Endpoint, Child, Guard)> {
    let mut endpoint = Endpoint::create(binary)?;
    let guard = Guard::over(endpoint.home(), Account::own(), None)?;
    let child = endpoint.start(false)?;
    Ok((endpoint, child, guard))
}
