#![doc = include_str!("../README.md")]

pub mod error;
pub mod face;
pub mod flight;
pub mod hex;
pub mod policy;
pub mod rng;
pub mod runtime;
pub mod secret;
pub mod size;
pub mod time;
pub mod url;

pub use error::{Error, ErrorKind, Result};
pub use face::{Driver, Op};
pub use rng::{Rng, SystemRng};
pub use runtime::{Runtime, ThreadPool};
pub use secret::Secret;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use url::BackendUrl;
