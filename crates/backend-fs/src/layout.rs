//! Where a blob lies below the root, and the small text file that records it.

use cacheness_storage::{BlobId, Error, ErrorKind, Result};

/// The text file at the root that says how the directory is laid out.
pub(crate) const LAYOUT_FILE: &str = "layout";

/// The directory at the root where files are written before they are published.
pub(crate) const STAGING: &str = "staging";

/// What the names of all our files in [`STAGING`] begin with.
pub(crate) const STAGED_PREFIX: &str = "cacheness-";

/// No layout file is longer, in bytes.
pub(crate) const MAX_LAYOUT_FILE: u64 = 4096;

const VERSION: u32 = 1;
const MAX_SHARD_CHARS: u8 = 4;
const EXTENSION: &str = ".blob";

/// How blobs are spread over subdirectories, which are called shards and numbered by the digits that name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    shard_chars: u8,
}

impl Layout {
    pub(crate) fn new(shard_chars: u8) -> Result<Self> {
        if shard_chars > MAX_SHARD_CHARS {
            let message = format!("shard_chars is {shard_chars}, but it can only be 0 to {MAX_SHARD_CHARS}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { shard_chars })
    }

    pub(crate) fn shard_chars(self) -> u8 {
        self.shard_chars
    }

    /// How many shards there can be.
    pub(crate) fn shards(self) -> u32 {
        1 << (4 * self.shard_chars)
    }

    /// The shard of a blob. Shards in their order hold blobs in the order of their names.
    pub(crate) fn shard(self, id: &BlobId) -> u32 {
        let [first, second, ..] = *id.as_bytes();
        u32::from(u16::from_be_bytes([first, second])) >> (4 * (MAX_SHARD_CHARS - self.shard_chars))
    }

    /// The name of a shard's directory; `None` when blobs lie in the root itself.
    pub(crate) fn directory(self, shard: u32) -> Option<String> {
        let width = usize::from(self.shard_chars);
        (width > 0).then(|| format!("{shard:0width$x}"))
    }

    /// The text of the layout file.
    pub(crate) fn to_text(self) -> String {
        format!("cacheness-blobs {VERSION}\nshard_chars {}\n", self.shard_chars)
    }

    /// The layout that a layout file describes.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let foreign =
            || Error::new(ErrorKind::ForeignStore, "the file `layout` is not one of a cacheness blob directory");
        let (first, rest) = text.split_once('\n').ok_or_else(foreign)?;
        let version = first.strip_prefix("cacheness-blobs ").and_then(number).ok_or_else(foreign)?;
        if version > VERSION {
            let message = format!("the directory has layout {version}, but this version knows only layout {VERSION}");
            return Err(Error::new(ErrorKind::FormatTooNew, message).advice("use a newer version of cacheness"));
        }
        let shard_chars = rest.strip_prefix("shard_chars ").and_then(|rest| rest.strip_suffix('\n')).and_then(number);
        match shard_chars.map(u8::try_from) {
            Some(Ok(shard_chars @ 0..=MAX_SHARD_CHARS)) if version == VERSION => Ok(Self { shard_chars }),
            _ => {
                let message = format!("the file `layout` is damaged: {text:?}");
                Err(Error::new(ErrorKind::Corrupt, message)
                    .advice("write it anew: the lengths of the directory names tell shard_chars"))
            }
        }
    }
}

/// A decimal number as we write it: digits only, no leading zero.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The name of a blob's file: the whole name of the blob, whatever the layout.
pub(crate) fn file_name(id: &BlobId) -> String {
    format!("{id}{EXTENSION}")
}

/// The blob that a file name names; `None` for any other file's name.
pub(crate) fn parse_file_name(name: &str) -> Option<BlobId> {
    name.strip_suffix(EXTENSION)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The text of layout version 1, which every later version must read.
    const GOLDEN: &str = "cacheness-blobs 1\nshard_chars 2\n";

    #[test]
    fn the_layout_file_is_the_golden_text() {
        assert_eq!(Layout::new(2).unwrap().to_text(), GOLDEN);
        assert_eq!(Layout::from_text(GOLDEN).unwrap(), Layout { shard_chars: 2 });
    }

    #[test]
    fn a_layout_file_is_read_strictly() {
        let kinds = [
            ("", ErrorKind::ForeignStore),
            ("cacheness-blobs 1", ErrorKind::ForeignStore),
            ("cacheness-blobs +1\nshard_chars 2\n", ErrorKind::ForeignStore),
            ("cacheness-blobs 01\nshard_chars 2\n", ErrorKind::ForeignStore),
            ("somebody-else 1\nshard_chars 2\n", ErrorKind::ForeignStore),
            ("cacheness-blobs 2\nanything", ErrorKind::FormatTooNew),
            ("cacheness-blobs 0\nshard_chars 2\n", ErrorKind::Corrupt),
            ("cacheness-blobs 1\n", ErrorKind::Corrupt),
            ("cacheness-blobs 1\nshard_chars 5\n", ErrorKind::Corrupt),
            ("cacheness-blobs 1\nshard_chars 258\n", ErrorKind::Corrupt),
            ("cacheness-blobs 1\nshard_chars 2", ErrorKind::Corrupt),
            ("cacheness-blobs 1\nshard_chars 2\n\n", ErrorKind::Corrupt),
            ("cacheness-blobs 1\r\nshard_chars 2\r\n", ErrorKind::ForeignStore),
        ];
        for (text, kind) in kinds {
            assert_eq!(Layout::from_text(text).unwrap_err().kind(), kind, "{text:?}");
        }
    }

    #[test]
    fn shards_are_in_the_order_of_blob_names() {
        for shard_chars in 0..=MAX_SHARD_CHARS {
            let layout = Layout::new(shard_chars).unwrap();
            assert_eq!(layout.shard(&BlobId::STORE), 0);
            assert_eq!(layout.shard(&BlobId::from_bytes([0xff; 16])), layout.shards() - 1);
        }
    }

    proptest! {
        #[test]
        fn a_blob_is_found_by_its_file_name_only(bytes: [u8; 16]) {
            let id = BlobId::from_bytes(bytes);
            let name = file_name(&id);
            prop_assert_eq!(parse_file_name(&name), Some(id));
            for other in [format!("{name} "), format!(".{name}"), format!("x{name}"), name.replace(".blob", "")] {
                prop_assert_eq!(parse_file_name(&other), None);
            }
            for shard_chars in 1..=MAX_SHARD_CHARS {
                let layout = Layout::new(shard_chars).unwrap();
                let directory = layout.directory(layout.shard(&id)).unwrap();
                prop_assert_eq!(&directory, &name[..usize::from(shard_chars)]);
            }
        }

        #[test]
        fn no_text_makes_parsing_panic(text: String) {
            let _ = Layout::from_text(&text);
            let _ = parse_file_name(&text);
        }
    }
}
