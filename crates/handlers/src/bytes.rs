//! Handlers for plain bytes, owned and shared. Both write the same format, so either reads what the other wrote.

use crate::{Format, Handler, PayloadReader, read_numbers};
use bytes::Bytes;
use cacheness_core::{Error, ErrorKind, Result};
use std::io::{Read, Write};

/// Stores `Vec<u8>` as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct BytesHandler;

/// Stores [`Bytes`] as they are; a payload that lies in memory is shared, not copied.
#[derive(Debug, Clone, Copy, Default)]
pub struct SharedBytesHandler;

const TYPE_TAG: &str = "bytes";
const FORMAT: &str = "raw";
const VERSION: u16 = 1;

impl Handler for BytesHandler {
    type Value = Vec<u8>;

    fn type_tag(&self) -> &str {
        TYPE_TAG
    }

    fn plan(&self, value: &Vec<u8>) -> Result<Format> {
        Ok(Format::new(FORMAT, VERSION).size_hint(value.len() as u64))
    }

    fn encode(&self, value: &Vec<u8>, _: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(value)?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Vec<u8>> {
        format.require(FORMAT, VERSION)?;
        read_rest(input)
    }
}

impl Handler for SharedBytesHandler {
    type Value = Bytes;

    fn type_tag(&self) -> &str {
        TYPE_TAG
    }

    fn plan(&self, value: &Bytes) -> Result<Format> {
        Ok(Format::new(FORMAT, VERSION).size_hint(value.len() as u64))
    }

    fn encode(&self, value: &Bytes, _: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(value)?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Bytes> {
        format.require(FORMAT, VERSION)?;
        Ok(input.read_bytes()?)
    }
}

/// Reads the rest of a payload.
pub(crate) fn read_rest(input: &mut dyn PayloadReader) -> Result<Vec<u8>> {
    if input.as_slice().is_some() {
        return Ok(input.read_bytes()?.into());
    }
    let (size, backed) = (input.remaining(), input.backed());
    read_exactly(input, size, backed)
}

/// Reads `size` bytes, `backed` of which may be allocated at once.
pub(crate) fn read_exactly(input: &mut (impl Read + ?Sized), size: u64, backed: u64) -> Result<Vec<u8>> {
    let too_large = |_| Error::new(ErrorKind::TooLarge, format!("{size} bytes do not fit in memory"));
    read_numbers(input, usize::try_from(size).map_err(too_large)?, backed)
}
