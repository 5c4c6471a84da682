//! The options of the PostgreSQL index.

use cacheness_storage::{Error, ErrorKind, Result};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a schema's name may be, as PostgreSQL has it.
const MAX_NAME: usize = 63;

/// How long a prefix may be, so that the names of tables and indexes stay within [`MAX_NAME`].
const MAX_PREFIX: usize = 40;

/// The options of [`PostgresMetadata`](crate::PostgresMetadata), in a URL:
/// `postgres://me@db.example/cache?sslmode=verify-full&pool_size=20`. Unknown ones are refused.
///
/// ```
/// use cacheness_backend_postgres::PostgresConfig;
///
/// let config = PostgresConfig::default().schema("team").pool_size(20);
/// assert_eq!(config.statement_timeout_ms, 30_000);
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PostgresConfig {
    /// How many connections there are at most, 1 to 1000. They are made when they are needed, and stay. Default: 10.
    pub pool_size: usize,
    /// How long connecting may take, in milliseconds, 1 to 3,600,000. Default: 5000.
    pub connect_timeout_ms: u64,
    /// How long a call waits for a connection while all are in use, in milliseconds, 1 to 3,600,000. Default: 10,000.
    pub acquire_timeout_ms: u64,
    /// How long a statement may take, waiting for others' locks included, in milliseconds, 10 to 3,600,000. The server
    /// ends those that take longer; where it does not answer, the connection is given up. Default: 30,000.
    pub statement_timeout_ms: u64,
    /// The schema of the tables: ASCII letters, digits and `_`, at most 63. It is made when it is missing. Default: `public`.
    pub schema: String,
    /// What the names of the tables begin with: ASCII letters, digits and `_`, at most 40. Stores of other prefixes in the
    /// schema are strangers to this one. Default: `cacheness_`.
    pub table_prefix: String,
    /// What the server shows as the name of the program. Default: `cacheness`.
    pub application_name: String,
    /// The URL of a server that follows the first one, for what may lag behind: listings by `page`, and nothing else.
    /// Connections and TLS are as for the first. Default: none.
    pub replica: Option<String>,
    /// How copies in memory are proven fresh. Default: `probe`.
    pub coherence: NotificationMode,
    /// Whether the connection is encrypted, and how the server proves who it is. Default: `prefer`.
    pub sslmode: SslMode,
    /// A file with the certificates, in PEM, of those who may vouch for the server. Default: those of the system.
    pub sslrootcert: Option<PathBuf>,
    /// A file with the certificate, in PEM, that this program shows to the server. Needs `sslkey`. Default: none.
    pub sslcert: Option<PathBuf>,
    /// A file with the private key, in PEM, of `sslcert`. Default: none.
    pub sslkey: Option<PathBuf>,
}

/// How copies in memory are proven fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NotificationMode {
    /// By asking for the version: an acknowledged put is seen by every later get everywhere.
    #[default]
    Probe,
    /// By listening for what others commit: hits ask nobody, and are as fresh as the last notification.
    Notify,
}

/// Whether the connection is encrypted, and how the server proves who it is; as libpq means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can. Nobody proves anything.
    #[default]
    Prefer,
    /// Encrypted. The server proves nothing, unless `sslrootcert` is there: then as `verify-ca`.
    Require,
    /// Encrypted, with a certificate that somebody trusted vouches for, whatever name it holds.
    VerifyCa,
    /// Encrypted, with a certificate for the host of the URL that somebody trusted vouches for.
    VerifyFull,
}

impl Default for PostgresConfig {
    fn default() -> Self {
        Self {
            pool_size: 10,
            connect_timeout_ms: 5000,
            acquire_timeout_ms: 10_000,
            statement_timeout_ms: 30_000,
            schema: "public".into(),
            table_prefix: "cacheness_".into(),
            application_name: "cacheness".into(),
            replica: None,
            coherence: NotificationMode::default(),
            sslmode: SslMode::default(),
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
        }
    }
}

impl PostgresConfig {
    /// How many connections there are at most, 1 to 1000.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// How long a statement may take, in milliseconds, 10 to 3,600,000.
    #[must_use]
    pub fn statement_timeout_ms(mut self, milliseconds: u64) -> Self {
        self.statement_timeout_ms = milliseconds;
        self
    }

    /// The schema of the tables.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// What the names of the tables begin with.
    #[must_use]
    pub fn table_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.table_prefix = prefix.into();
        self
    }

    /// How copies in memory are proven fresh.
    #[must_use]
    pub fn coherence(mut self, coherence: NotificationMode) -> Self {
        self.coherence = coherence;
        self
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    /// How long to wait for the answer to what was sent: a little longer than the server works on it.
    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms) + Duration::from_secs(2)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let hour = 3_600_000;
        if !(1..=1000).contains(&self.pool_size) {
            return Err(wrong("pool_size", "1 to 1000"));
        }
        for (name, value, least) in [
            ("connect_timeout_ms", self.connect_timeout_ms, 1),
            ("acquire_timeout_ms", self.acquire_timeout_ms, 1),
            ("statement_timeout_ms", self.statement_timeout_ms, 10),
        ] {
            if !(least..=hour).contains(&value) {
                return Err(wrong(name, &format!("{least} to {hour}")));
            }
        }
        check_name("schema", &self.schema, MAX_NAME)?;
        check_name("table_prefix", &self.table_prefix, MAX_PREFIX)?;
        if self.application_name.len() > MAX_NAME
            || !self.application_name.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        {
            return Err(wrong("application_name", "at most 63 printable ASCII characters"));
        }
        if self.sslcert.is_some() != self.sslkey.is_some() {
            let message = "sslcert and sslkey belong together, and one of them is missing";
            return Err(Error::new(ErrorKind::Config, message).advice("give both, or neither"));
        }
        Ok(())
    }
}

/// Refuses what could not stand in SQL as it is.
fn check_name(option: &str, name: &str, longest: usize) -> Result<()> {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts && name.len() <= longest && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    let message = format!("the option {option} of the PostgreSQL index is no identifier");
    let advice = format!("use 1 to {longest} ASCII letters, digits and underscores, with no digit first");
    Err(Error::new(ErrorKind::Config, message).advice(advice))
}

fn wrong(option: &str, bounds: &str) -> Error {
    let message = format!("the option {option} of the PostgreSQL index is out of bounds");
    Error::new(ErrorKind::Config, message).advice(format!("choose {bounds}"))
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("pool_size", &self.pool_size)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("acquire_timeout_ms", &self.acquire_timeout_ms)
            .field("statement_timeout_ms", &self.statement_timeout_ms)
            .field("schema", &self.schema)
            .field("table_prefix", &self.table_prefix)
            .field("application_name", &self.application_name)
            .field("replica", &self.replica.as_ref().map(|_| "…"))
            .field("coherence", &self.coherence)
            .field("sslmode", &self.sslmode)
            .field("sslrootcert", &self.sslrootcert)
            .field("sslcert", &self.sslcert)
            .field("sslkey", &self.sslkey)
            .finish()
    }
}
