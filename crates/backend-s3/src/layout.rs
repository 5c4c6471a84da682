//! Where a blob lies below the prefix, and the small objects beside the blobs. `tests/golden` pins the keys.

use cacheness_storage::{BlobId, Error, ErrorKind, Result};

/// The object that says how the blobs below a prefix are laid out.
const LAYOUT: &str = "cacheness-layout";

/// The object that conditional puts are tried on.
const PROBE: &str = "cacheness-probe";

const VERSION: u32 = 1;
const MAX_SHARD_CHARS: u8 = 4;
const EXTENSION: &str = ".blob";

/// No layout object is longer, in bytes.
pub(crate) const MAX_LAYOUT: u64 = 4096;

/// The keys of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Empty, or ending in a slash.
    root: String,
    shard_chars: u8,
}

impl Layout {
    /// The layout below a prefix that has no slash at its end.
    pub(crate) fn new(prefix: &str, shard_chars: u8) -> Self {
        let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { root, shard_chars: shard_chars.min(MAX_SHARD_CHARS) }
    }

    /// What all keys of the store begin with.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The key of the layout object.
    pub(crate) fn layout_key(&self) -> String {
        format!("{}{LAYOUT}", self.root)
    }

    /// The key of the probe object.
    pub(crate) fn probe_key(&self) -> String {
        format!("{}{PROBE}", self.root)
    }

    /// The key of a blob. Keys are in the order of names.
    pub(crate) fn key(&self, id: &BlobId) -> String {
        let name = id.to_string();
        match name.get(..usize::from(self.shard_chars)) {
            Some(shard) if !shard.is_empty() => format!("{}{shard}/{name}{EXTENSION}", self.root),
            _ => format!("{}{name}{EXTENSION}", self.root),
        }
    }

    /// The blob that a key names; `None` for the key of anything else.
    pub(crate) fn parse_key(&self, key: &str) -> Option<BlobId> {
        let name = key.strip_prefix(&self.root)?.rsplit('/').next()?;
        let id = name.strip_suffix(EXTENSION)?.parse().ok()?;
        (self.key(&id) == key).then_some(id)
    }

    /// The text of the layout object.
    pub(crate) fn to_text(&self) -> String {
        format!("cacheness-s3-blobs {VERSION}\nshard_chars {}\n", self.shard_chars)
    }

    /// Compares the text of a layout object with what was asked for.
    pub(crate) fn check(&self, text: &str) -> Result<()> {
        if text == self.to_text() {
            return Ok(());
        }
        let key = self.layout_key();
        let foreign = || {
            Error::new(ErrorKind::ForeignStore, format!("the object {key} is none of cacheness"))
                .advice("give another prefix; nothing was changed under this one")
        };
        let (first, rest) = text.split_once('\n').ok_or_else(foreign)?;
        let version = first.strip_prefix("cacheness-s3-blobs ").and_then(number).ok_or_else(foreign)?;
        if version > VERSION {
            let message = format!("the store has layout {version}, but this version knows only layout {VERSION}");
            return Err(Error::new(ErrorKind::FormatTooNew, message).advice("use a newer version of cacheness"));
        }
        match rest.strip_prefix("shard_chars ").and_then(|rest| rest.strip_suffix('\n')).and_then(number) {
            Some(chars) if version == VERSION && chars <= u32::from(MAX_SHARD_CHARS) => {
                let message = format!("the store was made with shard_chars {chars}, not {}", self.shard_chars);
                Err(Error::new(ErrorKind::Config, message)
                    .advice(format!("set shard_chars={chars}, or give another prefix")))
            }
            _ => Err(Error::new(ErrorKind::Corrupt, format!("the object {key} is damaged: {text:?}"))
                .advice("write it anew: the lengths of the folders' names tell shard_chars")),
        }
    }
}

/// A decimal number as we write it: digits only, no leading zero.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_names_and_name_their_blob_only() {
        let mut ids: Vec<BlobId> = (0..=255).map(|n| BlobId::from_bytes([n; 16])).collect();
        ids.push(BlobId::from_bytes(*b"\x00\xff\x00\xff\x00\xff\x00\xff\x00\xff\x00\xff\x00\xff\x00\xff"));
        ids.sort();
        for prefix in ["", "p", "team/cache"] {
            for shard_chars in 0..=MAX_SHARD_CHARS {
                let layout = Layout::new(prefix, shard_chars);
                let keys: Vec<String> = ids.iter().map(|id| layout.key(id)).collect();
                assert!(keys.is_sorted());
                for (id, key) in ids.iter().zip(&keys) {
                    assert_eq!(layout.parse_key(key), Some(*id));
                    assert_eq!(layout.parse_key(&format!("{key} ")), None);
                    assert_eq!(layout.parse_key(&key.replace(".blob", ".tmp")), None);
                    let deeper = Layout::new(&format!("{prefix}x"), shard_chars);
                    assert_eq!(deeper.parse_key(key), None);
                    let otherwise = Layout::new(prefix, (shard_chars + 1) % 5);
                    assert_eq!(otherwise.parse_key(key), None, "another layout's key");
                }
            }
        }
    }

    #[test]
    fn a_layout_object_is_read_strictly() {
        let layout = Layout::new("", 2);
        assert!(layout.check(&layout.to_text()).is_ok());
        for (text, kind) in [
            ("", ErrorKind::ForeignStore),
            ("cacheness-s3-blobs 1", ErrorKind::ForeignStore),
            ("cacheness-s3-blobs 01\nshard_chars 2\n", ErrorKind::ForeignStore),
            ("cacheness-blobs 1\nshard_chars 2\n", ErrorKind::ForeignStore),
            ("cacheness-s3-blobs 2\nanything", ErrorKind::FormatTooNew),
            ("cacheness-s3-blobs 1\nshard_chars 3\n", ErrorKind::Config),
            ("cacheness-s3-blobs 1\nshard_chars 5\n", ErrorKind::Corrupt),
            ("cacheness-s3-blobs 0\nshard_chars 2\n", ErrorKind::Corrupt),
            ("cacheness-s3-blobs 1\nshard_chars 2", ErrorKind::Corrupt),
        ] {
            assert_eq!(layout.check(text).unwrap_err().kind(), kind, "{text:?}");
        }
    }
}
