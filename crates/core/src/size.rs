//! Sizes in words.

use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// A number of bytes, shown as people read it, in powers of 1024, and read as they write it.
///
/// ```
/// use cacheness_core::size::Size;
/// assert_eq!(Size(512).to_string(), "512 B");
/// assert_eq!(Size(14_330_279).to_string(), "13.7 MiB");
/// assert_eq!("1.5 GiB".parse::<Size>()?, Size(1_610_612_736));
/// assert_eq!("10 GB".parse::<Size>()?, Size(10_000_000_000));
/// assert_eq!("4096".parse::<Size>()?, Size(4096));
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// The units that a size is read in, in lower case.
const UNITS: [(&str, u64); 15] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
    ("pib", 1 << 50),
];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut size = self.0 as f64 / 1024.0;
        let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        // Whatever would be shown as 1024.0 belongs to the next unit.
        while size >= 1023.95 {
            let Some(next) = units.next() else { break };
            size /= 1024.0;
            unit = next;
        }
        write!(f, "{size:.1} {unit}")
    }
}

impl FromStr for Size {
    type Err = Error;

    /// Reads a number and a unit: `512`, `10 GiB`, `1.5MB`. `MB` is a million bytes, `MiB` is 1,048,576.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::Config, format!("{text:?} is no size"))
                .advice("write a number and a unit, such as 500 MB or 10 GiB")
        };
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let bytes = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(*factor),
            Err(_) => {
                let size = number.parse::<f64>().map_err(|_| wrong())? * *factor as f64;
                (size.is_finite() && size < u64::MAX as f64).then_some(size as u64)
            }
        };
        bytes.map(Self).ok_or_else(wrong)
    }
}

/// What can say how large something is: a number of bytes, or words such as `"10 GiB"`.
pub trait IntoSize {
    /// The size.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for words that are no size.
    fn into_size(self) -> Result<Size>;
}

impl IntoSize for Size {
    fn into_size(self) -> Result<Size> {
        Ok(self)
    }
}

impl IntoSize for u64 {
    fn into_size(self) -> Result<Size> {
        Ok(Size(self))
    }
}

impl IntoSize for &str {
    fn into_size(self) -> Result<Size> {
        self.parse()
    }
}

impl IntoSize for String {
    fn into_size(self) -> Result<Size> {
        self.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_the_units_that_people_write() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("512 B", 512),
            ("1k", 1000),
            ("1 KiB", 1024),
            (" 1.5 mib ", 3 << 19),
            ("10GB", 10_000_000_000),
            ("10 GiB", 10 << 30),
            ("0.5 TB", 500_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse::<Size>().unwrap(), Size(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_an_error_that_shows_one() {
        for text in ["", "GiB", "-1", "1e3", "1.2.3", "10 XB", "ten", "NaN", "inf", "18446744073709551616", "99999 PiB"]
        {
            let error = text.parse::<Size>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.to_string().contains("10 GiB"), "{error}");
        }
    }
}
