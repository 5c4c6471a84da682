//! A fingerprint of what a value tells serde: every call with its type, names, numbers and lengths.
//!
//! Two values with the same fingerprint make the same serde calls, up to chance. The elements of a sequence and the
//! entries of a map count in any order, because a `HashMap` iterates differently after it was decoded. The hash is
//! not cryptographic and never stored: for each word a step of PCG's 128-bit congruential generator, folded (O'Neill,
//! "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014).

mod container;

use super::error::{ObjectError, Result};
use container::Container;
use serde::ser::{Serialize, Serializer};

/// The fingerprint of a value.
///
/// # Errors
///
/// What the value's own code returns.
pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Hash> {
    value.serialize(Fingerprinter)
}

/// Which serde call was made.
#[derive(Debug, Clone, Copy)]
enum Call {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    UnitVariant,
    NewtypeStruct,
    NewtypeVariant,
    Seq,
    Tuple,
    TupleStruct,
    TupleVariant,
    Map,
    Entry,
    Struct,
    StructVariant,
}

/// A hash, open for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u128);

impl Hash {
    fn of(call: Call) -> Self {
        Self(call as u128).word(0_u8)
    }

    /// Takes in a number. For the same number, different hashes stay different.
    fn word(self, word: impl Into<u128>) -> Self {
        const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
        const INCREMENT: u128 = 0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f;
        let mixed = (self.0 ^ word.into()).wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        Self(mixed ^ (mixed >> 64))
    }

    fn hash(self, hash: Self) -> Self {
        self.word(hash.0)
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        /// Spreads a length over all bits; the odd number next to 2^128 divided by the golden ratio.
        const LENGTH_MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let (chunks, rest) = bytes.as_chunks::<16>();
        let hash = chunks.iter().fold(self, |hash, chunk| hash.word(u128::from_le_bytes(*chunk)));
        Self(hash.0 ^ LENGTH_MULTIPLIER.wrapping_mul(bytes.len() as u128)).word(tail(rest))
    }

    /// Mixed once more: what a sum needs.
    fn mixed(self) -> u128 {
        self.word(0_u8).0
    }
}

/// The number that up to 15 bytes make, different for different bytes of the same length.
fn tail(bytes: &[u8]) -> u128 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u128::from(u64::from_le_bytes(*first)) << 64 | u128::from(u64::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)).into(),
    }
}

struct Fingerprinter;

impl Serializer for Fingerprinter {
    type Ok = Hash;
    type Error = ObjectError;
    type SerializeSeq = Container;
    type SerializeTuple = Container;
    type SerializeTupleStruct = Container;
    type SerializeTupleVariant = Container;
    type SerializeMap = Container;
    type SerializeStruct = Container;
    type SerializeStructVariant = Container;

    /// As the encoder, so that the fingerprint is of what is stored.
    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_bool(self, value: bool) -> Result<Hash> {
        Ok(Hash::of(Call::Bool).word(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Hash> {
        Ok(Hash::of(Call::I8).word(value.cast_unsigned()))
    }

    fn serialize_i16(self, value: i16) -> Result<Hash> {
        Ok(Hash::of(Call::I16).word(value.cast_unsigned()))
    }

    fn serialize_i32(self, value: i32) -> Result<Hash> {
        Ok(Hash::of(Call::I32).word(value.cast_unsigned()))
    }

    fn serialize_i64(self, value: i64) -> Result<Hash> {
        Ok(Hash::of(Call::I64).word(value.cast_unsigned()))
    }

    fn serialize_i128(self, value: i128) -> Result<Hash> {
        Ok(Hash::of(Call::I128).word(value.cast_unsigned()))
    }

    fn serialize_u8(self, value: u8) -> Result<Hash> {
        Ok(Hash::of(Call::U8).word(value))
    }

    fn serialize_u16(self, value: u16) -> Result<Hash> {
        Ok(Hash::of(Call::U16).word(value))
    }

    fn serialize_u32(self, value: u32) -> Result<Hash> {
        Ok(Hash::of(Call::U32).word(value))
    }

    fn serialize_u64(self, value: u64) -> Result<Hash> {
        Ok(Hash::of(Call::U64).word(value))
    }

    fn serialize_u128(self, value: u128) -> Result<Hash> {
        Ok(Hash::of(Call::U128).word(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Hash> {
        Ok(Hash::of(Call::F32).word(value.to_bits()))
    }

    fn serialize_f64(self, value: f64) -> Result<Hash> {
        Ok(Hash::of(Call::F64).word(value.to_bits()))
    }

    fn serialize_char(self, value: char) -> Result<Hash> {
        Ok(Hash::of(Call::Char).word(value))
    }

    fn serialize_str(self, value: &str) -> Result<Hash> {
        Ok(Hash::of(Call::Str).bytes(value.as_bytes()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Hash> {
        Ok(Hash::of(Call::Bytes).bytes(value))
    }

    fn serialize_none(self) -> Result<Hash> {
        Ok(Hash::of(Call::None))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Hash> {
        Ok(Hash::of(Call::Some).hash(of(value)?))
    }

    fn serialize_unit(self) -> Result<Hash> {
        Ok(Hash::of(Call::Unit))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Hash> {
        Ok(Hash::of(Call::UnitStruct).bytes(name.as_bytes()))
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<Hash> {
        Ok(variant_of(Call::UnitVariant, name, index, variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Hash> {
        Ok(Hash::of(Call::NewtypeStruct).bytes(name.as_bytes()).hash(of(value)?))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Hash> {
        Ok(variant_of(Call::NewtypeVariant, name, index, variant).hash(of(value)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Container> {
        Ok(Container::new(Hash::of(Call::Seq)))
    }

    fn serialize_tuple(self, _: usize) -> Result<Container> {
        Ok(Container::new(Hash::of(Call::Tuple)))
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Container> {
        Ok(Container::new(Hash::of(Call::TupleStruct).bytes(name.as_bytes())))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container> {
        Ok(Container::new(variant_of(Call::TupleVariant, name, index, variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Container> {
        Ok(Container::new(Hash::of(Call::Map)))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Container> {
        Ok(Container::new(Hash::of(Call::Struct).bytes(name.as_bytes())))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container> {
        Ok(Container::new(variant_of(Call::StructVariant, name, index, variant)))
    }
}

fn variant_of(call: Call, name: &str, index: u32, variant: &str) -> Hash {
    Hash::of(call).bytes(name.as_bytes()).word(index).bytes(variant.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::{BTreeMap, HashMap, HashSet};

    #[derive(serde::Serialize)]
    struct Fields {
        a: u8,
        b: Option<u8>,
    }

    #[derive(serde::Serialize)]
    enum Variants {
        One,
        Two,
        Newtype(u8),
        Other(u8),
        Pair(u8, u8),
        Named { a: u8 },
    }

    #[derive(serde::Serialize)]
    struct Newtype(u8);

    #[derive(serde::Serialize)]
    struct Pair(u8, u8);

    #[derive(serde::Serialize)]
    struct Unit;

    #[test]
    fn different_values_have_different_fingerprints() {
        let mut seen = HashMap::new();
        macro_rules! distinct {
            ($($value:expr),+ $(,)?) => {$(
                let clash = seen.insert(of(&$value).unwrap().0, stringify!($value).to_owned());
                assert_eq!(clash, None, "{}", stringify!($value));
            )+};
        }
        distinct![0_u8, 1_u8, 0_i8, 0_u16, 0_i16, 0_u32, 0_i32, 0_u64, 0_i64, 0_u128, 0_i128, u128::MAX, u64::MAX];
        distinct![0.0_f32, -0.0_f32, 0.0_f64, -0.0_f64, f64::NAN, true, false, '0', '\0', "0", "\0", "\0\0", ""];
        distinct![None::<u8>, Some(0_u8), Some(Some(0_u8)), Some(None::<u8>), (), Some(()), Unit, Newtype(0)];
        distinct![[0_u8; 0], [0_u8], [0_u8, 0], (0_u8, 1_u8), (1_u8, 0_u8), Pair(0, 1), Vec::<u8>::new()];
        distinct![vec![0_u8], vec![0_u8, 0], vec![0_u8, 1], vec![0_u8, 2], vec![Vec::<u8>::new()], vec![vec![0_u8]]];
        distinct![Fields { a: 0, b: None }, Fields { a: 1, b: None }, Fields { a: 0, b: Some(0) }];
        distinct![Variants::One, Variants::Two, Variants::Newtype(0), Variants::Other(0), Variants::Pair(0, 0)];
        distinct![Variants::Named { a: 0 }, json!({"a": 0}), json!({"b": 0}), json!({"a": 1}), json!({})];
        distinct![BTreeMap::from([(0_u8, 1_u8), (1, 0)]), BTreeMap::from([(0_u8, 0_u8), (1, 1)])];
        distinct![
            BTreeMap::from([(0_u8, 0_u8)]),
            BTreeMap::from([(1_u8, 1_u8)]),
            ((0_u8, 0_u8), 0_u8),
            (0_u8, (0_u8, 0_u8))
        ];
        distinct![((0_u8,),), (((0_u8,),),), (1_u8, 1_u8), vec![(0_u8, 0_u8)], vec![(1_u8, 1_u8)]];
        distinct![bytes::Bytes::new(), bytes::Bytes::from_static(b"0")];
        for len in 1..70 {
            for place in 0..len {
                let mut text = vec![b'a'; len];
                text[place] = b'b';
                distinct![std::str::from_utf8(&text).unwrap()];
            }
        }
    }

    #[test]
    fn the_order_of_a_hash_set_does_not_count() {
        let forward: HashSet<String> = (0..100).map(|n| n.to_string()).collect();
        let backward: HashSet<String> = (0..100).rev().map(|n| n.to_string()).collect();
        assert_eq!(of(&forward).unwrap(), of(&backward).unwrap());
        let map = |numbers: &mut dyn Iterator<Item = u8>| numbers.map(|n| (n, n)).collect::<HashMap<u8, u8>>();
        assert_eq!(of(&map(&mut (0..100))).unwrap(), of(&map(&mut (0..100).rev())).unwrap());
    }
}
