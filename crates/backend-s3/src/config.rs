//! The options of an S3 store, as a URL or a configuration file gives them.

use crate::check;
use cacheness_core::Secret;
use cacheness_core::size::Size;
use cacheness_storage::{BackendUrl, Error, ErrorKind, Result, options_from_url};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::path::PathBuf;

/// Where the blobs are, who may reach them, and how they travel. Sizes are in bytes or in words (`8 MiB`), times in
/// milliseconds.
///
/// ```
/// use cacheness_backend_s3::S3Config;
///
/// let mut config = S3Config::new("team-cache").prefix("models").region("eu-central-1");
/// config.concurrency = 8;
/// assert_eq!(config.to_string(), "s3://team-cache/models");
/// ```
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct S3Config {
    /// The bucket, which must exist. In a URL it stands behind `s3://`.
    pub bucket: String,
    /// What the keys of all objects begin with: parts of letters, digits and `-_.!*'()`, between slashes. In a URL it
    /// stands behind the bucket. Default: nothing.
    pub prefix: String,
    /// The region. Default: as the environment and the profile say; with an `endpoint_url` and none of them `us-east-1`.
    pub region: Option<String>,
    /// The endpoint of another store than Amazon's, such as `https://minio.example.com:9000`. Default: Amazon's.
    pub endpoint_url: Option<String>,
    /// Whether the endpoint may be reached by plain HTTP, which shows every byte on the way. An endpoint on this machine
    /// always may. Default `false`.
    pub allow_http: bool,
    /// Whether the bucket stands in the path of a request, not in the host name. Default: only with an `endpoint_url`.
    pub path_style: Option<bool>,
    /// The access key. With `secret_key` it replaces the standard chain of credentials.
    pub access_key: Option<Secret>,
    /// The secret key that belongs to `access_key`.
    pub secret_key: Option<Secret>,
    /// The session token that belongs to temporary keys.
    pub session_token: Option<Secret>,
    /// The profile that region and credentials are taken from. Default: as the environment says.
    pub profile: Option<String>,
    /// How many leading digits of a blob's name stand in its key as a folder, 0 to 4. Fixed when the store is first
    /// opened. Default 2.
    pub shard_chars: u8,
    /// The storage class of new objects. Those that must be restored before they can be read are refused. Default: the
    /// bucket's.
    pub storage_class: Option<String>,
    /// The encryption at rest of new objects. Default: the bucket's.
    pub encryption: Option<Encryption>,
    /// The key of [`Encryption::Kms`]. Default: the account's key for S3.
    pub kms_key_id: Option<String>,
    /// Larger blobs are uploaded in parts, 5 MiB to 5 GiB. A smaller one is read into memory for its upload. Default 16
    /// MiB.
    #[serde(deserialize_with = "bytes")]
    pub multipart_threshold: u64,
    /// The size of a part, of uploads and of downloads, 5 MiB to 1 GiB. Uploads of more than 10,000 parts use larger
    /// ones. Default 8 MiB.
    #[serde(deserialize_with = "bytes")]
    pub part_size: u64,
    /// How many parts of one blob travel at once, 1 to 64. A transfer needs this many times `part_size` of memory.
    /// Default 4.
    pub concurrency: usize,
    /// Larger blobs are read into a temporary file, smaller ones into memory, 64 KiB to 1 GiB. Default 8 MiB.
    #[serde(deserialize_with = "bytes")]
    pub memory_limit: u64,
    /// A directory of this machine for the files that large blobs pass through. Default: the system's for temporary
    /// files.
    pub staging: Option<PathBuf>,
    /// How long connecting may take. Default 3000.
    pub connect_timeout_ms: u64,
    /// How long an attempt of a request may take until its answer begins; requests that carry a large body get a second
    /// more for each 128 KiB of it. Default 20000.
    pub attempt_timeout_ms: u64,
    /// How long a request may take with all its attempts, with the same addition for each. A blob in parts is many
    /// requests. Default 60000.
    pub operation_timeout_ms: u64,
    /// How long a download may stand still. Default 20000.
    pub stall_timeout_ms: u64,
    /// How often a request is tried, 1 to 10, with growing, random pauses. For longer outages there is the `Retry` layer.
    /// Default 3.
    pub max_attempts: u32,
}

/// How the store encrypts objects at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Encryption {
    /// With keys of S3's own (SSE-S3).
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of the key management service (SSE-KMS).
    #[serde(rename = "aws:kms")]
    Kms,
}

impl S3Config {
    /// The defaults, for a bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }

    /// As [`prefix`](Self::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// As [`region`](Self::region).
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// As [`endpoint_url`](Self::endpoint_url).
    #[must_use]
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// As [`access_key`](Self::access_key) and [`secret_key`](Self::secret_key).
    #[must_use]
    pub fn credentials(mut self, access_key: Secret, secret_key: Secret) -> Self {
        (self.access_key, self.secret_key) = (Some(access_key), Some(secret_key));
        self
    }

    /// What a URL says: `s3://bucket/prefix?region=eu-central-1`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL without a bucket, with credentials before it, and for options that are unknown
    /// or out of bounds.
    pub fn from_url(url: &BackendUrl) -> Result<Self> {
        let config: Self = options_from_url(url)?;
        let wrong = |message: &'static str| Err(Error::new(ErrorKind::Config, message).advice(EXAMPLE));
        let Some(place) = url.rest().strip_prefix("//") else { return wrong("the URL names no bucket") };
        if place.contains('@') {
            return wrong("credentials stand before the bucket, where they would be shown");
        }
        if !config.bucket.is_empty() || !config.prefix.is_empty() {
            return wrong("bucket and prefix stand in the path of a URL, not among its options");
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let config = Self { bucket: bucket.into(), prefix: prefix.trim_end_matches('/').into(), ..config };
        check::all(&config)?;
        Ok(config)
    }
}

/// What a URL should look like.
const EXAMPLE: &str = "write s3://bucket/prefix?region=eu-central-1, and let the environment or the options access_key \
                       and secret_key give the credentials";

impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            region: None,
            endpoint_url: None,
            allow_http: false,
            path_style: None,
            access_key: None,
            secret_key: None,
            session_token: None,
            profile: None,
            shard_chars: 2,
            storage_class: None,
            encryption: None,
            kms_key_id: None,
            multipart_threshold: 16 << 20,
            part_size: 8 << 20,
            concurrency: 4,
            memory_limit: 8 << 20,
            staging: None,
            connect_timeout_ms: 3000,
            attempt_timeout_ms: 20_000,
            operation_timeout_ms: 60_000,
            stall_timeout_ms: 20_000,
            max_attempts: 3,
        }
    }
}

impl fmt::Display for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

/// Only the place: an endpoint, too, may have been written with credentials in it.
impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Config({self})")
    }
}

/// A number of bytes, or a size in words.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Bytes;

    impl de::Visitor<'_> for Bytes {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a size, such as 8388608 or \"8 MiB\"")
        }

        fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<u64, E> {
            Ok(bytes)
        }

        fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
            u64::try_from(bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            text.parse::<Size>().map(|size| size.0).map_err(E::custom)
        }
    }

    deserializer.deserialize_any(Bytes)
}
