//! What is stored beside the bytes of an array, and what of it is believed.

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Extra, Format};
use serde_json::Value as Json;

const NAME: &str = "ndarray";
const VERSION: u16 = 1;

/// The order in which the elements of an array lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row-major: the last index runs fastest.
    C,
    /// Column-major: the first index runs fastest.
    F,
}

/// How the bytes of an array are to be read.
#[derive(Debug)]
pub struct Layout {
    pub(crate) shape: Vec<usize>,
    pub(crate) order: Order,
    /// The number of elements.
    pub(crate) count: usize,
    /// What they fill.
    pub(crate) bytes: u64,
}

impl Order {
    const fn name(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::F => "F",
        }
    }
}

pub(crate) fn format(dtype: &'static str, width: usize, shape: &[usize], order: Order) -> Format {
    let count: usize = shape.iter().product();
    let format = Format::new(NAME, VERSION).element_width(width as u8).size_hint((count * width) as u64);
    Format { extra: fields(dtype, shape, order), ..format }
}

/// What is stored beside the elements of an array.
pub(crate) fn fields(dtype: &'static str, shape: &[usize], order: Order) -> Extra {
    [("dtype", dtype.into()), ("shape", shape.into()), ("order", order.name().into())]
        .map(|(name, value): (_, Json)| (name.to_owned(), value))
        .into()
}

/// The dtype that is stored beside the elements of an array.
pub(crate) fn dtype(fields: &Extra) -> Result<&str> {
    field(fields, "dtype")?.as_str().ok_or_else(|| damaged("dtype"))
}

impl Layout {
    /// Reads the layout of an array of `dtype` with elements of `width` bytes, of `rank` axes unless any will do, that
    /// fills `size` bytes.
    pub(crate) fn parse(format: &Format, dtype: &str, width: usize, rank: Option<usize>, size: u64) -> Result<Self> {
        format.require(NAME, VERSION)?;
        let layout = Self::from_fields(&format.extra, dtype, width, rank)?;
        if layout.bytes != size {
            let message = format!("an array of the shape {:?} of {dtype} does not have {size} bytes", layout.shape);
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        Ok(layout)
    }

    /// Reads a layout whatever bytes there are.
    pub(crate) fn from_fields(fields: &Extra, dtype: &str, width: usize, rank: Option<usize>) -> Result<Self> {
        let stored = self::dtype(fields)?;
        if stored != dtype {
            let message = format!("the stored array has elements of {stored}, not of {dtype}");
            return Err(Error::new(ErrorKind::TypeMismatch, message));
        }
        let axes = field(fields, "shape")?.as_array().ok_or_else(|| damaged("shape"))?;
        if let Some(rank) = rank.filter(|rank| *rank != axes.len()) {
            let message = format!("the stored array has {} axes, not {rank}", axes.len());
            return Err(Error::new(ErrorKind::TypeMismatch, message));
        }
        let shape = axes.iter().map(|axis| axis.as_u64().and_then(|length| usize::try_from(length).ok()));
        let shape = shape.collect::<Option<Vec<_>>>().ok_or_else(|| damaged("shape"))?;
        let order = match field(fields, "order")?.as_str() {
            Some("C") => Order::C,
            Some("F") => Order::F,
            _ => return Err(damaged("order")),
        };
        let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length));
        match count.and_then(|count| Some((count, count.checked_mul(width)? as u64))) {
            Some((count, bytes)) => Ok(Self { shape, order, count, bytes }),
            None => Err(Error::new(ErrorKind::Corrupt, format!("no array has the shape {shape:?}"))),
        }
    }
}

fn field<'f>(fields: &'f Extra, name: &'static str) -> Result<&'f Json> {
    fields.get(name).ok_or_else(|| damaged(name))
}

fn damaged(field: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the {field} of the stored array is missing or damaged"))
}
