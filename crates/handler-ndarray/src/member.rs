//! What a map of arrays may hold.

use crate::Element;
use crate::elements::{order, read_elements, write_elements};
use crate::layout::{self, Layout};
use cacheness_core::Result;
use cacheness_handlers::{Extra, PayloadReader};
use ndarray::{Array, Dimension};
use sealed::{Description, Known, Stored};
use std::any::Any;
use std::io::Write;

/// A type that the values of a stored map may have: an array of a known element type, or [`AnyArray`](crate::AnyArray).
pub trait Member: Send + Sync + Stored {}

pub(crate) mod sealed {
    use super::{Any, Extra, Layout, PayloadReader, Result, Write};

    /// What a header says about an array, and the size of what follows.
    pub struct Description {
        pub fields: Extra,
        /// Bytes an element.
        pub width: usize,
        /// Bytes of all elements.
        pub bytes: u64,
    }

    /// An array that is in memory.
    pub trait Known: Any {
        fn describe(&self) -> Description;
        fn write(&self, out: &mut dyn Write) -> Result<()>;
    }

    /// How such arrays are read.
    pub trait Stored: Known + Sized {
        /// The last part of the name that its map is registered under.
        fn name() -> String;
        fn layout(fields: &Extra) -> Result<Layout>;
        fn read(input: &mut dyn PayloadReader, fields: &Extra, layout: &Layout) -> Result<Self>;
    }
}

impl<A: Element, D: Dimension + 'static> Known for Array<A, D> {
    fn describe(&self) -> Description {
        let fields = layout::fields(A::DTYPE, self.shape(), order(self));
        Description { fields, width: size_of::<A>(), bytes: (self.len() * size_of::<A>()) as u64 }
    }

    fn write(&self, out: &mut dyn Write) -> Result<()> {
        write_elements(self, out)
    }
}

impl<A: Element, D: Dimension + 'static> Stored for Array<A, D> {
    fn name() -> String {
        match D::NDIM {
            Some(rank) => format!("{}.{rank}", A::DTYPE),
            None => A::DTYPE.to_owned(),
        }
    }

    fn layout(fields: &Extra) -> Result<Layout> {
        Layout::from_fields(fields, A::DTYPE, size_of::<A>(), D::NDIM)
    }

    fn read(input: &mut dyn PayloadReader, _: &Extra, layout: &Layout) -> Result<Self> {
        read_elements(input, layout)
    }
}

impl<A: Element, D: Dimension + 'static> Member for Array<A, D> {}
