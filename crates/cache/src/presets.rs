//! Builders with the values that a purpose asks for.

use crate::{Bundle, CacheBuilder, Compression, future, sync};
use cacheness_handlers::Codec;
use std::time::Duration;

/// Where a cache lies that was given no place.
pub(crate) const DIR: &str = "./cache";

/// Answers of services: in `./cache`, for six hours, compressed with LZ4, the fastest.
fn api<C>(builder: CacheBuilder<C>) -> CacheBuilder<C> {
    let compression = Compression { arrays: Codec::Lz4, objects: Codec::Lz4, ..Compression::default() };
    builder.dir(DIR).default_ttl(Duration::from_hours(6)).compression(compression)
}

macro_rules! presets {
    ($($face:ident)*) => {$(
        impl<B: Bundle> $face::Cache<B> {
            /// A builder for the answers of services, JSON and text. It is an ordinary builder: what is set after it counts.
            ///
            /// | option | for an API | unless set |
            /// |---|---|---|
            /// | [`dir`](CacheBuilder::dir) | `./cache` | none |
            /// | [`default_ttl`](CacheBuilder::default_ttl) | 6 hours | for ever |
            /// | [`compression`](CacheBuilder::compression) of arrays | LZ4 | LZ4 |
            /// | [`compression`](CacheBuilder::compression) of objects above 4 KiB | LZ4 | zstd 3 |
            pub fn for_api() -> CacheBuilder<Self> {
                api(Self::builder())
            }
        }
    )*};
}

presets! { sync future }
