//! What is stored beside the bytes of an array, and what of it is believed.

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::Format;
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
pub(crate) struct Layout {
    pub(crate) shape: Vec<usize>,
    pub(crate) order: Order,
    /// The number of elements.
    pub(crate) count: usize,
}

pub(crate) fn format(dtype: &'static str, width: usize, shape: &[usize], order: Order) -> Format {
    let count: usize = shape.iter().product();
    let order = match order {
        Order::C => "C",
        Order::F => "F",
    };
    Format::new(NAME, VERSION)
        .extra("dtype", dtype)
        .extra("shape", shape)
        .extra("order", order)
        .element_width(width as u8)
        .size_hint((count * width) as u64)
}

impl Layout {
    /// Reads the layout of an array of `dtype` with elements of `width` bytes, of `rank` axes unless any will do, that
    /// fills `size` bytes.
    pub(crate) fn parse(format: &Format, dtype: &str, width: usize, rank: Option<usize>, size: u64) -> Result<Self> {
        format.require(NAME, VERSION)?;
        let stored = field(format, "dtype")?.as_str().ok_or_else(|| damaged("dtype"))?;
        if stored != dtype {
            let message = format!("the stored array has elements of {stored}, not of {dtype}");
            return Err(Error::new(ErrorKind::TypeMismatch, message));
        }
        let axes = field(format, "shape")?.as_array().ok_or_else(|| damaged("shape"))?;
        if let Some(rank) = rank.filter(|rank| *rank != axes.len()) {
            let message = format!("the stored array has {} axes, not {rank}", axes.len());
            return Err(Error::new(ErrorKind::TypeMismatch, message));
        }
        let shape = axes.iter().map(|axis| axis.as_u64().and_then(|length| usize::try_from(length).ok()));
        let shape = shape.collect::<Option<Vec<_>>>().ok_or_else(|| damaged("shape"))?;
        let order = match field(format, "order")?.as_str() {
            Some("C") => Order::C,
            Some("F") => Order::F,
            _ => return Err(damaged("order")),
        };
        let count = shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length));
        match count.filter(|count| count.checked_mul(width).is_some_and(|bytes| bytes as u64 == size)) {
            Some(count) => Ok(Self { shape, order, count }),
            None => {
                let message = format!("an array of the shape {shape:?} of {dtype} does not have {size} bytes");
                Err(Error::new(ErrorKind::Corrupt, message))
            }
        }
    }
}

fn field<'f>(format: &'f Format, name: &'static str) -> Result<&'f Json> {
    format.extra.get(name).ok_or_else(|| damaged(name))
}

fn damaged(field: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("the {field} of the stored array is missing or damaged"))
}
