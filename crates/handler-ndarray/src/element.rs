//! The element types, and how their bytes are written and read: little-endian, in large chunks, without copies where
//! the machine agrees.

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::PayloadReader;
use std::any::Any;
use std::io::Write;

/// Bytes that are gathered, or swapped, at once: a block of the byte-shuffle, which stays in the cache.
const CHUNK: usize = 256 * 1024;

/// A type that arrays are stored of: every integer of fixed width, `f32`, `f64` and `bool`.
pub trait Element: Any + Copy + Send + Sync + sealed::Bytes {
    /// Its name in the stored format, such as `f64`.
    const DTYPE: &'static str;
}

pub(crate) mod sealed {
    use super::{PayloadReader, Result, Write};

    pub trait Bytes: Sized {
        fn write(elements: &[Self], out: &mut dyn Write) -> Result<()>;
        fn read(input: &mut dyn PayloadReader, count: usize) -> Result<Vec<Self>>;
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        impl Element for $number {
            const DTYPE: &'static str = stringify!($number);
        }

        impl sealed::Bytes for $number {
            fn write(elements: &[Self], out: &mut dyn Write) -> Result<()> {
                write_numbers(elements, out, |number| Self::from_ne_bytes(number.to_le_bytes()))
            }

            fn read(input: &mut dyn PayloadReader, count: usize) -> Result<Vec<Self>> {
                read_numbers(input, count, |number| Self::from_le_bytes(number.to_ne_bytes()))
            }
        }
    )*};
}

numbers!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64);

impl Element for bool {
    const DTYPE: &'static str = "bool";
}

impl sealed::Bytes for bool {
    fn write(elements: &[Self], out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(bytemuck::cast_slice(elements))?)
    }

    fn read(input: &mut dyn PayloadReader, count: usize) -> Result<Vec<Self>> {
        let bytes = read_numbers(input, count, |byte: u8| byte)?;
        if let Some(byte) = bytes.iter().find(|byte| **byte > 1) {
            return Err(Error::new(ErrorKind::Corrupt, format!("the byte {byte} is no bool")));
        }
        Ok(bytes.into_iter().map(|byte| byte == 1).collect())
    }
}

fn write_numbers<A: bytemuck::Pod>(elements: &[A], out: &mut dyn Write, to_little: fn(A) -> A) -> Result<()> {
    if cfg!(target_endian = "little") {
        out.write_all(bytemuck::cast_slice(elements))?;
        return Ok(());
    }
    for chunk in elements.chunks(CHUNK / size_of::<A>()) {
        let swapped: Vec<A> = chunk.iter().map(|number| to_little(*number)).collect();
        out.write_all(bytemuck::cast_slice(&swapped))?;
    }
    Ok(())
}

/// Reads `count` little-endian numbers.
fn read_numbers<A: bytemuck::Pod>(
    input: &mut dyn PayloadReader,
    count: usize,
    from_little: fn(A) -> A,
) -> Result<Vec<A>> {
    let backed = input.backed();
    let mut numbers = cacheness_handlers::read_numbers(input, count, backed)?;
    if cfg!(target_endian = "big") {
        numbers.iter_mut().for_each(|number| *number = from_little(*number));
    }
    Ok(numbers)
}

/// Writes elements one by one, gathered into chunks.
pub(crate) fn write_each<'a, A: Element>(elements: impl Iterator<Item = &'a A>, out: &mut dyn Write) -> Result<()> {
    let full = CHUNK / size_of::<A>();
    let mut chunk = Vec::new();
    for element in elements {
        chunk.push(*element);
        if chunk.len() == full {
            A::write(&chunk, out)?;
            chunk.clear();
        }
    }
    A::write(&chunk, out)
}
