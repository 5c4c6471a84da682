#![doc = include_str!("../README.md")]

mod any;
mod element;
mod elements;
mod handler;
mod layout;
mod map;
mod member;
mod register;

pub use any::AnyArray;
pub use element::Element;
pub use handler::ArrayHandler;
pub use map::ArrayMapHandler;
pub use member::Member;
pub use register::register;
