//! Lower-case hexadecimal, as keys, blob names and versions show it.

use std::fmt;

/// Displays bytes as lower-case hexadecimal.
///
/// ```
/// use cacheness_core::hex::Hex;
/// assert_eq!(Hex(&[0x0a, 0xff]).to_string(), "0aff");
/// ```
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Parses exactly `2 * N` lower-case hexadecimal digits; anything else, upper case too, is `None`.
///
/// ```
/// use cacheness_core::hex::parse;
/// assert_eq!(parse::<2>("0aff"), Some([0x0a, 0xff]));
/// assert_eq!(parse::<2>("0AFF"), None);
/// ```
pub fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}
