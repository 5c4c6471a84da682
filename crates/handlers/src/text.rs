//! A handler for text.

use crate::bytes::read_rest;
use crate::{Format, Handler, PayloadReader};
use cacheness_core::{Error, ErrorKind, Result};
use std::io::Write;

/// Stores `String` as its UTF-8 bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextHandler;

const FORMAT: &str = "utf-8";
const VERSION: u16 = 1;

impl Handler for TextHandler {
    type Value = String;

    fn type_tag(&self) -> &str {
        "text"
    }

    fn plan(&self, value: &String) -> Result<Format> {
        Ok(Format::new(FORMAT, VERSION).size_hint(value.len() as u64))
    }

    fn encode(&self, value: &String, _: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(value.as_bytes())?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<String> {
        format.require(FORMAT, VERSION)?;
        String::from_utf8(read_rest(input)?)
            .map_err(|error| Error::new(ErrorKind::Corrupt, "the text is not UTF-8").source(error.utf8_error()))
    }
}
