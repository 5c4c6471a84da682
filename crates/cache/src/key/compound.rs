//! Values with parts: sequences, maps, structs, and the order their parts are put in.

use super::encode::{EncodeError, Encoder, Result};
use super::tag;
use serde::ser::{self, Serialize};
use std::ops::Range;

/// Whether, and by what, the parts of a compound are put in order.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sorted {
    No,
    /// By their whole encoding; equal ones stay.
    ByValue,
    /// By the encoding of their names, which must differ.
    ByName,
}

/// Where the parts of a compound lie: the whole of each, and its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries(Vec<(Range<usize>, Range<usize>)>);

impl Entries {
    /// Ends a compound whose parts began at `start`.
    pub(super) fn close(&mut self, out: &mut Vec<u8>, start: usize, sorted: Sorted) -> Result<()> {
        if sorted != Sorted::No {
            let twins = self.sort(out, start);
            if twins && sorted == Sorted::ByName {
                return Err(EncodeError("two parameters have the same name".into()));
            }
        }
        out.push(tag::END);
        Ok(())
    }

    /// Puts the parts in the order of their names' bytes; says whether two have the same.
    fn sort(&mut self, out: &mut Vec<u8>, start: usize) -> bool {
        let bytes = |range: &Range<usize>| out.get(range.clone()).unwrap_or_default();
        let in_order = self.0.is_sorted_by_key(|(_, name)| bytes(name));
        if !in_order {
            self.0.sort_by(|(_, one), (_, other)| bytes(one).cmp(bytes(other)));
        }
        let twins = self.0.windows(2).any(|pair| matches!(pair, [one, other] if bytes(&one.1) == bytes(&other.1)));
        if !in_order {
            let ordered: Vec<u8> = self.0.iter().flat_map(|(whole, _)| bytes(whole)).copied().collect();
            out.truncate(start);
            out.extend_from_slice(&ordered);
        }
        twins
    }

    /// Notes a part that was just encoded from `start` on, its name up to `split`.
    pub(super) fn push(&mut self, start: usize, split: usize, end: usize) {
        self.0.push((start..end, start..split));
    }
}

/// A value with parts, while they arrive.
pub(super) struct Compound<'e> {
    encoder: &'e mut Encoder,
    start: usize,
    entries: Entries,
    sorted: Sorted,
}

impl<'e> Compound<'e> {
    pub(super) fn new(encoder: &'e mut Encoder, sorted: Sorted) -> Self {
        let start = encoder.out.len();
        Self { encoder, start, entries: Entries::default(), sorted }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let start = self.encoder.out.len();
        value.serialize(&mut *self.encoder)?;
        if self.sorted != Sorted::No {
            let end = self.encoder.out.len();
            self.entries.push(start, end, end);
        }
        Ok(())
    }

    fn value_of_last<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder)?;
        if let Some((whole, _)) = self.entries.0.last_mut() {
            whole.end = self.encoder.out.len();
        }
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.element(name)?;
        self.value_of_last(value)
    }

    fn finish(mut self) -> Result<()> {
        self.entries.close(&mut self.encoder.out, self.start, self.sorted)?;
        self.encoder.depth -= 1;
        Ok(())
    }
}

macro_rules! compound {
    ($($trait:ident { $($method:ident($($name:ident: $type:ty)?) => $call:ident;)+ })*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = EncodeError;

            $(fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<()> {
                self.$call($($name,)? value)
            })+

            fn end(self) -> Result<()> {
                self.finish()
            }
        }
    )*};
}

compound! {
    SerializeSeq { serialize_element() => element; }
    SerializeTuple { serialize_element() => element; }
    SerializeTupleStruct { serialize_field() => element; }
    SerializeTupleVariant { serialize_field() => element; }
    SerializeMap { serialize_key() => element; serialize_value() => value_of_last; }
    SerializeStruct { serialize_field(name: &'static str) => field; }
    SerializeStructVariant { serialize_field(name: &'static str) => field; }
}
