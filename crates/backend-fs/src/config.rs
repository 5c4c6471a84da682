//! The options of a blob directory, as a URL or a configuration file gives them.

use serde::Deserialize;

/// How a blob directory is laid out, and who shares it.
///
/// ```
/// use cacheness_backend_fs::FsConfig;
///
/// let config = FsConfig::new().shard_chars(3);
/// assert_eq!((config.shard_chars, config.shared), (3, false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FsConfig {
    /// How many leading digits of a blob's name make its subdirectory, 0 to 4: 1, 16, 256, 4,096 or 65,536
    /// directories. Fixed when the directory is first opened. Default 2.
    ///
    /// A listing reads whole subdirectories, so 0 and 1 are for small stores.
    pub shard_chars: u8,
    /// Whether other machines mount the directory too: the backend then says
    /// [`Locality::Shared`](cacheness_storage::Locality::Shared). Default `false`.
    ///
    /// It changes nothing else. The filesystem must create files exclusively for all its clients (NFS from version 3
    /// on and SMB do), and a reader on one machine may fail when another one deletes the blob that it is reading.
    pub shared: bool,
}

impl FsConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`shard_chars`](Self::shard_chars).
    #[must_use]
    pub fn shard_chars(mut self, shard_chars: u8) -> Self {
        self.shard_chars = shard_chars;
        self
    }

    /// As [`shared`](Self::shared).
    #[must_use]
    pub fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }
}

impl Default for FsConfig {
    fn default() -> Self {
        Self { shard_chars: 2, shared: false }
    }
}
