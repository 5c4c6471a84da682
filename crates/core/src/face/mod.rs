//! One core, two faces: how a handle's methods become a blocking call or an [`Op`], declared once.

mod declare;
mod driver;
mod op;
mod span;

pub use driver::{Driver, Placement, off_executor};
pub use op::Op;
pub use span::Span;
