//! The servers that tests of remote backends talk to, never mocked: shared ones, found by environment variables, and, for
//! tests that stop and start a server or change its settings, private ones.

#[cfg(unix)]
mod private;

#[cfg(unix)]
pub use private::{PrivatePostgres, PrivateS3};

use crate::need::fail;
use std::env;

/// Names the PostgreSQL of the tests: a URL of a user who may make schemas, roles and databases.
pub const POSTGRES: &str = "CACHENESS_TEST_POSTGRES";

/// Names the S3 endpoint of the tests: `http://ACCESS_KEY:SECRET_KEY@host:port`. Buckets may be made there.
pub const S3: &str = "CACHENESS_TEST_S3";

/// Names the program of `tests/s3-endpoint`, for tests that need an endpoint of their own.
pub const S3_ENDPOINT_BINARY: &str = "CACHENESS_TEST_S3_ENDPOINT_BIN";

/// The URL of the PostgreSQL that tests use.
///
/// # Panics
///
/// When there is none, with the ways to provide it.
#[track_caller]
pub fn postgres() -> String {
    provided(POSTGRES, "PostgreSQL", "postgres://user:password@host:5432/database")
}

/// The endpoint of the S3 store that tests use, with its credentials.
///
/// # Panics
///
/// When there is none, with the ways to provide it.
#[track_caller]
pub fn s3() -> String {
    provided(S3, "an S3 endpoint", "http://ACCESS_KEY:SECRET_KEY@host:9000")
}

#[track_caller]
fn provided(variable: &str, what: &str, example: &str) -> String {
    match env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => fail(format!(
            "this test needs {what}. Three ways to provide it: run `cargo xtask test`, which starts one; \
             run `cargo xtask services up` and export what it prints; or set {variable}={example}"
        )),
    }
}
