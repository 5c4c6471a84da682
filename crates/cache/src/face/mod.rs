//! The verbs of a cache, declared once for both faces.

mod manage;
mod read;
mod store;
