//! The name of a record.

use cacheness_core::{Error, ErrorKind, Result};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The key of a record: any UTF-8 string, unchanged, ordered by its bytes. Cloning shares it.
///
/// Keys that start with [`EntryKey::SYSTEM`] are the family's own: leases, tag generations, the store's identity.
/// `page`, `stats` and `reclaim` pass over them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize), serde(from = "String", into = "String"))]
pub struct EntryKey(Arc<str>);

impl EntryKey {
    /// The first character of system keys: the noncharacter U+10FFFF, which sorts after every other.
    pub const SYSTEM: char = '\u{10FFFF}';

    /// The key of a user's record.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self(Arc::from(key.as_ref()))
    }

    /// The key of a system record.
    pub fn system(name: &str) -> Self {
        Self(Arc::from([Self::SYSTEM.encode_utf8(&mut [0; 4]), name].concat()))
    }

    /// Whether it is the key of a system record.
    pub fn is_system(&self) -> bool {
        self.0.starts_with(Self::SYSTEM)
    }

    /// Refuses a key that a user must not name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKey`] for the key of a system record.
    pub fn check_user(&self) -> Result<()> {
        if self.is_system() {
            let message = "keys that start with the noncharacter U+10FFFF are reserved";
            return Err(Error::new(ErrorKind::InvalidKey, message).key(self));
        }
        Ok(())
    }

    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for EntryKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for EntryKey {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl From<EntryKey> for String {
    fn from(key: EntryKey) -> Self {
        key.as_str().to_owned()
    }
}

impl Borrow<str> for EntryKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
