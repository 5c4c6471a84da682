//! Every element type, rank and memory order comes back; nothing that is damaged does.
#![allow(clippy::panic, clippy::unwrap_used)]

use bytes::Bytes;
use cacheness_core::{ErrorKind, Result};
use cacheness_handler_ndarray::{ArrayHandler, Element, register};
use cacheness_handlers::{Format, Handler, HandlerRegistry, PayloadReader, SliceReader};
use ndarray::{
    Array, Array1, Array2, ArrayD, Axis, Dimension, Ix0, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn, ShapeBuilder, Slice, arr0,
};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::fmt::Debug;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};

fn stored<A: Element, D: Dimension + 'static>(array: &Array<A, D>) -> (Format, Vec<u8>) {
    let handler = ArrayHandler::<A, D>::new();
    let format = handler.plan(array).unwrap();
    let mut bytes = Vec::new();
    handler.encode(array, &format, &mut bytes).unwrap();
    assert_eq!(format.hints.size, Some(bytes.len() as u64));
    assert_eq!(usize::from(format.hints.element_width), size_of::<A>());
    (format, bytes)
}

fn decode<A: Element, D: Dimension + 'static>(format: &Format, bytes: &[u8]) -> Result<Array<A, D>> {
    ArrayHandler::<A, D>::new().decode(&mut SliceReader::new(bytes.to_vec().into()), format)
}

fn kind_of<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Stores the array and reads it back by its own rank and by the dynamic one. The copies lie as the array did.
fn comes_back<A: Element + PartialEq + Debug, D: Dimension + 'static>(array: &Array<A, D>, order: &str) {
    let (format, bytes) = stored(array);
    assert_eq!(format.extra["order"], order, "{:?} {:?}", array.shape(), array.strides());
    let back: Array<A, D> = decode(&format, &bytes).unwrap();
    assert_eq!(&back, array);
    let dynamic: ArrayD<A> = decode(&format, &bytes).unwrap();
    assert_eq!(dynamic, array.clone().into_dyn());
    if order == "F" {
        assert!(back.t().is_standard_layout() && dynamic.t().is_standard_layout());
    } else {
        assert!(back.is_standard_layout() && dynamic.is_standard_layout());
    }
    assert_eq!(stored(&dynamic), (format, bytes));
}

/// Stores arrays of one shape in all memory orders.
fn every_order_comes_back<A: Element + PartialEq + Debug, D: Dimension + 'static>(shape: D, number: fn(usize) -> A) {
    let rows = Array::from_shape_vec(shape.clone(), (0..shape.size()).map(number).collect()).unwrap();
    comes_back(&rows, "C");
    let columns = Array::from_shape_vec(shape.clone().f(), (0..shape.size()).map(number).collect()).unwrap();
    comes_back(&columns, if columns.is_standard_layout() { "C" } else { "F" });
    if let Some(axis) = (0..shape.ndim()).map(Axis).find(|axis| rows.len_of(*axis) > 1) {
        let mut backwards = rows.clone();
        backwards.invert_axis(axis);
        comes_back(&backwards, "C");
        let mut gaps = rows;
        gaps.slice_axis_inplace(axis, Slice::from(..).step_by(2));
        comes_back(&gaps, "C");
    }
}

macro_rules! elements {
    ($($name:ident: $element:ty = $number:expr;)*) => {$(
        #[test]
        fn $name() {
            let number: fn(usize) -> $element = $number;
            comes_back(&arr0(number(7)), "C");
            every_order_comes_back(Ix0(), number);
            every_order_comes_back(Ix1(5), number);
            every_order_comes_back(Ix2(3, 4), number);
            every_order_comes_back(Ix3(2, 3, 4), number);
            every_order_comes_back(Ix4(2, 3, 1, 4), number);
            every_order_comes_back(Ix5(2, 1, 3, 2, 2), number);
            every_order_comes_back(Ix6(2, 1, 2, 3, 1, 2), number);
            every_order_comes_back(IxDyn(&[]), number);
            every_order_comes_back(IxDyn(&[2, 2, 1, 2, 2, 1, 3, 2]), number);
            for empty in [Ix3(0, 3, 4), Ix3(3, 0, 4), Ix3(3, 4, 0), Ix3(0, 0, 0), Ix3(0, 1 << 31, 1 << 31)] {
                every_order_comes_back(empty, number);
            }
        }
    )*};
}

elements! {
    arrays_of_i8_come_back: i8 = |index| (index as i8).wrapping_mul(-37);
    arrays_of_i16_come_back: i16 = |index| (index as i16).wrapping_mul(-12_345);
    arrays_of_i32_come_back: i32 = |index| (index as i32).wrapping_mul(-1_234_567_891);
    arrays_of_i64_come_back: i64 = |index| i64::MIN + index as i64;
    arrays_of_i128_come_back: i128 = |index| i128::MIN + index as i128;
    arrays_of_u8_come_back: u8 = |index| index as u8;
    arrays_of_u16_come_back: u16 = |index| u16::MAX - index as u16;
    arrays_of_u32_come_back: u32 = |index| u32::MAX - index as u32;
    arrays_of_u64_come_back: u64 = |index| u64::MAX - index as u64;
    arrays_of_u128_come_back: u128 = |index| u128::MAX - index as u128;
    arrays_of_f32_come_back: f32 = |index| index as f32 / 3.0;
    arrays_of_f64_come_back: f64 = |index| if index == 1 { f64::INFINITY } else { -(index as f64) / 3.0 };
    arrays_of_bool_come_back: bool = |index| index % 3 == 0;
}

#[test]
fn the_bits_of_a_nan_come_back() {
    let bits = [0x7ff8_0000_0000_0001, 0xfff0_dead_beef_0001, 0x8000_0000_0000_0000];
    let (format, bytes) = stored(&Array1::from_iter(bits.map(f64::from_bits)));
    let back: Array1<f64> = decode(&format, &bytes).unwrap();
    assert_eq!(back.mapv(f64::to_bits).to_vec(), bits);
}

#[test]
fn large_arrays_come_back_in_every_order() {
    let rows = Array2::from_shape_fn((700, 901), |(row, column)| (row * 1000 + column) as f64);
    comes_back(&rows, "C");
    comes_back(&rows.clone().reversed_axes(), "F");
    let mut gaps = rows;
    gaps.slice_axis_inplace(Axis(1), Slice::from(..).step_by(3));
    comes_back(&gaps, "C");
}

#[test]
fn the_stored_form_never_changes() {
    let (format, bytes) = stored(&Array2::from_shape_vec((2, 2).f(), vec![1_u16, 2, 3, 0x0405]).unwrap());
    assert_eq!((&*format.name, format.version, format.schema), ("ndarray", 1, None));
    let extra = serde_json::to_string(&format.extra).unwrap();
    assert_eq!(extra, r#"{"dtype":"u16","order":"F","shape":[2,2]}"#);
    assert_eq!(bytes, [1, 0, 2, 0, 3, 0, 5, 4]);
    let (format, bytes) = stored(&arr0(true));
    assert_eq!(format.extra["shape"], json!([]));
    assert_eq!(bytes, [1]);
}

#[test]
fn a_fixed_rank_reads_what_was_stored_with_a_dynamic_one() {
    let array = ArrayD::from_shape_vec(IxDyn(&[2, 3]), vec![1, 2, 3, 4, 5, 6]).unwrap();
    let (format, bytes) = stored(&array);
    assert_eq!(decode::<i32, Ix2>(&format, &bytes).unwrap().into_dyn(), array);
}

#[test]
fn another_element_type_or_rank_is_a_mismatch_that_names_both() {
    let (format, bytes) = stored(&Array2::<f32>::zeros((2, 3)));
    let error = decode::<f64, Ix2>(&format, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("f32") && error.to_string().contains("f64"), "{error}");
    assert_eq!(kind_of(decode::<i32, Ix2>(&format, &bytes)), Some(ErrorKind::TypeMismatch));
    for error in [decode::<f32, Ix1>(&format, &bytes).unwrap_err(), decode::<f32, Ix1>(&format, &[]).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert!(error.to_string().contains("2 axes, not 1"), "{error}");
    }
}

#[test]
fn bools_are_0_or_1() {
    let (format, mut bytes) = stored(&Array1::from_elem(3, true));
    bytes[1] = 2;
    assert_eq!(kind_of(decode::<bool, Ix1>(&format, &bytes)), Some(ErrorKind::Corrupt));
}

#[test]
fn a_payload_of_another_size_is_corrupt() {
    let (format, bytes) = stored(&Array2::<i64>::ones((2, 3)));
    for wrong in [&[][..], &bytes[..47], &[&bytes[..], &[0]].concat(), &bytes.repeat(2)] {
        assert_eq!(kind_of(decode::<i64, Ix2>(&format, wrong)), Some(ErrorKind::Corrupt), "{}", wrong.len());
        assert_eq!(kind_of(decode::<i64, IxDyn>(&format, wrong)), Some(ErrorKind::Corrupt), "{}", wrong.len());
    }
}

#[test]
fn unknown_formats_are_refused() {
    let (format, bytes) = stored(&Array1::<u8>::ones(3));
    for unknown in [Format { version: 2, ..format.clone() }, Format { name: "npy".into(), ..format }] {
        assert_eq!(kind_of(decode::<u8, Ix1>(&unknown, &bytes)), Some(ErrorKind::FormatTooNew));
    }
}

#[test]
fn hostile_fields_are_errors() {
    let (format, bytes) = stored(&Array2::<u8>::ones((2, 3)));
    let huge = u64::MAX;
    let hostile: Vec<(&str, Json)> = vec![
        ("dtype", json!(null)),
        ("dtype", json!(["u8"])),
        ("order", json!("K")),
        ("order", json!(1)),
        ("shape", json!("2x3")),
        ("shape", json!([-2, -3])),
        ("shape", json!([2.0, 3.0])),
        ("shape", json!(["2", "3"])),
        ("shape", json!([2, null])),
        ("shape", json!([2, 4])),
        ("shape", json!([huge, huge])),
        ("shape", json!([1_u64 << 63, 2])),
        ("shape", json!([6, 1_u64 << 63, 2, 2])),
        ("shape", json!([0, huge])),
        ("shape", json!([huge, 0])),
        ("shape", json!(vec![1; 10_000])),
    ];
    for (field, value) in hostile {
        let damaged = format.clone().extra(field, value.clone());
        for bytes in [&bytes[..], &[]] {
            let kind = kind_of(decode::<u8, IxDyn>(&damaged, bytes));
            assert_eq!(kind, Some(ErrorKind::Corrupt), "{field}: {:.50}", value.to_string());
            assert!(decode::<u8, Ix2>(&damaged, bytes).is_err());
        }
    }
    for field in ["dtype", "order", "shape"] {
        let mut without = format.clone();
        without.extra.remove(field);
        assert_eq!(kind_of(decode::<u8, Ix2>(&without, &bytes)), Some(ErrorKind::Corrupt), "{field}");
    }
}

/// A payload that claims to have more bytes than it has.
struct Boaster(Cursor<Vec<u8>>, u64);

impl Read for Boaster {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Boaster {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl Seek for Boaster {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl PayloadReader for Boaster {
    fn remaining(&self) -> u64 {
        self.1
    }

    fn as_slice(&self) -> Option<&[u8]> {
        None
    }

    fn read_bytes(&mut self) -> io::Result<Bytes> {
        Ok(self.0.get_ref().clone().into())
    }
}

#[test]
fn a_huge_shape_costs_no_memory_before_its_bytes_arrive() {
    let (format, _) = stored(&Array1::<u64>::zeros(0));
    for count in [1_u64 << 20, 1 << 45, (i64::MAX as u64) / 8, u64::MAX / 8] {
        let mut reader = Boaster(Cursor::new(vec![1; 1000]), count * 8);
        let format = format.clone().extra("shape", vec![count]);
        let result = ArrayHandler::<u64, Ix1>::new().decode(&mut reader, &format);
        assert_eq!(kind_of(result), Some(ErrorKind::Corrupt), "{count}");
    }
}

#[test]
fn all_element_types_and_ranks_are_registered() {
    let mut registry = HandlerRegistry::standard();
    let before = registry.iter().count();
    register(&mut registry).unwrap();
    assert_eq!(registry.iter().count() - before, 13 * (8 + 1) + 1);
    assert!(registry.iter().all(|handler| handler.built_in));
    let arrays = registry.iter().skip(before).filter(|handler| handler.type_tag == "ndarray");
    assert_eq!(arrays.count(), 13 * 8);

    let array = Array2::<f32>::ones((2, 2));
    let handler = registry.for_value(&array).unwrap();
    let format = handler.plan(&array).unwrap();
    let mut bytes = Vec::new();
    handler.encode(&array, &format, &mut bytes).unwrap();
    let back = handler.decode(&mut SliceReader::new(bytes.into()), &format).unwrap();
    assert_eq!(back.downcast_ref::<Array2<f32>>(), Some(&array));
    assert!(registry.iter().any(|handler| handler.name == "ndarray.bool.dyn"));

    assert_eq!(kind_of(register(&mut registry)), Some(ErrorKind::AlreadyRegistered));
}

proptest! {
    #[test]
    fn arrays_of_any_shape_and_order_come_back(
        shape in vec(0..6_usize, 0..7),
        column_major: bool,
        from in 0..7_usize,
        to in 0..7_usize,
    ) {
        let shape = IxDyn(&shape);
        let numbers = (0..shape.size()).map(|number| number as i16).collect();
        let mut array = ArrayD::from_shape_vec(shape.set_f(column_major), numbers).unwrap();
        if from < array.ndim() && to < array.ndim() {
            array.swap_axes(from, to);
        }
        let (format, bytes) = stored(&array);
        prop_assert_eq!(decode::<i16, IxDyn>(&format, &bytes).unwrap(), array);
    }

    #[test]
    fn any_shape_and_any_bytes_never_panic(
        shape in vec(prop_oneof![0..5_u64, any::<u64>()], 0..8),
        order in "[CFK]",
        bytes in vec(any::<u8>(), 0..100),
    ) {
        let format = Format::new("ndarray", 1).extra("shape", shape.clone()).extra("order", order);
        let booleans = format.clone().extra("dtype", "bool");
        if let Ok(array) = decode::<bool, IxDyn>(&booleans, &bytes) {
            prop_assert_eq!(array.len(), bytes.len());
        }
        let wide = format.extra("dtype", "i128");
        if let Ok(array) = decode::<i128, IxDyn>(&wide, &bytes) {
            prop_assert_eq!(array.len() * 16, bytes.len());
        }
    }
}
