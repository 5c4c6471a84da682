//! Encoded parameters that name files become canonical bytes: files are read, and what is sorted is sorted again.

use super::compound::{Entries, Sorted};
use super::cursor::Cursor;
use super::encode::{MAX_DEPTH, malformed};
use super::file::path_of;
use super::{content, invalid, tag};
use cacheness_core::Result;

/// The canonical bytes of parameters that name files, which are read. Blocks.
pub(super) fn resolve(encoded: &[u8]) -> Result<Vec<u8>> {
    let mut resolver = Resolver { input: Cursor(encoded), out: Vec::with_capacity(encoded.len()) };
    resolver.value(0)?;
    match resolver.input.0 {
        [] => Ok(resolver.out),
        _ => Err(invalid(malformed())),
    }
}

/// What follows the tag and the names of a value.
enum Parts {
    None,
    Value,
    Elements(Sorted),
    Entries,
}

struct Resolver<'b> {
    input: Cursor<'b>,
    out: Vec<u8>,
}

impl Resolver<'_> {
    fn value(&mut self, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(invalid(malformed()));
        }
        let before = self.input.0;
        if before.first() == Some(&tag::PATH) {
            return self.file();
        }
        let parts = self.head().ok_or_else(|| invalid(malformed()))?;
        let head = before.len() - self.input.0.len();
        self.out.extend_from_slice(before.get(..head).unwrap_or_default());
        match parts {
            Parts::None => Ok(()),
            Parts::Value => self.value(depth + 1),
            Parts::Elements(sorted) => self.parts(depth + 1, false, sorted),
            Parts::Entries => self.parts(depth + 1, true, Sorted::ByName),
        }
    }

    fn file(&mut self) -> Result<()> {
        self.input.byte();
        let path = self.input.prefixed().and_then(path_of).ok_or_else(|| invalid(malformed()))?;
        let digest = content::digest(&path)?;
        self.out.push(tag::FILE);
        self.out.extend_from_slice(&digest);
        Ok(())
    }

    /// Passes over a value up to its parts.
    fn head(&mut self) -> Option<Parts> {
        let input = &mut self.input;
        let tag = input.byte()?;
        match tag {
            tag::STRUCT | tag::UNIT_STRUCT | tag::NEWTYPE_STRUCT | tag::TUPLE_STRUCT => {
                input.prefixed()?;
            }
            tag::UNIT_VARIANT | tag::NEWTYPE_VARIANT | tag::TUPLE_VARIANT | tag::STRUCT_VARIANT => {
                input.prefixed()?;
                input.prefixed()?;
            }
            _ => {}
        }
        Some(match tag {
            tag::UNIT | tag::FALSE | tag::TRUE | tag::NONE | tag::UNIT_STRUCT | tag::UNIT_VARIANT => Parts::None,
            tag::POSITIVE | tag::NEGATIVE => input.magnitude().map(|_| Parts::None)?,
            tag::F32 | tag::CHAR => input.take(4).map(|_| Parts::None)?,
            tag::F64 => input.take(8).map(|_| Parts::None)?,
            tag::TEXT | tag::BYTES => input.prefixed().map(|_| Parts::None)?,
            tag::KEY => input.take(16).map(|_| Parts::None)?,
            tag::SOME | tag::NEWTYPE_STRUCT | tag::NEWTYPE_VARIANT => Parts::Value,
            tag::SEQUENCE | tag::TUPLE_STRUCT | tag::TUPLE_VARIANT => Parts::Elements(Sorted::No),
            tag::UNORDERED => Parts::Elements(Sorted::ByValue),
            tag::MAP | tag::STRUCT | tag::STRUCT_VARIANT => Parts::Entries,
            _ => return None,
        })
    }

    fn parts(&mut self, depth: usize, are_entries: bool, sorted: Sorted) -> Result<()> {
        let first = self.out.len();
        let mut entries = Entries::default();
        while self.input.0.first() != Some(&tag::END) {
            let start = self.out.len();
            self.value(depth)?;
            let name_end = self.out.len();
            if are_entries {
                self.value(depth)?;
            }
            entries.push(start, name_end, self.out.len());
        }
        self.input.byte();
        entries.close(&mut self.out, first, sorted).map_err(invalid)
    }
}
