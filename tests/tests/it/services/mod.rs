//! The servers of the tests: what they promise to the tests that lean on them.

mod endpoint;
mod private;
