//! Maps from names to arrays come back, of one element type or of several; nothing that is damaged does.
#![allow(clippy::panic, clippy::unwrap_used)]

use cacheness_core::{ErrorKind, Result};
use cacheness_handler_ndarray::{AnyArray, ArrayMapHandler, Member, register};
use cacheness_handlers::{Format, Handler, HandlerRegistry, SliceReader};
use ndarray::{Array2, ArrayD, Axis, IxDyn, ShapeBuilder, arr0, array};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::any::Any;
use std::collections::BTreeMap;

type Map<M> = BTreeMap<String, M>;

fn stored<M: Member>(arrays: &Map<M>) -> (Format, Vec<u8>) {
    let handler = ArrayMapHandler::<M>::new();
    let format = handler.plan(arrays).unwrap();
    let mut bytes = Vec::new();
    handler.encode(arrays, &format, &mut bytes).unwrap();
    assert_eq!(format.hints.size, Some(bytes.len() as u64));
    (format, bytes)
}

fn format() -> Format {
    Format::new("ndarray_map", 1)
}

fn decode<M: Member>(bytes: &[u8]) -> Result<Map<M>> {
    ArrayMapHandler::<M>::new().decode(&mut SliceReader::new(bytes.to_vec().into()), &format())
}

fn kind_of<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// A payload of any header and any elements.
fn payload(header: &str, elements: &[u8]) -> Vec<u8> {
    [&(header.len() as u32).to_le_bytes(), header.as_bytes(), elements].concat()
}

/// An array of every element type, and of several shapes and orders.
fn everything() -> Map<AnyArray> {
    let mut backwards = array![[1_i16, 2, 3], [4, 5, 6]];
    backwards.invert_axis(Axis(1));
    let columns = Array2::from_shape_vec((2, 3).f(), vec![1.5_f32, 2.5, 3.5, 4.5, 5.5, 6.5]).unwrap();
    let arrays: Vec<AnyArray> = vec![
        array![1_i8, -1].into(),
        backwards.into(),
        arr0(i32::MIN).into(),
        array![[i64::MIN], [i64::MAX]].into(),
        array![i128::MIN].into(),
        Array2::<u8>::zeros((3, 0)).into(),
        array![u16::MAX].into(),
        array![u32::MAX, 1, 2].into(),
        array![[[u64::MAX]]].into(),
        array![u128::MAX, 7].into(),
        columns.into(),
        array![f64::NEG_INFINITY, -0.0].into(),
        array![true, false, true].into(),
    ];
    let names = ["", "weights/0", "weights.0", "ünïcode 🦀", "a\0b", "\"quoted\"", "\n", "x", "X", "{}", "é", "z", "~"];
    assert_eq!(names.len(), arrays.len());
    names.map(str::to_owned).into_iter().zip(arrays).collect()
}

#[test]
fn a_map_of_arrays_of_every_element_type_comes_back() {
    let arrays = everything();
    let dtypes: std::collections::BTreeSet<_> = arrays.values().map(AnyArray::dtype).collect();
    assert_eq!(dtypes.len(), 13);
    let (_, bytes) = stored(&arrays);
    let back: Map<AnyArray> = decode(&bytes).unwrap();
    assert_eq!(back, arrays);
    assert!(back.values().find_map(AnyArray::get::<f32>).unwrap().t().is_standard_layout(), "it lies as it did");
    assert_eq!(stored(&back).1, bytes);
}

#[test]
fn a_map_without_arrays_comes_back() {
    let (format, bytes) = stored(&Map::<AnyArray>::new());
    assert_eq!((&bytes[..], format.hints.element_width), (&b"\x02\0\0\0{}"[..], 1));
    assert_eq!(decode::<AnyArray>(&bytes).unwrap(), Map::new());
    assert_eq!(decode::<ArrayD<f64>>(&bytes).unwrap(), Map::new());
}

#[test]
fn arrays_of_one_element_type_need_no_enum() {
    let arrays = Map::from([
        ("bias".to_owned(), array![0.5, f64::from_bits(0x7ff8_0000_dead_beef)].into_dyn()),
        ("weights".to_owned(), array![[1.0, 2.0], [3.0, 4.0]].into_dyn()),
    ]);
    let (_, bytes) = stored(&arrays);
    let bits = |arrays: &Map<ArrayD<f64>>| arrays["bias"].mapv(f64::to_bits);
    let back: Map<ArrayD<f64>> = decode(&bytes).unwrap();
    assert_eq!((bits(&back), &back["weights"]), (bits(&arrays), &arrays["weights"]));

    let any: Map<AnyArray> = decode(&bytes).unwrap();
    assert_eq!(any["weights"].get::<f64>(), Some(&arrays["weights"]));
    assert_eq!(stored(&any).1, bytes, "either is read as the other");
    let rank: Map<Array2<f64>> = decode(&stored(&Map::from([("a".to_owned(), array![[1.0, 2.0]])])).1).unwrap();
    assert_eq!(rank["a"], array![[1.0, 2.0]]);
}

#[test]
fn another_element_type_or_rank_is_a_mismatch_that_names_the_array() {
    let arrays: Map<AnyArray> =
        Map::from([("x".to_owned(), array![1.0].into()), ("labels".to_owned(), array![1_u8].into())]);
    let (_, bytes) = stored(&arrays);
    let error = decode::<ArrayD<f64>>(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    let line = error.to_string();
    assert!(["\"labels\"", "u8", "f64"].iter().all(|part| line.contains(part)), "{line}");
    let error = decode::<Array2<u8>>(&stored(&Map::from([("y".to_owned(), array![1_u8])])).1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("1 axes, not 2"), "{error}");
}

#[test]
fn an_array_of_any_type_is_taken_out_as_what_it_is() {
    let any = AnyArray::from(array![[1_u16, 2]]);
    assert_eq!((any.dtype(), any.shape()), ("u16", &[1, 2][..]));
    assert_eq!(any.get::<i16>(), None);
    let error = any.clone().into_array::<i16>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("u16") && error.to_string().contains("i16"), "{error}");
    assert_eq!(any.into_array::<u16>().unwrap(), array![[1, 2]].into_dyn());
}

#[test]
fn the_stored_form_never_changes() {
    let columns = Array2::from_shape_vec((2, 2).f(), vec![1_u16, 2, 3, 0x0405]).unwrap();
    let arrays: Map<AnyArray> = Map::from([("b".to_owned(), columns.into()), ("a é".to_owned(), arr0(true).into())]);
    let header = r#"{"a é":{"dtype":"bool","order":"C","shape":[]},"b":{"dtype":"u16","order":"F","shape":[2,2]}}"#;
    let golden = [b"\x5e\0\0\0", header.as_bytes(), b"\x01", b"\x01\0\x02\0\x03\0\x05\x04"].concat();
    let (format, bytes) = stored(&arrays);
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&golden));
    assert_eq!(bytes, golden);
    assert_eq!((&*format.name, format.version, format.schema, format.extra.len()), ("ndarray_map", 1, None, 0));
    assert_eq!(Handler::type_tag(&ArrayMapHandler::<AnyArray>::new()), "ndarray_map");
    assert_eq!(decode::<AnyArray>(&golden).unwrap(), arrays);
}

#[test]
fn elements_are_shuffled_by_the_width_that_most_bytes_have() {
    let width = |arrays: Vec<AnyArray>| {
        let arrays = arrays.into_iter().enumerate().map(|(index, array)| (index.to_string(), array)).collect();
        stored(&arrays).0.hints.element_width
    };
    assert_eq!(width(vec![array![1.0_f64].into(), array![1_u8, 2, 3, 4, 5, 6, 7].into()]), 8);
    assert_eq!(width(vec![array![1.0_f64].into(), array![1_u8, 2, 3, 4, 5, 6, 7, 8, 9].into()]), 1);
    assert_eq!(width(vec![array![1.0_f32].into(), array![1_u32].into(), array![1_i64 >> 1].into()]), 8);
    assert_eq!(width(vec![array![1.0_f32].into(), array![1_u32, 2].into(), array![1_i64].into()]), 4);
    assert_eq!(width(vec![Array2::<f64>::zeros((0, 9)).into(), array![true].into()]), 1, "it has no bytes");
}

#[test]
fn a_map_that_ends_early_or_late_is_corrupt_wherever() {
    let (_, bytes) = stored(&everything());
    for length in 0..bytes.len() {
        assert_eq!(kind_of(decode::<AnyArray>(&bytes[..length])), Some(ErrorKind::Corrupt), "{length}");
    }
    assert_eq!(kind_of(decode::<AnyArray>(&[&bytes[..], &[0]].concat())), Some(ErrorKind::Corrupt));
}

#[test]
fn a_header_is_read_only_as_it_is_written() {
    let good = r#"{"a":{"dtype":"u8","order":"C","shape":[2]}}"#;
    assert!(decode::<AnyArray>(&payload(good, &[1, 2])).is_ok());
    for bad in [
        "",
        "null",
        "[]",
        "7",
        "{",
        r#"{"a":1}"#,
        r#"{"a":{}}"#,
        r#"{"a":[]}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[2]}} "#,
        r#"{"a": {"dtype":"u8","order":"C","shape":[2]}}"#,
        r#"{"\u0061":{"dtype":"u8","order":"C","shape":[2]}}"#,
        r#"{"a":{"order":"C","dtype":"u8","shape":[2]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[2],"zzz":1}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[2]},"a":{"dtype":"u8","order":"C","shape":[2]}}"#,
        r#"{"a":{"dtype":"u8","order":"K","shape":[2]}}"#,
        r#"{"a":{"dtype":8,"order":"C","shape":[2]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":2}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[2.0]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[-2]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[18446744073709551615]}}"#,
        r#"{"a":{"dtype":"u64","order":"C","shape":[18446744073709551615]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[9223372036854775808,2]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"u8","order":"C","shape":[18446744073709551615]},"b":{"dtype":"u8","order":"C","shape":[3]}}"#,
        &"[".repeat(100_000),
    ] {
        assert_eq!(kind_of(decode::<AnyArray>(&payload(bad, &[1, 2]))), Some(ErrorKind::Corrupt), "{bad:.100}");
        assert!(decode::<ArrayD<u8>>(&payload(bad, &[1, 2])).is_err(), "{bad:.100}");
    }
    let unknown = good.replace("u8", "f16");
    assert_eq!(kind_of(decode::<AnyArray>(&payload(&unknown, &[1, 2]))), Some(ErrorKind::FormatTooNew));
    assert_eq!(kind_of(decode::<ArrayD<u8>>(&payload(&unknown, &[1, 2]))), Some(ErrorKind::TypeMismatch));
}

#[test]
fn a_length_that_the_payload_does_not_have_costs_nothing() {
    for length in [100_u32, 1 << 31, u32::MAX] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert_eq!(kind_of(decode::<AnyArray>(&bytes)), Some(ErrorKind::Corrupt));
    }
}

#[test]
fn unknown_formats_are_refused() {
    let (_, bytes) = stored(&everything());
    let handler = ArrayMapHandler::<AnyArray>::new();
    for unknown in [Format::new("ndarray_map", 2), Format::new("ndarray", 1)] {
        let result = handler.decode(&mut SliceReader::new(bytes.clone().into()), &unknown);
        assert_eq!(kind_of(result), Some(ErrorKind::FormatTooNew));
    }
}

#[test]
fn maps_are_registered_by_element_type_and_for_all_of_them() {
    let mut registry = HandlerRegistry::standard();
    register(&mut registry).unwrap();
    let names: Vec<_> = registry.iter().filter(|handler| handler.type_tag == "ndarray_map").map(|h| h.name).collect();
    assert_eq!(names.len(), 14);
    assert!(names.contains(&"ndarray_map.f64") && names.contains(&"ndarray_map.any"), "{names:?}");
    let values: [&dyn Any; 2] = [&Map::<ArrayD<f32>>::new(), &everything()];
    for value in values {
        assert_eq!(registry.for_value(value).unwrap().type_tag(), "ndarray_map");
    }
}

fn any_array() -> impl Strategy<Value = AnyArray> {
    (vec(0..4_usize, 0..5), any::<bool>(), 0..4_u8).prop_map(|(shape, column_major, dtype)| {
        let size: usize = shape.iter().product();
        let shape = IxDyn(&shape).set_f(column_major);
        match dtype {
            0 => ArrayD::from_shape_vec(shape, vec![true; size]).unwrap().into(),
            1 => ArrayD::from_shape_vec(shape, (0..size).map(|n| n as i16 - 7).collect()).unwrap().into(),
            2 => ArrayD::from_shape_vec(shape, (0..size).map(|n| n as f32 / 3.0).collect()).unwrap().into(),
            _ => {
                ArrayD::from_shape_vec(shape, (0..size).map(|n| u128::MAX / (n as u128 + 1)).collect()).unwrap().into()
            }
        }
    })
}

proptest! {
    #[test]
    fn any_map_comes_back(arrays in btree_map(any::<String>(), any_array(), 0..6)) {
        let (_, bytes) = stored(&arrays);
        let back: Map<AnyArray> = decode(&bytes).unwrap();
        prop_assert_eq!(&back, &arrays);
        prop_assert_eq!(stored(&back).1, bytes);
    }

    #[test]
    fn damaged_maps_never_panic_and_what_is_read_is_stored_the_same(
        arrays in btree_map(any::<String>(), any_array(), 0..4),
        hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: prop::sample::Index,
    ) {
        let (_, mut bytes) = stored(&arrays);
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 50);
        for (place, byte) in hits {
            *place.get_mut(&mut bytes) = byte;
        }
        match decode::<AnyArray>(&bytes) {
            Ok(back) => {
                let elements: usize = stored(&back).1.len();
                prop_assert_eq!(elements, bytes.len());
            }
            Err(error) => {
                prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew), "{}", error);
            }
        }
        let _ = decode::<ArrayD<i16>>(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        dtype in prop::sample::select(vec!["bool", "u8", "f64", "i128", "f16"]),
        shape in vec(prop_oneof![0..5_u64, any::<u64>()], 0..6),
        order in "[CFK]",
        name: String,
        elements in vec(any::<u8>(), 0..100),
        noise in vec(any::<u8>(), 0..100),
    ) {
        let header = serde_json::json!({ name: { "dtype": dtype, "shape": shape, "order": order } }).to_string();
        if let Ok(back) = decode::<AnyArray>(&payload(&header, &elements)) {
            prop_assert_eq!(stored(&back).1.len(), 4 + header.len() + elements.len());
        }
        let is_empty_map = noise == payload("{}", b"");
        prop_assert!(decode::<AnyArray>(&noise).is_err() || is_empty_map);
    }
}
