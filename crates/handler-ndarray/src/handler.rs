//! The handler of an array type.

use crate::Element;
use crate::element::write_each;
use crate::layout::{Layout, Order, format};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Format, Handler, PayloadReader};
use ndarray::{Array, Dimension, ShapeBuilder};
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

/// Stores [`Array<A, D>`](Array) as raw little-endian elements, in the order they lie in memory if that is row-major
/// or column-major, else in row-major order.
///
/// An array is read back with the element type it was stored with, by the handler of its rank or of
/// [`IxDyn`](type@ndarray::IxDyn).
pub struct ArrayHandler<A, D>(PhantomData<fn() -> (A, D)>);

impl<A, D> ArrayHandler<A, D> {
    /// The handler.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A, D> Default for ArrayHandler<A, D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A, D> Clone for ArrayHandler<A, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, D> Copy for ArrayHandler<A, D> {}

impl<A: Element, D: Dimension> fmt::Debug for ArrayHandler<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match D::NDIM {
            Some(rank) => write!(f, "ArrayHandler({}, {rank})", A::DTYPE),
            None => write!(f, "ArrayHandler({}, dyn)", A::DTYPE),
        }
    }
}

/// The elements as one slice, when they lie in row-major or column-major order without gaps.
fn contiguous<A, D: Dimension>(array: &Array<A, D>) -> Option<(Order, &[A])> {
    let rows = array.as_slice().map(|elements| (Order::C, elements));
    rows.or_else(|| array.t().to_slice().map(|elements| (Order::F, elements)))
}

impl<A: Element, D: Dimension + 'static> Handler for ArrayHandler<A, D> {
    type Value = Array<A, D>;

    fn type_tag(&self) -> &str {
        "ndarray"
    }

    fn plan(&self, array: &Array<A, D>) -> Result<Format> {
        let order = contiguous(array).map_or(Order::C, |(order, _)| order);
        Ok(format(A::DTYPE, size_of::<A>(), array.shape(), order))
    }

    fn encode(&self, array: &Array<A, D>, _: &Format, out: &mut dyn Write) -> Result<()> {
        match contiguous(array) {
            Some((_, elements)) => A::write(elements, out),
            None => write_each(array.iter(), out),
        }
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Array<A, D>> {
        let layout = Layout::parse(format, A::DTYPE, size_of::<A>(), D::NDIM, input.remaining())?;
        let elements = A::read(input, layout.count)?;
        let mut shape = D::zeros(layout.shape.len());
        shape.as_array_view_mut().iter_mut().zip(&layout.shape).for_each(|(axis, length)| *axis = *length);
        Array::from_shape_vec(shape.set_f(layout.order == Order::F), elements).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "the shape of the stored array is impossible").source(error)
        })
    }
}
