#![doc = include_str!("../README.md")]

mod changing;
mod format;
mod generations;
mod mapped;
mod opening;
mod reader;
mod table;
mod word;

pub use changing::Changing;
pub use generations::Generations;
pub use reader::Reader;
pub use table::Stamp;
