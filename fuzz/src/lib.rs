//! What the fuzz targets share: taking input apart, measuring memory, and a store that shows whatever it is told to.

mod input;
mod memory;
pub mod shapes;
mod shelf;
mod terms;
pub mod zstd;

pub use input::Input;
pub use memory::bounded;
pub use shelf::{Place, decode};
pub use terms::terms;
