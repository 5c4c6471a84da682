//! Filters, from JSON and composed: bounded in depth, and true of a record as the laws of logic and order say.
#![no_main]

use cacheness_core::runtime::block_on;
use cacheness_core::{Clock, ErrorKind, ManualClock, Timestamp};
use cacheness_fuzz::{Input, bounded, terms};
use cacheness_handlers::{Encoding, Extra};
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::{
    Annotations, Change, Comparison, Condition, Content, Digest, EntryKey, Field, Filter, Location, MAX_FILTER_DEPTH,
    Metadata, MetadataBackend, OnUnmet, OpenContext, Operand, Query, Record, Terms, Usage, Version,
};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

/// What things inside metadata and parameters are called.
const NAMES: [&str; 5] = ["a", "b", "", "a.b", "$gte"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.byte();
    let filter = match mode % 4 {
        0 => {
            let length = usize::from(u16::from_le_bytes(input.array()));
            let json = input.bytes(length);
            match bounded(1024 * json.len() + 4096, || serde_json::from_slice::<Filter>(json)) {
                Ok(filter) => filter,
                Err(_) => return,
            }
        }
        1 => composed(&mut input, 0),
        3 => {
            let length = usize::from(u16::from_le_bytes(input.array()));
            let Ok(json) = serde_json::from_slice::<serde_json::Value>(input.bytes(length)) else { return };
            match bounded(4096 * length + 4096, || Filter::try_from(&json)) {
                Ok(filter) => filter,
                Err(error) => return assert_eq!(error.kind(), ErrorKind::InvalidQuery),
            }
        }
        _ => nested(input.byte(), composed(&mut input, 1)),
    };
    let mut record = record(&mut input);
    let now = Timestamp::from_micros(i64::from_le_bytes(input.array()));
    record.content.terms = terms(&mut input, &NAMES);

    let written = serde_json::to_vec(&filter).expect("a filter has a wire form");
    match serde_json::from_slice::<Filter>(&written) {
        Ok(read) => assert_eq!(read, filter),
        Err(error) => assert!(depth(&filter) > 20, "{error}"),
    }
    let is_deep = depth(&filter) > MAX_FILTER_DEPTH;
    let checked = filter.check().map_err(|error| error.kind());
    assert_eq!(checked, if is_deep { Err(ErrorKind::InvalidQuery) } else { Ok(()) });
    if !is_deep {
        obeys(&filter, &record, now);
    }
    pages(filter, record, now);
});

fn depth(filter: &Filter) -> usize {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => 1 + filters.iter().map(depth).max().unwrap_or(0),
        Filter::Not(filter) => 1 + depth(filter),
        _ => 1,
    }
}

/// So many filters in each other.
fn nested(levels: u8, mut filter: Filter) -> Filter {
    for level in 0..levels % 80 {
        filter = match (level ^ levels) % 3 {
            0 => Filter::Not(Box::new(filter)),
            1 => Filter::And(vec![filter]),
            _ => Filter::Or(vec![filter]),
        };
    }
    filter
}

fn composed(input: &mut Input<'_>, level: usize) -> Filter {
    let field = field(input);
    match input.below(if level > 3 { 6 } else { 9 }) {
        0 => Filter::All,
        1 => Filter::Exists(field),
        2 => Filter::Prefix(field, input.text()),
        3 => Filter::In(field, (0..input.below(4)).map(|_| operand(input)).collect()),
        4 | 5 => Filter::Compare(field, comparison(input), operand(input)),
        6 => Filter::And((0..input.below(4)).map(|_| composed(input, level + 1)).collect()),
        7 => Filter::Or((0..input.below(4)).map(|_| composed(input, level + 1)).collect()),
        _ => Filter::Not(Box::new(composed(input, level + 1))),
    }
}

fn field(input: &mut Input<'_>) -> Field {
    match input.below(16) {
        0 => Field::Key,
        1 => Field::CreatedAt,
        2 => Field::UpdatedAt,
        3 => Field::ExpiresAt,
        4 => Field::DropAt,
        5 => Field::Size,
        6 => Field::TypeTag,
        7 => Field::Description,
        8 => Field::Tag,
        9..=11 => Field::Metadata(path(input)),
        12 => Field::Namespace,
        13 => Field::Epoch,
        _ => Field::Parameter(path(input)),
    }
}

fn path(input: &mut Input<'_>) -> Vec<String> {
    (0..input.below(3)).map(|_| name(input)).collect()
}

fn name(input: &mut Input<'_>) -> String {
    NAMES[input.below(NAMES.len())].to_owned()
}

fn comparison(input: &mut Input<'_>) -> Comparison {
    use Comparison::{Eq, Ge, Gt, Le, Lt};
    [Eq, Gt, Ge, Lt, Le][input.below(5)]
}

fn operand(input: &mut Input<'_>) -> Operand {
    match input.below(8) {
        0 => Operand::Null,
        1 => Operand::Bool(input.flag()),
        2 => Operand::Int(input.byte().into()),
        3 => Operand::Int(i64::from_le_bytes(input.array())),
        4 => Operand::Float(float(input)),
        5 => Operand::Text(input.text()),
        6 => Operand::Time(Timestamp::from_micros(i64::from_le_bytes(input.array()))),
        _ => Operand::Now(i64::from_le_bytes(input.array())),
    }
}

/// A number that JSON can write, often near a whole one.
fn float(input: &mut Input<'_>) -> f64 {
    let float = match input.flag() {
        true => f64::from_le_bytes(input.array()),
        false => input.number() as f64 + f64::from(input.byte()) / 256.0,
    };
    if float.is_finite() { float } else { 0.5 }
}

fn record(input: &mut Input<'_>) -> Record {
    let time = |input: &mut Input<'_>| Timestamp::from_micros(i64::from_le_bytes(input.array()));
    let mut metadata = Metadata::new();
    for _ in 0..input.below(4) {
        let name = name(input);
        let value = match input.below(7) {
            0 => serde_json::Value::Null,
            1 => input.flag().into(),
            2 => input.byte().into(),
            3 => input.number().into(),
            4 => float(input).into(),
            5 => serde_json::json!({"a": input.byte(), "b": {"": i64::from_le_bytes(input.array())}}),
            _ => input.text().into(),
        };
        metadata.insert(name, value);
    }
    Record {
        key: EntryKey::new(input.text()),
        version: Version::from_bytes([1; 16]),
        created_at: time(input),
        updated_at: time(input),
        expires_at: input.flag().then(|| time(input)),
        drop_at: input.flag().then(|| time(input)),
        content: Content {
            type_tag: input.text().into(),
            type_name: "".into(),
            format: "raw".into(),
            format_version: 1,
            schema: None,
            extra: Extra::new(),
            encoding: Encoding::NONE,
            raw_size: 0,
            stored_size: input.number(),
            digest: Digest::Xxh3([0; 16]),
            key_digest: None,
            terms: Terms::default(),
            object: None,
        },
        location: Location::Inline(bytes::Bytes::new()),
        annotations: Annotations {
            metadata,
            tags: (0..input.below(3)).map(|_| input.text()).collect(),
            description: input.flag().then(|| input.text()),
        },
        usage: Usage::default(),
        signature: None,
    }
}

/// The laws that every filter keeps, whatever it says.
fn obeys(filter: &Filter, record: &Record, now: Timestamp) {
    let holds = |filter: &Filter| filter.matches(record, now);
    let is = holds(filter);
    assert_ne!(is, holds(&!filter.clone()));
    assert_ne!(is, holds(&Filter::Not(Box::new(filter.clone()))));
    assert_eq!(is, holds(&(filter.clone() & Filter::All)));
    assert_eq!(is, holds(&(filter.clone() & filter.clone())));
    assert_eq!(is, holds(&(filter.clone() | filter.clone())));
    assert!(holds(&(filter.clone() | !filter.clone())) && !holds(&(filter.clone() & !filter.clone())));
    match filter {
        Filter::And(filters) => {
            assert_eq!(is, filters.iter().all(holds));
            filters.iter().for_each(|filter| obeys(filter, record, now));
        }
        Filter::Or(filters) => {
            assert_eq!(is, filters.iter().any(holds));
            filters.iter().for_each(|filter| obeys(filter, record, now));
        }
        Filter::Not(inner) => {
            assert_ne!(is, holds(inner));
            obeys(inner, record, now);
        }
        Filter::In(field, operands) => {
            let equal = |operand: &Operand| holds(&Filter::Compare(field.clone(), Comparison::Eq, operand.clone()));
            assert_eq!(is, operands.iter().any(equal));
        }
        Filter::Compare(field, _, operand) => {
            let stands = |comparison| holds(&Filter::Compare(field.clone(), comparison, operand.clone()));
            use Comparison::{Eq, Ge, Gt, Le, Lt};
            assert_eq!(stands(Ge), stands(Gt) | stands(Eq));
            assert_eq!(stands(Le), stands(Lt) | stands(Eq));
            if *field != Field::Tag {
                let true_ones = [stands(Lt), stands(Eq), stands(Gt)].into_iter().filter(|stands| *stands).count();
                assert!(true_ones <= 1, "less, equal and greater exclude each other");
            }
            if [Lt, Eq, Gt].into_iter().any(stands) {
                assert!(holds(&Filter::Exists(field.clone())));
            }
        }
        _ => {}
    }
}

/// An index gives the answer that the filter gives, and refuses what is too deep.
fn pages(filter: Filter, record: Record, now: Timestamp) {
    let clock = ManualClock::starting_at(now);
    assert_eq!(clock.now(), now);
    let index = MemoryMetadata::new(&OpenContext::new().clock(Arc::new(clock)));
    let is_system = record.key.is_system();
    let is_meant = filter.check().map(|()| filter.matches(&record, now));
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    block_on(index.commit(vec![change], OnUnmet::Abort)).expect("memory takes a record");
    let page = block_on(index.page(&Query::new().filter(filter), None));
    match (is_meant, page) {
        (Ok(is_meant), Ok(page)) => assert_eq!(page.records.len(), usize::from(is_meant && !is_system)),
        (Err(_), Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidQuery),
        (is_meant, page) => panic!("{is_meant:?}, but a page is {page:?}"),
    }
}
