//! The trailer of a blob: who wrote it and what it holds, so that an index can be rebuilt from files. It lies behind
//! the payload, outside hash and ranges. `docs/format.md` draws it.

use crate::wire::{Reader, put_bytes};
use crate::{BlobId, Content, EntryKey, StoreId};
use cacheness_core::{Result, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

const VERSION: u8 = 1;

/// The last eight bytes of every blob. The first byte is not ASCII and the line ends catch text-mode copies.
const MAGIC: [u8; 8] = *b"\x89CBLOB\r\n";

/// Bytes of the fixed end of a trailer: length, version, flags, reserved, checksum, magic.
const FOOTER: usize = 4 + 1 + 1 + 2 + 8 + 8;

/// Flags say what else the trailer holds; a reader must know all that are set.
const HAS_EXPIRY: u8 = 1;

/// What a blob says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Trailer {
    /// The blob's own name.
    pub blob: BlobId,
    /// The store it belongs to.
    pub store: StoreId,
    /// The key it was first stored under.
    pub key: EntryKey,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the value expired, as it was put.
    pub expires_at: Option<Timestamp>,
    /// What the payload is.
    pub content: Content,
}

impl Trailer {
    /// The binary form, format version 1: what follows the payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        let content = self.content.to_bytes();
        let mut out = Vec::with_capacity(content.len() + self.key.as_str().len() + 56 + FOOTER);
        out.extend_from_slice(self.blob.as_bytes());
        out.extend_from_slice(self.store.as_bytes());
        out.extend_from_slice(&self.created_at.as_micros().to_le_bytes());
        if let Some(expires_at) = self.expires_at {
            out.extend_from_slice(&expires_at.as_micros().to_le_bytes());
        }
        put_bytes(&mut out, self.key.as_str().as_bytes());
        put_bytes(&mut out, &content);
        let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        let flags = if self.expires_at.is_some() { HAS_EXPIRY } else { 0 };
        out.extend_from_slice(&[VERSION, flags, 0, 0]);
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// Reads the trailer at the end of `blob`, or of its last bytes.
    ///
    /// # Errors
    ///
    /// [`FormatTooNew`](crate::ErrorKind::FormatTooNew) for another version, [`Corrupt`](crate::ErrorKind::Corrupt)
    /// for bytes that end in no trailer or hold too little of it.
    pub fn from_end_of(blob: &[u8]) -> Result<Self> {
        let reader = Reader::new("blob trailer", &[]);
        let start = blob.len().checked_sub(FOOTER).ok_or_else(|| reader.corrupt("is missing"))?;
        let (before, footer) = blob.split_at(start);
        let mut footer = Reader::new("blob trailer", footer);
        let length = u32::from_le_bytes(footer.array()?);
        let version = footer.byte()?;
        let flags = footer.byte()?;
        footer.bytes(2)?;
        let checksum = u64::from_le_bytes(footer.array()?);
        if footer.array()? != MAGIC {
            return Err(reader.corrupt("is missing"));
        }
        if version != VERSION || flags & !HAS_EXPIRY != 0 {
            return Err(reader.too_new());
        }
        let body = usize::try_from(length).ok().and_then(|length| before.len().checked_sub(length));
        let body = body.ok_or_else(|| reader.corrupt("is cut off"))?;
        let checked = blob.get(body..start + 8).unwrap_or_default();
        if xxh3_64(checked) != checksum {
            return Err(reader.corrupt("does not match its checksum"));
        }
        let mut reader = Reader::new("blob trailer", before.get(body..).unwrap_or_default());
        let trailer = Self {
            blob: BlobId::from_bytes(reader.array()?),
            store: StoreId::from_bytes(reader.array()?),
            created_at: Timestamp::from_micros(i64::from_le_bytes(reader.array()?)),
            expires_at: match flags & HAS_EXPIRY {
                0 => None,
                _ => Some(Timestamp::from_micros(i64::from_le_bytes(reader.array()?))),
            },
            key: EntryKey::new(reader.text()?),
            content: Content::from_bytes(reader.prefixed()?)?,
        };
        reader.finish()?;
        Ok(trailer)
    }
}
