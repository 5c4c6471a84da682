//! Canonical bytes as JSON, for people and queries. Not the way back: widths, names of types and the difference between
//! nothing and `None` are lost.

use super::cursor::Cursor;
use super::encode::MAX_DEPTH;
use super::tag;
use cacheness_core::hex::Hex;
use serde_json::{Map, Value as Json, json};

/// How many digits of a file's digest are shown: as many as a key has.
const SHOWN: usize = 16;

/// How deep the JSON is nested at most: readers of JSON give up at 128, and it may come to stand inside of more.
const MAX_LEVELS: usize = 64;

/// What stands in the place of what is nested deeper.
const DEEPER: &str = "[nested deeper]";

/// What canonical bytes say, as `serde_json` would show the same value; `None` when they are not canonical bytes.
///
/// What JSON has not: bytes are `{"$bytes": "0aff"}`, the content of a file is `{"$file": "…"}` with half its digest, a
/// key inside is its 32 digits, whole numbers beyond 64 bits and floats that are not finite are text, and a name that
/// is not text is its JSON as text; of two names that are one then, the last stays. What lies more than 64 levels deep is
/// left out, and so are names with parts inside of names: quoting them again and again would double them every time.
pub(super) fn json(canonical: &[u8]) -> Option<Json> {
    let mut decoder = Decoder { input: Cursor(canonical), depth: 0, is_in_name: false };
    let mut json = decoder.value()?;
    cut(&mut json, MAX_LEVELS);
    decoder.input.0.is_empty().then_some(json)
}

/// Leaves `levels` levels.
fn cut(json: &mut Json, levels: usize) {
    match json {
        Json::Array(_) | Json::Object(_) if levels == 0 => *json = DEEPER.into(),
        Json::Array(elements) => elements.iter_mut().for_each(|element| cut(element, levels - 1)),
        Json::Object(fields) => fields.values_mut().for_each(|field| cut(field, levels - 1)),
        _ => {}
    }
}

struct Decoder<'b> {
    input: Cursor<'b>,
    depth: usize,
    is_in_name: bool,
}

impl<'b> Decoder<'b> {
    fn value(&mut self) -> Option<Json> {
        let tag = self.input.byte()?;
        Some(match tag {
            tag::UNIT | tag::NONE => Json::Null,
            tag::FALSE => Json::Bool(false),
            tag::TRUE => Json::Bool(true),
            tag::POSITIVE => positive(self.input.magnitude()?),
            tag::NEGATIVE => negative(self.input.magnitude()?),
            tag::F32 => float(f32::from_le_bytes(self.input.array()?).into()),
            tag::F64 => float(f64::from_le_bytes(self.input.array()?)),
            tag::CHAR => char::from_u32(u32::from_le_bytes(self.input.array()?))?.to_string().into(),
            tag::TEXT => self.text()?.into(),
            tag::BYTES => json!({ "$bytes": Hex(self.input.prefixed()?).to_string() }),
            tag::KEY => Hex(self.input.take(16)?).to_string().into(),
            tag::FILE => json!({ "$file": Hex(self.input.take(32)?.get(..SHOWN)?).to_string() }),
            tag::SOME => self.inner()?,
            tag::SEQUENCE | tag::UNORDERED => self.elements()?,
            tag::MAP => self.entries()?,
            tag::UNIT_STRUCT => self.text().map(|_| Json::Null)?,
            tag::NEWTYPE_STRUCT => self.text().and_then(|_| self.inner())?,
            tag::TUPLE_STRUCT => self.text().and_then(|_| self.elements())?,
            tag::STRUCT => self.text().and_then(|_| self.entries())?,
            tag::UNIT_VARIANT => self.text().and_then(|_| self.text())?.into(),
            tag::NEWTYPE_VARIANT => self.variant(Self::inner)?,
            tag::TUPLE_VARIANT => self.variant(Self::elements)?,
            tag::STRUCT_VARIANT => self.variant(Self::entries)?,
            _ => return None,
        })
    }

    fn text(&mut self) -> Option<&'b str> {
        str::from_utf8(self.input.prefixed()?).ok()
    }

    /// A level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let nested = if self.depth > MAX_DEPTH { None } else { read(self) };
        self.depth -= 1;
        nested
    }

    fn inner(&mut self) -> Option<Json> {
        self.nested(Self::value)
    }

    fn elements(&mut self) -> Option<Json> {
        self.nested(|decoder| {
            let mut elements = Vec::new();
            while !decoder.ends() {
                elements.push(decoder.value()?);
            }
            Some(Json::Array(elements))
        })
    }

    fn entries(&mut self) -> Option<Json> {
        self.nested(|decoder| {
            let mut entries = Map::new();
            while !decoder.ends() {
                let name = decoder.name()?;
                entries.insert(name, decoder.value()?);
            }
            Some(Json::Object(entries))
        })
    }

    fn name(&mut self) -> Option<String> {
        let is_inside = std::mem::replace(&mut self.is_in_name, true);
        let name = self.value();
        self.is_in_name = is_inside;
        Some(match name? {
            Json::String(name) => name,
            Json::Array(_) | Json::Object(_) if is_inside => DEEPER.to_owned(),
            other => other.to_string(),
        })
    }

    /// Whether the parts end here; steps over their end.
    fn ends(&mut self) -> bool {
        match self.input.0.split_first() {
            Some((&tag::END, rest)) => {
                self.input.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn variant(&mut self, content: impl FnOnce(&mut Self) -> Option<Json>) -> Option<Json> {
        self.text()?;
        let variant = self.text()?.to_owned();
        Some(Json::Object(Map::from_iter([(variant, content(self)?)])))
    }
}

fn positive(magnitude: u128) -> Json {
    match u64::try_from(magnitude) {
        Ok(number) => number.into(),
        Err(_) => magnitude.to_string().into(),
    }
}

fn negative(magnitude: u128) -> Json {
    match 0_i64.checked_sub_unsigned(u64::try_from(magnitude).unwrap_or(u64::MAX)) {
        Some(number) => number.into(),
        None => format!("-{magnitude}").into(),
    }
}

fn float(value: f64) -> Json {
    match serde_json::Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None => value.to_string().into(),
    }
}
