//! Servers of a test's own.

use super::S3_ENDPOINT_BINARY;
use crate::need::fail;
use crate::servers::{self, Cluster, Endpoint, Guard};
use std::env;
use std::io;
use std::path::Path;
use std::process::Child;

/// A PostgreSQL cluster of the test's own, on a free loopback port and in a temporary directory. Both go when this is dropped,
/// and when the test's process is killed.
///
/// It takes SCRAM passwords, orders text by words unless told otherwise, and does not fsync; what was committed survives
/// [`stop`](Self::stop), not the loss of power. Making one takes about two seconds.
///
/// ```no_run
/// use cacheness_testkit::services::PrivatePostgres;
///
/// let mut postgres = PrivatePostgres::start();
/// let url = postgres.url();
/// // … connect, put …
/// postgres.stop();
/// // … every call fails quickly …
/// postgres.start_again();
/// // … and works again, at the same URL, with all that was committed.
/// assert_eq!(postgres.url(), url);
/// ```
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    _guard: Guard,
}

impl PrivatePostgres {
    /// Makes and starts a cluster.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is not installed, or does not start, with the reason.
    pub fn start() -> Self {
        let started = servers::start_postgres();
        let (cluster, guard) =
            started.unwrap_or_else(|error| unobtainable("PostgreSQL", "install the package postgresql", &error));
        Self { cluster, _guard: guard }
    }

    /// The URL of its database `postgres`, for its superuser.
    pub fn url(&self) -> String {
        self.cluster.url()
    }

    /// Stops it as a crash would: every connection breaks, new ones are refused, nothing is finished.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn stop(&mut self) {
        let stopped = self.cluster.stop();
        stopped.unwrap_or_else(|error| unobtainable("PostgreSQL", "it did not stop", &error));
    }

    /// Starts it again, on its port and with its data.
    ///
    /// # Panics
    ///
    /// When it does not start, with the reason.
    pub fn start_again(&mut self) {
        let started = self.cluster.start();
        started.unwrap_or_else(|error| unobtainable("PostgreSQL", "it did not start again", &error));
    }

    /// Adds a line to its configuration, such as `ssl = on`, for the next start.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn configure(&mut self, line: &str) {
        let written = self.cluster.configure(&format!("{line}\n"));
        written.unwrap_or_else(|error| unobtainable("PostgreSQL", "its configuration was not written", &error));
    }

    /// Writes a file into its data directory, such as `server.key`, which only the server may read.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn write_file(&mut self, name: &str, contents: &str) {
        let written = self.cluster.write_data(name, contents);
        written.unwrap_or_else(|error| unobtainable("PostgreSQL", "a file of it was not written", &error));
    }
}

/// An S3 endpoint of the test's own, in a process, on a free loopback port and in a temporary directory. Both go when this is
/// dropped, and when the test's process is killed.
#[derive(Debug)]
pub struct PrivateS3 {
    endpoint: Endpoint,
    child: Option<Child>,
    _guard: Guard,
}

impl PrivateS3 {
    /// Starts an endpoint without a bucket.
    ///
    /// # Panics
    ///
    /// When `CACHENESS_TEST_S3_ENDPOINT_BIN` does not name its program, which `cargo xtask test` builds, or it does not start.
    pub fn start() -> Self {
        let way =
            "run `cargo xtask test`, or build tests/s3-endpoint and set CACHENESS_TEST_S3_ENDPOINT_BIN to the program";
        let binary = env::var_os(S3_ENDPOINT_BINARY).ok_or_else(|| io::Error::other("its program is not known"));
        let started = binary.and_then(|binary| servers::start_s3(Path::new(&binary)));
        let (endpoint, child, guard) = started.unwrap_or_else(|error| unobtainable("an S3 endpoint", way, &error));
        Self { endpoint, child: Some(child), _guard: guard }
    }

    /// Where it is, with its credentials, as [`s3`](super::s3) gives it.
    pub fn url(&self) -> String {
        self.endpoint.url()
    }

    /// Stops it: every connection breaks, new ones are refused. Uploads in parts are forgotten, objects are not.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }

    /// Starts it again, on its port and with its objects.
    ///
    /// # Panics
    ///
    /// When it does not start, with the reason.
    pub fn start_again(&mut self) {
        self.stop();
        let started = self.endpoint.start(false);
        self.child =
            Some(started.unwrap_or_else(|error| unobtainable("the S3 endpoint", "it did not start again", &error)));
    }
}

impl Drop for PrivateS3 {
    fn drop(&mut self) {
        self.stop();
    }
}

fn unobtainable(what: &str, hint: &str, error: &io::Error) -> ! {
    fail(format!("this test needs {what} of its own ({hint}): {error}"))
}
