//! Random 128-bit names: of blobs, of versions, of stores. Minted, never derived, never reused.

use cacheness_core::hex::{self, Hex};
use cacheness_core::{Error, ErrorKind, Result, Rng};
use std::fmt;
use std::str::FromStr;

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new one, from 128 random bits.
            ///
            /// # Errors
            ///
            /// As [`Rng::fill`].
            pub fn mint(rng: &dyn Rng) -> Result<Self> {
                cacheness_core::rng::random(rng).map(Self)
            }

            /// The one made of these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                hex::parse(text).map(Self).ok_or_else(|| {
                    Error::new(ErrorKind::Corrupt, concat!("a ", $what, " is 32 lower-case hexadecimal digits"))
                })
            }
        }
    };
}

identifier!(
    /// The name of a blob: unique, immutable, independent of key and content.
    BlobId,
    "blob name"
);

identifier!(
    /// The version of a record: new with every commit of its key, never changed by access flushes.
    Version,
    "version"
);

identifier!(
    /// The identity of a store, kept in its index and at its blob root.
    StoreId,
    "store id"
);

impl BlobId {
    /// The blob that names the store its blob root belongs to. Never minted: 128 random bits are not all zero.
    pub const STORE: Self = Self([0; 16]);
}
