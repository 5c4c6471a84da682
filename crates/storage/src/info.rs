//! What a backend says about itself.

use crate::Feed;
use cacheness_core::Timestamp;
use cacheness_core::size::Size;
use cacheness_generations::Reader as GenerationReader;
use std::borrow::Cow;
use std::fmt;

/// What a backend is, and what it can do. Constant while it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name it is registered under, such as `sqlite`.
    pub name: Cow<'static, str>,
    /// Who can see what is in it.
    pub locality: Locality,
    /// Whether its futures do their work when polled and are ready on the first poll. The others need tokio.
    pub blocking: bool,
    /// What it can do beyond the contract.
    pub capabilities: Capabilities,
}

/// Who can see what is in a backend, from few to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Locality {
    /// This process, until it ends.
    Process,
    /// Every process of this machine, at once or one after the other.
    Host,
    /// Many machines.
    Shared,
}

/// What a backend can do beyond the contract. A capability that is missing is refused at open, not at call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// `get` of a blob honours `if_match`.
    pub if_match: bool,
    /// Of several puts of one blob name at once, one alone succeeds. Names are minted from 128 random bits and never used
    /// twice, so that nothing depends on it.
    pub exclusive_puts: bool,
    /// Commits survive the loss of power when asked for [`Durability::Full`].
    pub full_durability: bool,
    /// [`OpenContext::read_only`](crate::OpenContext::read_only) is honoured.
    pub read_only: bool,
    /// Rows of the user's own tables ride in a commit.
    pub custom_rows: bool,
}

/// What an acknowledged put survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub enum Durability {
    /// The end of the process, also by `kill -9`.
    #[default]
    Process,
    /// The loss of power.
    Full,
}

/// How a memory copy of a record is proven fresh.
///
/// Two are equal when they are of the same kind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Coherence {
    /// Nobody but the one who holds this backend can change what is in it, no other opening in this process either.
    Exclusive,
    /// By counters of the stripes that keys belong to: a copy is fresh as long as the stamp that was taken of the key's
    /// bytes before the record was read. Every commit marks the stripes of the keys it changes, from before anybody can
    /// see it until after everybody can.
    Generations(GenerationReader),
    /// By counters that follow what the store tells of others' changes: as fresh as the last message. While messages
    /// may be lost, as [`Probe`](Self::Probe).
    Feed(Feed),
    /// Only by asking for the record's version.
    Probe,
}

impl PartialEq for Coherence {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Eq for Coherence {}

/// Totals of an index; kept, never summed. `Display` prints a report for people.
///
/// ```
/// use cacheness_storage::sync::BlobStore;
///
/// let store = BlobStore::builder().metadata("memory:").blobs("memory:").open()?;
/// store.put("first", "Ada Lovelace")?;
/// assert_eq!(store.stats()?.to_string(), "\
/// entries                    1
/// stored                  12 B
/// blobs                      0
/// condemned                  0");
/// # Ok::<(), cacheness_storage::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct MetadataStats {
    /// Records, without system records.
    pub entries: u64,
    /// Stored bytes: payloads in records and blobs, each blob once, trailers not counted.
    pub bytes: u64,
    /// Blobs that records name.
    pub blobs: u64,
    /// Condemned blobs that are not forgotten yet.
    pub condemned: u64,
    /// The time that conditions of this backend are evaluated at.
    pub now: Timestamp,
}

impl fmt::Display for MetadataStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18}{:>10}", "entries", self.entries)?;
        writeln!(f, "{:<18}{:>10}", "stored", Size(self.bytes).to_string())?;
        writeln!(f, "{:<18}{:>10}", "blobs", self.blobs)?;
        write!(f, "{:<18}{:>10}", "condemned", self.condemned)
    }
}
