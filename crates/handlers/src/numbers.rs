//! Reading many numbers into the memory they stay in.

use bytemuck::Pod;
use bytemuck::allocation::try_zeroed_vec;
use cacheness_core::{Error, ErrorKind, Result};
use std::io::{self, Read};

/// How many bytes are reserved and read at first when nothing has borne out yet how many there are.
const STEP: usize = 1024 * 1024;

/// Reads `count` numbers as their bytes lie in memory, in the byte order of the machine.
///
/// Memory for `backed` bytes, [`PayloadReader::backed`](crate::PayloadReader::backed), is allocated at once: pages the
/// system gives zeroed, which nothing touches before their bytes are read. Beyond them memory grows as bytes arrive, so a
/// wrong `count` costs nothing.
///
/// # Errors
///
/// [`Corrupt`](ErrorKind::Corrupt) when the payload ends early, [`TooLarge`](ErrorKind::TooLarge) when the numbers do not
/// fit in memory; what reading returns.
///
/// ```
/// let numbers = cacheness_handlers::read_numbers::<[u8; 2]>(&mut &b"aAbB"[..], 2, 4)?;
/// assert_eq!(numbers, [*b"aA", *b"bB"]);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
pub fn read_numbers<A: Pod>(input: &mut (impl Read + ?Sized), count: usize, backed: u64) -> Result<Vec<A>> {
    let too_large = || {
        let message = format!("{count} elements of {} bytes do not fit in memory", size_of::<A>());
        Error::new(ErrorKind::TooLarge, message)
    };
    let width = size_of::<A>().max(1);
    let known = usize::try_from(backed).unwrap_or(usize::MAX) / width;
    let mut numbers: Vec<A> = try_zeroed_vec(count.min(known)).map_err(|()| too_large())?;
    read_exact(input, &mut numbers)?;
    while numbers.len() < count {
        let step = (STEP / width).max(1);
        let (start, end) = (numbers.len(), count.min(numbers.len().saturating_add(step)));
        if numbers.capacity() < end {
            let more = (count - start).min(start.max(step));
            numbers.try_reserve_exact(more).map_err(|_| too_large())?;
        }
        numbers.resize(end, A::zeroed());
        read_exact(input, numbers.get_mut(start..).unwrap_or_default())?;
    }
    Ok(numbers)
}

fn read_exact<A: Pod>(input: &mut (impl Read + ?Sized), numbers: &mut [A]) -> Result<()> {
    input.read_exact(bytemuck::cast_slice_mut(numbers)).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Corrupt, "the payload ends early").source(error),
        _ => error.into(),
    })
}
