//! Records and filters that tell apart what is easily confused.

use crate::SeededRng;
use crate::records::{NOW, complete, inline, sample};
use cacheness_core::Timestamp;
use cacheness_storage::{Comparison, Field, Filter, Operand, Record};
use serde_json::{Value as Json, json};

/// The first float above every `i64`.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Records that differ in every field, and hold under `v` values that look alike and are not.
pub(super) fn population() -> Vec<Record> {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(0.5),
        json!(-0.5),
        json!(-0.0),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1_u64 << 63),
        json!(TWO_TO_63),
        json!(-TWO_TO_63),
        json!((1_i64 << 53) + 1),
        json!(9_007_199_254_740_992.0),
        json!(1e300),
        json!(-1e300),
        json!(5e-324),
        json!(""),
        json!("1"),
        json!("true"),
        json!("null"),
        json!("a"),
        json!("A"),
        json!("ab"),
        json!("a_b"),
        json!("a%"),
        json!("é"),
        json!("e\u{301}"),
        json!("🦀"),
        json!("\u{FFFF}"),
        json!("a\0b"),
        json!([]),
        json!([1]),
        json!(["a"]),
        json!({}),
        json!({ "w": 1 }),
        json!({ "w": { "x": "deep" } }),
    ];
    let mut records: Vec<Record> = values.into_iter().enumerate().map(|(n, value)| with_value(n, value)).collect();
    let names = ["a.b", "$.v", "", "quo'te", "dou\"ble", "back\\slash", "[0]", "größe", "V"];
    records.extend(names.iter().enumerate().map(|(n, name)| {
        let mut record = sample(&format!("named {n}"));
        record.annotations.metadata.insert((*name).into(), json!("here"));
        record.annotations.tags = vec![(*name).into(), "common".into()];
        record.content.terms.parameters = Some(json!({ *name: "here" }).to_string().into());
        record
    }));
    records.push(complete("complete"));
    records.push(sample("plain"));
    records.push(sample("ma%k"));
    records
}

fn with_value(n: usize, value: Json) -> Record {
    let offset = i64::try_from(n).unwrap_or_default() - 20;
    let time = |micros: i64| NOW.offset(micros * 1_000_000);
    let mut record = inline(&format!("value {n:02}"), vec![0; n * 10]);
    record.created_at = time(offset);
    record.updated_at = time(-offset);
    record.expires_at = (!n.is_multiple_of(3)).then(|| time(2 * offset));
    record.drop_at = n.is_multiple_of(4).then(|| time(3 * offset));
    record.content.type_tag = ["object", "bytes", "Object", "obj_ct"].into_iter().cycle().nth(n).unwrap_or("").into();
    record.annotations.description = n.is_multiple_of(2).then(|| format!("number {n}, 100 % _wild_ 🦀"));
    record.annotations.tags = ["a", "A", "", "ab", "🦀", "a"].iter().take(n % 7).map(|tag| (*tag).to_owned()).collect();
    // Some parameters have no names.
    let parameters = if n.is_multiple_of(5) { value.clone() } else { json!({ "v": value.clone() }) };
    record.content.terms.parameters = (n % 7 != 1).then(|| parameters.to_string().into());
    let namespaces = [None, Some("a"), Some("A"), Some(""), Some("a_b"), Some("\u{FFFF}")];
    record.content.terms.namespace = namespaces.into_iter().cycle().nth(n).flatten().map(Into::into);
    let epochs = [0, 1, 100, (1 << 53) + 1, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX];
    record.content.terms.epoch = epochs.get(n % 9).copied();
    record.annotations.metadata.insert("v".into(), value);
    record
}

fn fields() -> Vec<Field> {
    let path = |path: &[&str]| path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let inside = |names: &[&str]| Field::Metadata(path(names));
    let mut fields = vec![
        Field::Key,
        Field::CreatedAt,
        Field::UpdatedAt,
        Field::ExpiresAt,
        Field::DropAt,
        Field::Size,
        Field::TypeTag,
        Field::Description,
        Field::Tag,
        inside(&["v"]),
        inside(&["v", "w"]),
        inside(&["v", "w", "x"]),
        inside(&["v", "0"]),
        inside(&[]),
        inside(&["missing"]),
        inside(&["a", "b"]),
        inside(&["a.b", "$gte"]),
        Field::Namespace,
        Field::Epoch,
        Field::Parameter(path(&["v"])),
        Field::Parameter(path(&["v", "w", "x"])),
        Field::Parameter(path(&["w"])),
        Field::Parameter(path(&["a.b", "$gte"])),
        Field::Parameter(path(&["quo'te"])),
        Field::Parameter(path(&[])),
    ];
    let names = ["a.b", "$.v", "", "quo'te", "dou\"ble", "back\\slash", "[0]", "größe", "V"];
    fields.extend(names.map(Field::metadata));
    fields
}

fn operands() -> Vec<Operand> {
    let floats = [
        0.0,
        -0.0,
        1.0,
        0.5,
        -0.5,
        1e300,
        -1e300,
        5e-324,
        TWO_TO_63,
        -TWO_TO_63,
        9_007_199_254_740_992.0,
        100.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::MAX,
    ];
    let texts = [
        "",
        "1",
        "true",
        "null",
        "a",
        "A",
        "ab",
        "a_b",
        "a%",
        "é",
        "e\u{301}",
        "🦀",
        "\u{FFFF}",
        "a\0b",
        "here",
        "value 07",
        "named 3",
        "object",
        "bytes",
        "number 4, 100 % _wild_ 🦀",
        "\u{10FFFF}",
    ];
    let wholes = [0, 1, -1, 100, 105, i64::MAX, i64::MIN, (1 << 53) + 1, NOW.as_micros()];
    let mut operands = vec![Operand::Null, Operand::Bool(true), Operand::Bool(false)];
    operands.extend(wholes.map(Operand::Int));
    operands.extend(floats.map(Operand::Float));
    operands.extend(texts.map(Operand::from));
    operands.extend([NOW, NOW.offset(4_000_000), Timestamp::from_micros(i64::MIN)].map(Operand::Time));
    operands
}

/// Every comparison of every field with every operand, and what else the language has.
pub(super) fn filters() -> Vec<Filter> {
    use Comparison::{Eq, Ge, Gt, Le, Lt};
    let mut filters = vec![Filter::All, !Filter::All, Filter::And(Vec::new()), Filter::Or(Vec::new())];
    for field in fields() {
        for comparison in [Eq, Gt, Ge, Lt, Le] {
            let compare = |operand| Filter::Compare(field.clone(), comparison, operand);
            filters.extend(operands().into_iter().map(compare));
        }
        filters.push(Filter::exists(field.clone()));
        filters.push(Filter::In(field.clone(), Vec::new()));
        filters.push(Filter::In(field.clone(), operands()));
        for chunk in operands().chunks(5) {
            filters.push(Filter::In(field.clone(), chunk.to_vec()));
        }
        for prefix in [
            "",
            "a",
            "A",
            "a_",
            "a%",
            "%",
            "_",
            "e",
            "é",
            "🦀",
            "number",
            "value 0",
            "ob",
            "1",
            "h",
            "\0",
            "\u{10FFFF}",
        ] {
            filters.push(Filter::prefix(field.clone(), prefix));
        }
    }
    filters
}

/// A filter made of others, by chance.
pub(super) fn composed(rng: &SeededRng, filters: &[Filter], depth: u64) -> Filter {
    let part = |rng: &SeededRng| composed(rng, filters, depth - 1);
    match if depth == 0 { 0 } else { rng.below(5) } {
        1 => Filter::And((0..rng.below(4)).map(|_| part(rng)).collect()),
        2 => Filter::Or((0..rng.below(4)).map(|_| part(rng)).collect()),
        3 | 4 => !part(rng),
        _ => rng.pick(filters).cloned().unwrap_or_default(),
    }
}
