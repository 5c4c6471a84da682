#![doc = include_str!("../README.md")]

mod element;
mod handler;
mod layout;
mod register;

pub use element::Element;
pub use handler::ArrayHandler;
pub use register::register;
