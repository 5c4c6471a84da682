//! What a handler says about the bytes it writes, before the first of them.

use cacheness_core::{Error, ErrorKind, Result};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Extra fields that a handler stores beside its bytes and gets back on decode, by name.
pub type Extra = BTreeMap<String, Json>;

/// A value's format: what is stored with the bytes, and hints for the way there.
///
/// ```
/// use cacheness_handlers::Format;
///
/// let format = Format::new("grid", 1).extra("rows", 3).element_width(8).size_hint(24);
/// assert_eq!(format.extra["rows"], 3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// The format's name, such as `msgpack` or `raw`.
    pub name: Cow<'static, str>,
    /// The format's version; a handler refuses versions it does not know.
    pub version: u16,
    /// A hash of the value's schema, for formats that do not describe themselves.
    pub schema: Option<u64>,
    /// What the handler needs on decode beyond the bytes.
    pub extra: Extra,
    /// Hints for encoding; never stored.
    pub hints: Hints,
}

/// What a handler knows of its bytes before it writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hints {
    /// The bytes are compressed already, so a codec would waste time.
    pub compressed: bool,
    /// Bytes an element, for the byte-shuffle filter; 1 when there is nothing to shuffle.
    pub element_width: u8,
    /// How many bytes will be written, when that is known.
    pub size: Option<u64>,
}

impl Default for Hints {
    fn default() -> Self {
        Self { compressed: false, element_width: 1, size: None }
    }
}

impl Format {
    /// A format without schema, extra fields and hints.
    pub fn new(name: impl Into<Cow<'static, str>>, version: u16) -> Self {
        Self { name: name.into(), version, schema: None, extra: Extra::new(), hints: Hints::default() }
    }

    /// Makes sure that stored bytes are of the one format and version that a handler reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::FormatTooNew`] for any other.
    pub fn require(&self, name: &str, version: u16) -> Result<()> {
        if self.name == name && self.version == version {
            return Ok(());
        }
        let message = format!("the value is stored as {} {}, known is {name} {version}", self.name, self.version);
        Err(Error::new(ErrorKind::FormatTooNew, message)
            .advice("read it with the version that wrote it, or a newer one"))
    }

    /// Adds a field that is stored beside the bytes.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// Sets the hash of the value's schema.
    #[must_use]
    pub fn schema(mut self, schema: u64) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Says that the bytes are compressed already.
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.hints.compressed = true;
        self
    }

    /// Says how many bytes an element of an array has.
    #[must_use]
    pub fn element_width(mut self, bytes: u8) -> Self {
        self.hints.element_width = bytes.max(1);
        self
    }

    /// Says how many bytes will be written.
    #[must_use]
    pub fn size_hint(mut self, bytes: u64) -> Self {
        self.hints.size = Some(bytes);
        self
    }
}

/// The file extension, without the dot, that tells people and their tools what bytes of a format are: for names of
/// exported files. Nothing is stored under it.
///
/// A format that is named as its files are, such as `msgpack` or one of a plug-in called `parquet`, is its own extension.
/// `None` for a name that would make no sensible extension: more than 16 bytes, or not lower-case ASCII letters, digits
/// and underscores alone.
///
/// ```
/// use cacheness_handlers::format::extension_of;
///
/// assert_eq!(extension_of("utf-8"), Some("txt"));
/// assert_eq!(extension_of("npy"), Some("npy"));
/// assert_eq!(extension_of("../../etc/passwd"), None);
/// ```
pub fn extension_of(format: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match format {
        "utf-8" => Some("txt"),
        "raw" | "bincode" => Some("bin"),
        name => ((1..=16).contains(&name.len()) && name.bytes().all(is_plain)).then_some(name),
    }
}
