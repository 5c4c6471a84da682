//! Values of every shape, made by chance: what can be stored comes back equal.

use super::{decode, encode, round_trips};
use proptest::collection::{btree_map, hash_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A float that equals itself by its bits.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Bits(f64);

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Unit(()),
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Wide(i128),
    Wider(u128),
    Float(Bits),
    Char(char),
    Text(String),
    Bytes(bytes::Bytes),
    Options(Option<Option<Option<()>>>),
    Pair(Box<Tree>, Option<Box<Tree>>),
    List(Vec<Tree>),
    Map(BTreeMap<String, Option<Tree>>),
    Table(HashMap<(i32, Option<char>), Tree>),
    Record { left: Option<Option<Box<Tree>>>, right: Result<Vec<Tree>, Bits> },
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Leaf),
        Just(Tree::Unit(())),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Signed),
        any::<u64>().prop_map(Tree::Unsigned),
        any::<i128>().prop_map(Tree::Wide),
        any::<u128>().prop_map(Tree::Wider),
        any::<u64>().prop_map(|bits| Tree::Float(Bits(f64::from_bits(bits)))),
        any::<char>().prop_map(Tree::Char),
        ".{0,40}".prop_map(Tree::Text),
        vec(any::<u8>(), 0..300).prop_map(|bytes| Tree::Bytes(bytes.into())),
        any::<Option<Option<Option<()>>>>().prop_map(Tree::Options),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            (boxed.clone(), prop::option::of(boxed.clone())).prop_map(|(left, right)| Tree::Pair(left, right)),
            vec(inner.clone(), 0..20).prop_map(Tree::List),
            btree_map(".{0,5}", prop::option::of(inner.clone()), 0..20).prop_map(Tree::Map),
            hash_map(any::<(i32, Option<char>)>(), inner.clone(), 0..20).prop_map(Tree::Table),
            (
                prop::option::of(prop::option::of(boxed)),
                prop_oneof![
                    vec(inner, 0..3).prop_map(Ok),
                    any::<u64>().prop_map(|bits| Err(Bits(f64::from_bits(bits))))
                ]
            )
                .prop_map(|(left, right)| Tree::Record { left, right }),
        ]
    })
}

/// Variants that are read by trying: some stand in the shadow of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Small(u8),
    Large(i64),
    Single(f32),
    Double(f64),
    Char(char),
    Text(String),
    Nothing(Option<Option<u16>>),
    Pair(Box<Loose>, Box<Loose>),
    List(Vec<Loose>),
    Tagged(Tagged),
    Record {
        a: Option<Box<Loose>>,
        b: u8,
    },
    Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u16>,
        #[serde(flatten)]
        rest: BTreeMap<String, Option<Option<u8>>>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "b")]
enum Tagged {
    Unit,
    Struct { a: Option<Box<Loose>>, c: f32 },
}

fn loose() -> impl Strategy<Value = Loose> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Loose::Small),
        any::<i64>().prop_map(Loose::Large),
        any::<f32>().prop_map(Loose::Single),
        any::<f64>().prop_map(Loose::Double),
        any::<char>().prop_map(Loose::Char),
        ".{0,3}".prop_map(Loose::Text),
        any::<Option<Option<u16>>>().prop_map(Loose::Nothing),
        Just(Loose::Tagged(Tagged::Unit)),
        (any::<Option<u16>>(), btree_map("[abc]{1,2}", any::<Option<Option<u8>>>(), 0..3))
            .prop_map(|(a, rest)| Loose::Sparse { a, rest }),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            (boxed.clone(), boxed.clone()).prop_map(|(left, right)| Loose::Pair(left, right)),
            vec(inner, 0..4).prop_map(Loose::List),
            (prop::option::of(boxed.clone()), any::<f32>()).prop_map(|(a, c)| Loose::Tagged(Tagged::Struct { a, c })),
            (prop::option::of(boxed), any::<u8>()).prop_map(|(a, b)| Loose::Record { a, b }),
        ]
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 50, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(".{0,5}", inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_tree_round_trips(tree in tree()) {
        round_trips(tree);
    }

    #[test]
    fn every_json_value_round_trips(value in json()) {
        round_trips(Some(value));
    }

    #[test]
    fn floats_keep_their_bits(single in any::<u32>(), double in any::<u64>()) {
        let single = f32::from_bits(single);
        prop_assert_eq!(decode::<f32>(&encode(&single).unwrap()).unwrap().to_bits(), single.to_bits());
        round_trips(Bits(f64::from_bits(double)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_read_by_trying_round_trips_or_is_refused(value in loose()) {
        if let Ok(bytes) = encode(&value) {
            prop_assert_eq!(decode::<Loose>(&bytes).unwrap(), value);
        }
    }
}
