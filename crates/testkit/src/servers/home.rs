//! Temporary directories and free ports.

use super::Account;
use std::env;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Makes a directory of a new name, for the account alone.
pub(crate) fn create(name: &str, account: Account) -> io::Result<PathBuf> {
    let path = env::temp_dir().join(format!("cacheness-{name}-{}", chance()));
    fs::DirBuilder::new().mode(0o700).create(&path)?;
    account.own_path(&path)?;
    Ok(path)
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// 16 digits that nobody else draws.
pub(crate) fn chance() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
