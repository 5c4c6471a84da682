//! The verbs of a cache, declared once for both faces.

mod compute;
mod explain;
mod health;
mod manage;
mod read;
mod store;

pub use compute::GetOrPut;
