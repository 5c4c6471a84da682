//! The elements of one array, out and in.

use crate::Element;
use crate::element::write_each;
use crate::layout::{Layout, Order};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::PayloadReader;
use ndarray::{Array, Dimension, ShapeBuilder};
use std::io::Write;

/// The elements as one slice, when they lie in row-major or column-major order without gaps.
fn contiguous<A, D: Dimension>(array: &Array<A, D>) -> Option<(Order, &[A])> {
    let rows = array.as_slice().map(|elements| (Order::C, elements));
    rows.or_else(|| array.t().to_slice().map(|elements| (Order::F, elements)))
}

/// The order in which the elements are written.
pub(crate) fn order<A, D: Dimension>(array: &Array<A, D>) -> Order {
    contiguous(array).map_or(Order::C, |(order, _)| order)
}

pub(crate) fn write_elements<A: Element, D: Dimension>(array: &Array<A, D>, out: &mut dyn Write) -> Result<()> {
    match contiguous(array) {
        Some((_, elements)) => A::write(elements, out),
        None => write_each(array.iter(), out),
    }
}

/// Reads the array of a layout that has as many axes as `D`; memory grows as its bytes arrive.
pub(crate) fn read_elements<A: Element, D: Dimension>(
    input: &mut dyn PayloadReader,
    layout: &Layout,
) -> Result<Array<A, D>> {
    let elements = A::read(input, layout.count)?;
    let mut shape = D::zeros(layout.shape.len());
    shape.as_array_view_mut().iter_mut().zip(&layout.shape).for_each(|(axis, length)| *axis = *length);
    Array::from_shape_vec(shape.set_f(layout.order == Order::F), elements)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "the shape of the stored array is impossible").source(error))
}
