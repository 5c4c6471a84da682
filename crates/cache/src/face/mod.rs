//! The verbs of a cache, declared once for both faces.

mod compute;
mod manage;
mod read;
mod store;

pub use compute::GetOrPut;
