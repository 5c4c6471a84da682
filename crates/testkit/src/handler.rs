//! The recipe for testing a handler: a value there and back.

use cacheness_core::Result;
use cacheness_handlers::{Format, Handler, Hints, PayloadReader, SliceReader};
use cacheness_storage::Bytes;
use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// Takes a value through `plan`, `encode` and `decode`, and returns what came back.
///
/// It also checks what a handler promises on the way: that it accepts the value, that a size hint is the number of
/// bytes written, that decoding needs only what is stored of the format, and that it works from a stream which is not
/// in memory and gives one byte at a time.
///
/// ```
/// use cacheness_core::Result;
/// use cacheness_handlers::{Format, Handler, PayloadReader};
/// use std::io::Write;
///
/// #[derive(Debug, PartialEq)]
/// struct Celsius(f32);
/// struct CelsiusHandler;
///
/// impl Handler for CelsiusHandler {
///     type Value = Celsius;
///     fn type_tag(&self) -> &str { "celsius" }
///     fn plan(&self, _: &Celsius) -> Result<Format> { Ok(Format::new("f32-le", 1).size_hint(4)) }
///     fn encode(&self, value: &Celsius, _: &Format, out: &mut dyn Write) -> Result<()> {
///         Ok(out.write_all(&value.0.to_le_bytes())?)
///     }
///     fn decode(&self, input: &mut dyn PayloadReader, _: &Format) -> Result<Celsius> {
///         let mut bytes = [0; 4];
///         input.read_exact(&mut bytes)?;
///         Ok(Celsius(f32::from_le_bytes(bytes)))
///     }
/// }
///
/// let value = Celsius(21.5);
/// assert_eq!(cacheness_testkit::handler_roundtrip(&CelsiusHandler, &value)?, value);
/// # Ok::<(), cacheness_testkit::Error>(())
/// ```
///
/// # Errors
///
/// What the handler returns.
///
/// # Panics
///
/// When the handler breaks one of the promises above.
pub fn handler_roundtrip<H: Handler>(handler: &H, value: &H::Value) -> Result<H::Value> {
    assert!(handler.accepts(value), "the handler of {:?} does not accept the value", handler.type_tag());
    let format = handler.plan(value)?;
    let mut bytes = Vec::new();
    handler.encode(value, &format, &mut bytes)?;
    if let Some(hint) = format.hints.size {
        assert_eq!(bytes.len() as u64, hint, "the size hint differs from the bytes written");
    }
    let stored = Format { hints: Hints::default(), ..format };
    let reader = SliceReader::new(Bytes::from(bytes));
    handler.decode(&mut Trickle(reader.clone()), &stored)?;
    handler.decode(&mut { reader }, &stored)
}

/// A payload that arrives one byte at a time and is not in memory.
struct Trickle(SliceReader);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(1);
        self.0.read(buffer.split_at_mut(count).0)
    }
}

impl BufRead for Trickle {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.0.fill_buf()?;
        Ok(rest.split_at(rest.len().min(1)).0)
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl Seek for Trickle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl PayloadReader for Trickle {
    fn remaining(&self) -> u64 {
        self.0.remaining()
    }

    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    fn read_bytes(&mut self) -> io::Result<Bytes> {
        self.0.read_bytes()
    }
}
