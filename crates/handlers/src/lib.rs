#![doc = include_str!("../README.md")]

pub mod bytes;
pub mod cacheable;
pub mod codec;
pub mod format;
pub mod handler;
mod numbers;
pub mod object;
pub mod reader;
pub mod registry;
pub mod shuffle;
pub mod spool;
mod standard;
pub mod text;
pub mod value;

pub use bincode;
pub use bytes::{BytesHandler, SharedBytesHandler};
pub use cacheable::{BincodeHandler, Cacheable, schema_hash};
pub use codec::{Codec, CodecId, Decoder, Encoder, Encoding, Level, decompress};
pub use format::{Extra, Format, Hints, extension_of};
pub use handler::{ErasedHandler, Handler, HandlerRef};
pub use numbers::read_numbers;
pub use object::ObjectHandler;
pub use reader::{PayloadReader, SliceReader};
pub use registry::{HandlerInfo, HandlerRegistry};
pub use spool::{Spool, Spooled, SpooledFile};
pub use text::TextHandler;
pub use value::{Lent, Put, Value};
