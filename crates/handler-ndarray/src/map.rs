//! The handler of maps from names to arrays.

use crate::element::sealed::Bytes as _;
use crate::layout::Layout;
use crate::member::Member;
use crate::member::sealed::Description;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Extra, Format, Handler, PayloadReader};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

const NAME: &str = "ndarray_map";
const VERSION: u16 = 1;

/// The bytes in front of the header, which hold its length.
const LENGTH: u64 = 4;

/// How many fields the header has for each array.
const FIELDS: usize = 3;

/// Stores a map from names to arrays, `BTreeMap<String, M>`: what NumPy's `savez` puts in one file.
///
/// `M` is [`AnyArray`](crate::AnyArray) where the element types differ, which reads every stored map, or an array type
/// such as `ArrayD<f64>`, which reads the maps of nothing else.
pub struct ArrayMapHandler<M>(PhantomData<fn() -> M>);

impl<M> ArrayMapHandler<M> {
    /// The handler.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M> Default for ArrayMapHandler<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> Clone for ArrayMapHandler<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for ArrayMapHandler<M> {}

impl<M: Member> fmt::Debug for ArrayMapHandler<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrayMapHandler({})", M::name())
    }
}

impl<M: Member> Handler for ArrayMapHandler<M> {
    type Value = BTreeMap<String, M>;

    fn type_tag(&self) -> &str {
        NAME
    }

    fn plan(&self, arrays: &BTreeMap<String, M>) -> Result<Format> {
        let described = describe(arrays);
        let size = described.values().try_fold(header(&described)?.len() as u64, |size, array| {
            let too_large = || Error::new(ErrorKind::TooLarge, "the arrays have more bytes than can be counted");
            size.checked_add(array.bytes).ok_or_else(too_large)
        })?;
        Ok(Format::new(NAME, VERSION).element_width(common_width(&described)).size_hint(size))
    }

    fn encode(&self, arrays: &BTreeMap<String, M>, _: &Format, out: &mut dyn Write) -> Result<()> {
        out.write_all(&header(&describe(arrays))?)?;
        arrays.values().try_for_each(|array| array.write(out))
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<BTreeMap<String, M>> {
        format.require(NAME, VERSION)?;
        let fields = read_header(input)?;
        let layout = |(name, fields): (&String, &Extra)| M::layout(fields).map_err(|error| in_array(name, &error));
        let layouts: Vec<Layout> = fields.iter().map(layout).collect::<Result<_>>()?;
        let size = layouts.iter().try_fold(0_u64, |size, layout| size.checked_add(layout.bytes));
        if size != Some(input.remaining()) {
            let message = format!("the stored arrays do not have {} bytes together", input.remaining());
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        let read = |((name, fields), layout): ((String, Extra), Layout)| Ok((name, M::read(input, &fields, &layout)?));
        fields.into_iter().zip(layouts).map(read).collect()
    }
}

fn describe<M: Member>(arrays: &BTreeMap<String, M>) -> BTreeMap<&str, Description> {
    arrays.iter().map(|(name, array)| (name.as_str(), array.describe())).collect()
}

/// The width of the elements that most bytes belong to, by which all are shuffled.
fn common_width(described: &BTreeMap<&str, Description>) -> u8 {
    let mut bytes = BTreeMap::<usize, u64>::new();
    for array in described.values() {
        let sum = bytes.entry(array.width).or_default();
        *sum = sum.saturating_add(array.bytes);
    }
    bytes.into_iter().max_by_key(|(_, bytes)| *bytes).map_or(1, |(width, _)| width as u8)
}

/// The length of the header, and the header: the fields of every array by its name, as compact JSON.
fn header(described: &BTreeMap<&str, Description>) -> Result<Vec<u8>> {
    let fields: BTreeMap<_, _> = described.iter().map(|(name, array)| (name, &array.fields)).collect();
    let mut header = vec![0; LENGTH as usize];
    serde_json::to_writer(&mut header, &fields)
        .map_err(|error| Error::new(ErrorKind::Serialization, "the names of the arrays are no JSON").source(error))?;
    let length = u32::try_from(header.len() as u64 - LENGTH)
        .map_err(|_| Error::new(ErrorKind::TooLarge, "names and shapes of the arrays have more than 4 GiB"))?;
    header.splice(..LENGTH as usize, length.to_le_bytes());
    Ok(header)
}

/// Reads the header, which must be written as [`header`] writes it.
fn read_header(input: &mut dyn PayloadReader) -> Result<BTreeMap<String, Extra>> {
    let length = u32::read(input, 1)?.pop().unwrap_or_default();
    let header = u8::read(input, length as usize)?;
    let damaged = || Error::new(ErrorKind::Corrupt, "the header of the map of arrays is damaged");
    let arrays: BTreeMap<String, Extra> = serde_json::from_slice(&header).map_err(|error| damaged().source(error))?;
    let again = serde_json::to_vec(&arrays).map_err(|error| damaged().source(error))?;
    match again == header && arrays.values().all(|fields| fields.len() == FIELDS) {
        true => Ok(arrays),
        false => Err(damaged()),
    }
}

/// The error of one array, with the beginning of its name.
fn in_array(name: &str, error: &Error) -> Error {
    let name: String = name.chars().take(60).collect();
    Error::new(error.kind(), format!("{name:?}: {}", error.message()))
}
