//! An array whose element type is known at run time only.

use crate::Element;
use crate::elements::read_elements;
use crate::layout::{self, Layout};
use crate::member::Member;
use crate::member::sealed::{Description, Known, Stored};
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Extra, PayloadReader};
use ndarray::{Array, ArrayD, Dimension};
use std::any::Any;
use std::io::Write;

/// How arrays of one element type are read.
struct Kind {
    name: &'static str,
    width: usize,
    read: fn(&mut dyn PayloadReader, &Layout) -> Result<AnyArray>,
}

macro_rules! any_array {
    ($($variant:ident($element:ident))*) => {
        /// An array of any element type that is stored, and of any rank: what a map of arrays of several types holds.
        ///
        /// ```
        /// use cacheness_handler_ndarray::AnyArray;
        /// use ndarray::array;
        ///
        /// let labels = AnyArray::from(array![3_u8, 1, 2]);
        /// assert_eq!((labels.dtype(), labels.shape()), ("u8", &[3][..]));
        /// assert!(labels.get::<f64>().is_none());
        /// assert_eq!(labels.into_array::<u8>()?[0], 3);
        /// # Ok::<(), cacheness_core::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum AnyArray {
            $(
                #[doc = concat!("Of `", stringify!($element), "`.")]
                $variant(ArrayD<$element>),
            )*
        }

        impl AnyArray {
            /// The name of the element type, such as `f64`.
            pub fn dtype(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$element as Element>::DTYPE,)*
                }
            }

            /// The lengths of the axes, outermost first.
            pub fn shape(&self) -> &[usize] {
                match self {
                    $(Self::$variant(array) => array.shape(),)*
                }
            }

            fn into_any(self) -> Box<dyn Any> {
                match self {
                    $(Self::$variant(array) => Box::new(array),)*
                }
            }

            fn known(&self) -> &dyn Known {
                match self {
                    $(Self::$variant(array) => array,)*
                }
            }
        }

        $(
            impl<D: Dimension> From<Array<$element, D>> for AnyArray {
                fn from(array: Array<$element, D>) -> Self {
                    Self::$variant(array.into_dyn())
                }
            }
        )*

        const KINDS: &[Kind] = &[
            $(Kind {
                name: <$element as Element>::DTYPE,
                width: size_of::<$element>(),
                read: |input, layout| Ok(AnyArray::$variant(read_elements(input, layout)?)),
            },)*
        ];
    };
}

any_array! {
    I8(i8) I16(i16) I32(i32) I64(i64) I128(i128)
    U8(u8) U16(u16) U32(u32) U64(u64) U128(u128)
    F32(f32) F64(f64) Bool(bool)
}

impl AnyArray {
    /// The array, if its elements are of `A`.
    pub fn get<A: Element>(&self) -> Option<&ArrayD<A>> {
        let array: &dyn Any = self.known();
        array.downcast_ref()
    }

    /// The array, whose elements must be of `A`.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`](ErrorKind::TypeMismatch), naming both types, when they are of another.
    pub fn into_array<A: Element>(self) -> Result<ArrayD<A>> {
        let dtype = self.dtype();
        self.into_any().downcast().map(|array| *array).map_err(|_| {
            let message = format!("the array has elements of {dtype}, not of {}", A::DTYPE);
            Error::new(ErrorKind::TypeMismatch, message)
        })
    }
}

fn kind(fields: &Extra) -> Result<&'static Kind> {
    let dtype = layout::dtype(fields)?;
    KINDS.iter().find(|kind| kind.name == dtype).ok_or_else(|| {
        let message = format!("elements of {dtype:?} are not known to this version");
        Error::new(ErrorKind::FormatTooNew, message)
    })
}

impl Known for AnyArray {
    fn describe(&self) -> Description {
        self.known().describe()
    }

    fn write(&self, out: &mut dyn Write) -> Result<()> {
        self.known().write(out)
    }
}

impl Stored for AnyArray {
    fn name() -> String {
        "any".to_owned()
    }

    fn layout(fields: &Extra) -> Result<Layout> {
        let kind = kind(fields)?;
        Layout::from_fields(fields, kind.name, kind.width, None)
    }

    fn read(input: &mut dyn PayloadReader, fields: &Extra, layout: &Layout) -> Result<Self> {
        (kind(fields)?.read)(input, layout)
    }
}

impl Member for AnyArray {}
