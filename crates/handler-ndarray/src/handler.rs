//! The handler of an array type.

use crate::Element;
use crate::elements::{order, read_elements, write_elements};
use crate::layout::{Layout, format};
use cacheness_core::Result;
use cacheness_handlers::{Format, Handler, PayloadReader};
use ndarray::{Array, Dimension};
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

impl<A: Element, D: Dimension + 'static> Handler for ArrayHandler<A, D> {
    type Value = Array<A, D>;

    fn type_tag(&self) -> &str {
        "ndarray"
    }

    fn plan(&self, array: &Array<A, D>) -> Result<Format> {
        Ok(format(A::DTYPE, size_of::<A>(), array.shape(), order(array)))
    }

    fn encode(&self, array: &Array<A, D>, _: &Format, out: &mut dyn Write) -> Result<()> {
        write_elements(array, out)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Array<A, D>> {
        let layout = Layout::parse(format, A::DTYPE, size_of::<A>(), D::NDIM, input.remaining())?;
        read_elements(input, &layout)
    }
}
