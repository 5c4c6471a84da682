//! Types of the shapes that serde and bincode treat differently, for the targets to decode as.

use cacheness_handlers::bincode::de::Decoder;
use cacheness_handlers::bincode::enc::Encoder;
use cacheness_handlers::bincode::error::{DecodeError, EncodeError};
use cacheness_handlers::bincode::{Decode, Encode};
use cacheness_handlers::{Cacheable, schema_hash};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// A struct with names, defaults and options.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plain {
    id: u32,
    name: String,
    seven: Option<Option<i8>>,
    #[serde(default)]
    ratio: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(rename = "kind", alias = "type")]
    tag: Option<External>,
}

/// An enum as serde writes it without attributes.
#[derive(Debug, Serialize, Deserialize)]
pub enum External {
    Unit,
    Newtype(Option<Box<External>>),
    Tuple(u8, String),
    Struct { bytes: Vec<u8>, of: Option<()> },
}

/// An enum whose variant is read by trying.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Number(u64),
    Float(f32),
    Text(String),
    Pair(bool, Option<u8>),
    Named { a: i64, b: Option<String> },
    Unit,
}

/// An enum whose name lies among its fields.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Internal {
    Unit,
    Named { n: i32, list: Vec<Option<u8>> },
    Inner(BTreeMap<String, String>),
}

/// A struct that takes whatever fields are left.
#[derive(Debug, Serialize, Deserialize)]
pub struct Loose {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// Every number.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wide(i8, u16, i32, u64, i128, u128, f32, f64, char, bool, ());

/// A type that holds itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tree {
    #[serde(default)]
    children: Vec<Tree>,
    up: Option<Box<Tree>>,
}

/// Options in enums in options.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
pub enum Nested {
    None,
    Some(Option<Option<Box<Nested>>>),
    Many(HashMap<char, Option<Nested>>),
}

/// The least that bincode stores.
#[derive(Debug, Default, PartialEq)]
pub struct Pair(u8, Option<i64>);

/// Containers in each other, whose lengths bincode reads before their elements.
#[derive(Debug, Default, PartialEq)]
pub struct Table {
    names: Vec<String>,
    rows: Vec<Vec<u64>>,
    by_name: HashMap<String, Vec<u8>>,
    sorted: BTreeMap<u16, Option<Box<str>>>,
    wide: Vec<[u128; 8]>,
}

impl Encode for Pair {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0, self.1).encode(encoder)
    }
}

impl<C> Decode<C> for Pair {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self(Decode::decode(decoder)?, Decode::decode(decoder)?))
    }
}

impl Cacheable for Pair {
    const NAME: &'static str = "Pair";
    const VERSION: u32 = 1;
    const SCHEMA: u64 = schema_hash("Pair(u8, Option<i64>)");
}

impl Encode for Table {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.names.encode(encoder)?;
        self.rows.encode(encoder)?;
        self.by_name.encode(encoder)?;
        self.sorted.encode(encoder)?;
        self.wide.encode(encoder)
    }
}

impl<C> Decode<C> for Table {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(Self {
            names: Decode::decode(decoder)?,
            rows: Decode::decode(decoder)?,
            by_name: Decode::decode(decoder)?,
            sorted: Decode::decode(decoder)?,
            wide: Decode::decode(decoder)?,
        })
    }
}

impl Cacheable for Table {
    const NAME: &'static str = "Table";
    const VERSION: u32 = 7;
    const SCHEMA: u64 = schema_hash("Table { names, rows, by_name, sorted, wide }");
}
