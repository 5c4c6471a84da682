//! Sizes in words.

use std::fmt;

/// Displays a number of bytes as people read it, in powers of 1024.
///
/// ```
/// use cacheness_core::size::Size;
/// assert_eq!(Size(512).to_string(), "512 B");
/// assert_eq!(Size(14_330_279).to_string(), "13.7 MiB");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

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
