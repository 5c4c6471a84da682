//! Codecs: how payloads are compressed, streaming and bounded, with an optional byte-shuffle before the codec.
//!
//! ```
//! use cacheness_handlers::codec::{Codec, Encoder, decompress};
//! use std::io::Write;
//!
//! let codec: Codec = "zstd:5".parse()?;
//! let raw: Vec<u8> = (0..1000_u64).flat_map(u64::to_le_bytes).collect();
//!
//! let mut encoder = Encoder::new(codec, 8, Vec::new())?;
//! encoder.write_all(&raw)?;
//! let stored = encoder.finish()?;
//!
//! assert!(stored.len() < raw.len() / 8);
//! assert_eq!(decompress(codec.encoding(8), &stored, raw.len() as u64)?, raw);
//! # Ok::<(), cacheness_core::Error>(())
//! ```

mod blocks;
mod decoder;
mod encoder;
#[cfg_attr(not(feature = "gzip"), path = "gzip_absent.rs")]
mod gzip;
mod lz4;
mod nearest;
mod noise;
mod parallel;
mod stream;
mod zstandard;

pub use decoder::{Decoder, decompress};
pub use encoder::Encoder;
pub use noise::looks_random;

use cacheness_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How hard zstd and gzip try: 1 is fastest, 9 is smallest.
///
/// Both take the number as their own level. Zstandard's levels above 9, which take many times as long and much memory,
/// are not offered.
///
/// ```
/// use cacheness_handlers::codec::Level;
///
/// assert_eq!(Level::try_from(5)?.get(), 5);
/// assert!(Level::try_from(0).is_err());
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// The level as a number from 1 to 9.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Level {
    type Error = Error;

    fn try_from(level: u8) -> Result<Self> {
        if (1..=9).contains(&level) {
            return Ok(Self(level));
        }
        Err(Error::new(ErrorKind::Config, format!("compression level {level} is outside 1 to 9")))
    }
}

/// A choice of codec. In words: `none`, `lz4`, `zstd`, `zstd:5`, `gzip`, `gzip:9`.
///
/// ```
/// use cacheness_handlers::codec::Codec;
///
/// assert_eq!("zstd".parse::<Codec>()?, Codec::ZSTD);
/// assert_eq!(Codec::ZSTD.to_string(), "zstd:3");
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Stored as it is.
    None,
    /// LZ4 frames: the fastest.
    Lz4,
    /// Zstandard.
    Zstd(Level),
    /// Gzip: slower than zstd at every size, but every tool reads it. It needs the feature `gzip`.
    Gzip(Level),
}

impl Codec {
    /// Zstandard at level 3, its own default.
    pub const ZSTD: Self = Self::Zstd(Level(3));

    /// Gzip at level 6, its own default.
    pub const GZIP: Self = Self::Gzip(Level(6));

    /// The stored name of the codec.
    pub const fn id(self) -> CodecId {
        match self {
            Self::None => CodecId::None,
            Self::Lz4 => CodecId::Lz4,
            Self::Zstd(_) => CodecId::Zstd,
            Self::Gzip(_) => CodecId::Gzip,
        }
    }

    /// What a record says about a payload that was written with this codec and this element width.
    pub const fn encoding(self, shuffle: u8) -> Encoding {
        Encoding { codec: self.id(), shuffle }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None | Self::Lz4 => write!(f, "{}", self.id()),
            Self::Zstd(level) | Self::Gzip(level) => write!(f, "{}:{}", self.id(), level.get()),
        }
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(words: &str) -> Result<Self> {
        let (name, level) = words.split_once(':').map_or((words, None), |(name, level)| (name, Some(level)));
        let level = level.map(|level| {
            let number = level.parse::<u8>().map_err(|_| {
                Error::new(ErrorKind::Config, format!("compression level {level:?} is not a number from 1 to 9"))
            })?;
            Level::try_from(number)
        });
        match (name, level.transpose()?) {
            ("none", None) => Ok(Self::None),
            ("lz4", None) => Ok(Self::Lz4),
            ("zstd", level) => Ok(level.map_or(Self::ZSTD, Self::Zstd)),
            ("gzip", level) => Ok(level.map_or(Self::GZIP, Self::Gzip)),
            ("none" | "lz4", Some(_)) => Err(Error::new(ErrorKind::Config, format!("the codec {name} takes no level"))
                .advice(format!("write {name:?}"))),
            _ => Err(unknown(name)),
        }
    }
}

/// The error for a name that no codec has.
fn unknown(name: &str) -> Error {
    const KNOWN: [&str; 4] = ["none", "lz4", "zstd", "gzip"];
    let known = "known are none, lz4, zstd and gzip; zstd and gzip take a level from 1 to 9, as in zstd:5";
    let advice = match nearest::nearest(name, &KNOWN) {
        Some(meant) => format!("did you mean {meant}? {known}"),
        None => known.to_owned(),
    };
    Error::new(ErrorKind::Config, format!("unknown codec {name:?}")).advice(advice)
}

/// A codec as a record names it; the numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CodecId {
    /// Stored as it is.
    None = 0,
    /// An LZ4 frame.
    Lz4 = 1,
    /// A Zstandard frame.
    Zstd = 2,
    /// A gzip member.
    Gzip = 3,
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }
}

impl TryFrom<u8> for CodecId {
    type Error = Error;

    fn try_from(id: u8) -> Result<Self> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Lz4),
            2 => Ok(Self::Zstd),
            3 => Ok(Self::Gzip),
            _ => Err(Error::new(ErrorKind::FormatTooNew, format!("codec number {id} is not known"))
                .advice("read it with the version that wrote it, or a newer one")),
        }
    }
}

/// How the bytes of a payload are stored: all that is needed to read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Encoding {
    /// The codec.
    pub codec: CodecId,
    /// Bytes an element for the byte-shuffle; 0 and 1 say that nothing was shuffled.
    pub shuffle: u8,
}

impl Encoding {
    /// Neither compressed nor shuffled.
    pub const NONE: Self = Codec::None.encoding(1);

    /// How many raw bytes `stored` bytes can account for: as many as there are without a codec, 255 times as many with
    /// LZ4, of which each byte adds at most 255 to a length. The other codecs know no such bound: 0.
    pub const fn most_raw(self, stored: u64) -> u64 {
        match self.codec {
            CodecId::None => stored,
            CodecId::Lz4 => stored.saturating_mul(255),
            CodecId::Zstd | CodecId::Gzip => 0,
        }
    }
}
