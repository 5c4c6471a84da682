//! The blob that says which store a blob root belongs to. `docs/format.md` draws it.

use crate::StoreId;
use cacheness_core::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

/// The first bytes of a marker; its version follows.
const MAGIC: [u8; 7] = *b"\x89CSTORE";

const VERSION: u8 = 1;

/// Bytes of a marker of version 1: magic, version, identity, checksum.
pub(super) const LENGTH: u64 = 7 + 1 + 16 + 8;

/// What stands where the marker belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing.
    None,
    /// The beginning of a marker, as a process leaves it that was killed while it wrote one.
    Partial,
    /// The marker of a store.
    Of(StoreId),
}

/// The marker of a store.
pub(super) fn bytes(store: StoreId) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend_from_slice(store.as_bytes());
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads what stands where the marker belongs.
///
/// # Errors
///
/// [`ErrorKind::FormatTooNew`] for a marker of another version, [`ErrorKind::ForeignStore`] for anything else.
pub(super) fn read(found: &[u8]) -> Result<Mark> {
    // A loss of power can leave the size without the bytes.
    if found.len() as u64 <= LENGTH && found.iter().all(|byte| *byte == 0) {
        return Ok(Mark::Partial);
    }
    let foreign = || Error::new(ErrorKind::ForeignStore, "the marker of the blob root is of no known kind");
    if found.len() <= MAGIC.len() {
        return if MAGIC.starts_with(found) { Ok(Mark::Partial) } else { Err(foreign()) };
    }
    match found.strip_prefix(&MAGIC) {
        Some([VERSION, rest @ ..]) => {
            let Some((id, checksum)) = rest.split_first_chunk::<16>() else { return Ok(Mark::Partial) };
            let expected = bytes(StoreId::from_bytes(*id));
            if expected == found {
                Ok(Mark::Of(StoreId::from_bytes(*id)))
            } else if checksum.len() < 8 && expected.starts_with(found) {
                Ok(Mark::Partial)
            } else {
                Err(foreign())
            }
        }
        Some(_) => Err(Error::new(ErrorKind::FormatTooNew, "the blob root was marked by a newer version")
            .advice("update cacheness")),
        None => Err(foreign()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_a_marker_is_told_from_the_whole_and_from_others() {
        let store = StoreId::from_bytes([7; 16]);
        let whole = bytes(store);
        assert_eq!(whole.len() as u64, LENGTH);
        assert_eq!(read(&whole).unwrap(), Mark::Of(store));
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]).unwrap(), Mark::Partial, "{length}");
        }
        for byte in 0..whole.len() {
            let mut changed = whole.clone();
            changed[byte] ^= 1;
            let kind = if byte == 7 { ErrorKind::FormatTooNew } else { ErrorKind::ForeignStore };
            assert_eq!(read(&changed).unwrap_err().kind(), kind, "{byte}");
        }
        assert!(read(&[&whole[..], b"x"].concat()).is_err());
    }
}
