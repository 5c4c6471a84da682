//! The `object` handler through its public face: what comes back, what is refused, what a changed type reads, and
//! what the bytes are.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod evolution;
mod golden;
mod odd;
mod properties;
mod refused;
mod robustness;
mod round_trip;

use cacheness_core::{Error, ErrorKind, Result};
use cacheness_handlers::{Handler, ObjectHandler, SliceReader};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt::Debug;

const DIFFERENT: &str = "would come back different";
const NOT_BACK: &str = "would not come back";

/// What a test may store.
trait Shape: Serialize + DeserializeOwned + Any + Send + Sync {}

impl<T: Serialize + DeserializeOwned + Any + Send + Sync> Shape for T {}

fn encode<T: Shape>(value: &T) -> Result<Vec<u8>> {
    let handler = ObjectHandler::<T>::new();
    let mut bytes = Vec::new();
    handler.encode(value, &handler.plan(value)?, &mut bytes)?;
    Ok(bytes)
}

fn decode<T: Shape>(bytes: &[u8]) -> Result<T> {
    let format = cacheness_handlers::Format::new("msgpack", 1);
    ObjectHandler::<T>::new().decode(&mut SliceReader::new(bytes.to_vec().into()), &format)
}

#[track_caller]
fn encoded<T: Shape>(value: &T) -> Vec<u8> {
    encode(value).unwrap_or_else(|error| panic!("{error}"))
}

/// Stores and reads `value`, which must come back equal.
#[track_caller]
fn round_trips<T: Shape + PartialEq + Debug>(value: T) {
    let bytes = encoded(&value);
    match decode::<T>(&bytes) {
        Ok(decoded) => assert_eq!(decoded, value, "from {bytes:02x?}"),
        Err(error) => panic!("{value:?} as {bytes:02x?}: {error}"),
    }
}

/// Asserts that `value` cannot be stored, for a reason that is stated.
#[track_caller]
fn refused<T: Shape>(value: &T, reason: &str) {
    match encode(value) {
        Ok(bytes) => panic!("stored as {bytes:02x?}"),
        Err(error) => expect(&error, ErrorKind::Serialization, reason),
    }
}

#[track_caller]
fn expect(error: &Error, kind: ErrorKind, reason: &str) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(reason), "{text:?} does not say {reason:?}");
    assert!(!text.contains('\n'), "{text:?} is more than a line");
}

/// Reads what `stored` was written as, as another type.
fn reread<A: Shape, B: Shape>(stored: &A) -> Result<B> {
    decode(&encode(stored)?)
}
