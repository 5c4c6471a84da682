//! What every built-in handler does to a value, in memory: no codec, no digest, no store.

use super::Workload;
use crate::Result;
use crate::numbers::{mixed, noise};
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::sample::Sample;
use crate::timing::{all, each};
use bytes::Bytes;
use cacheness::handlers::bincode::{self, de::Decoder, enc::Encoder, error::DecodeError, error::EncodeError};
use cacheness::handlers::ndarray::{ArrayHandler, ArrayMapHandler};
use cacheness::handlers::{
    BincodeHandler, BytesHandler, Cacheable, Handler, ObjectHandler, SliceReader, TextHandler, schema_hash,
};
use ndarray::{Array1, Ix1};
use std::collections::BTreeMap;
use std::hint::black_box;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "handler_object",
        what: "a struct of 1 KiB to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, SMALL, &ObjectHandler::new(), &Sample::numbered(7)),
    },
    Workload {
        name: "handler_cacheable",
        what: "a struct of 1 KiB, whose fields are written by hand, to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, SMALL, &BincodeHandler::new(), &fields()),
    },
    Workload {
        name: "handler_bytes",
        what: "a Vec<u8> of 1 MiB to bytes and back, of memory that is given away; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, LARGE, &BytesHandler, &noise(LENGTH, 1)),
    },
    Workload {
        name: "handler_text",
        what: "a String of 1 MiB, one letter of 28 not ASCII, to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, LARGE, &TextHandler, &text()),
    },
    Workload {
        name: "handler_ndarray",
        what: "an array of 1 MiB of f64 to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, LARGE, &ArrayHandler::<f64, Ix1>::new(), &array()),
    },
    Workload {
        name: "handler_ndarray_map",
        what: "eight named arrays of 128 KiB of f64 to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, LARGE, &ArrayMapHandler::new(), &arrays()),
    },
];

const LENGTH: usize = 1 << 20;
const SMALL: Pace = Pace { rounds: 40, calls: 5000, batch: 100 };
const LARGE: Pace = Pace { rounds: 40, calls: 50, batch: 1 };

fn text() -> String {
    "some words, and some Wörter ".chars().cycle().take(LENGTH * 28 / 29).collect()
}

fn array() -> Array1<f64> {
    (0..LENGTH as u64 / 8).map(|place| mixed(place) as f64).collect()
}

fn arrays() -> BTreeMap<String, Array1<f64>> {
    let part = |number: u64| (0..LENGTH as u64 / 64).map(|place| mixed(number << 32 | place) as f64).collect();
    (0..8).map(|number| (format!("array {number}"), part(number))).collect()
}

/// As many bytes as a [`Sample`].
struct Fields {
    name: String,
    weights: Vec<f64>,
    text: String,
}

fn fields() -> Fields {
    let weights = (0..80).map(|weight| f64::from(weight) * 0.37).collect();
    Fields { name: "sample 7".into(), weights, text: "some words that say something ".repeat(12) }
}

impl bincode::Encode for Fields {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.name.encode(encoder)?;
        self.weights.encode(encoder)?;
        self.text.encode(encoder)
    }
}

impl<C> bincode::Decode<C> for Fields {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let name = bincode::Decode::decode(decoder)?;
        let weights = bincode::Decode::decode(decoder)?;
        Ok(Self { name, weights, text: bincode::Decode::decode(decoder)? })
    }
}

impl Cacheable for Fields {
    const NAME: &'static str = "Fields";
    const VERSION: u32 = 1;
    const SCHEMA: u64 = schema_hash("Fields { name: String, weights: Vec<f64>, text: String }");
}

/// Both directions: to a buffer that is long enough, and from memory that nobody else holds, as a get has it.
fn both<H: Handler>(workload: &Workload, report: &mut Report, pace: Pace, handler: &H, value: &H::Value) -> Result {
    let (mut encoded, mut copied) = (Vec::new(), Vec::new());
    let format = handler.plan(value)?;
    handler.encode(value, &format, &mut encoded)?;
    let payload = encoded.clone();
    let reader = || SliceReader::new(Bytes::from(payload.clone()));
    let rows = Race::new(pace)
        .subject(
            "encode",
            each(|_| {
                encoded.clear();
                handler.encode(value, &handler.plan(value)?, &mut encoded)?;
                black_box(&encoded);
                Ok(())
            }),
        )
        .subject(
            "decode",
            all(
                |calls| Ok(calls.map(|_| reader()).collect::<Vec<_>>()),
                |readers| {
                    readers.iter_mut().map(|reader| Ok(handler.decode(reader, &format)?)).collect::<Result<Vec<_>>>()
                },
            ),
        )
        .floor(
            "a copy",
            each(|_| {
                copied.clear();
                copied.extend_from_slice(&payload);
                black_box(&copied);
                Ok(())
            }),
        )
        .run_for_rows(workload, report)?;
    for row in rows {
        report.figure(workload, &row.subject, payload.len() as f64 / row.median, "GB/s", None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness::{Bundle, Bundled};
    use std::collections::BTreeSet;

    #[test]
    fn every_built_in_handler_has_a_workload() {
        let registry = Bundled::registry().unwrap();
        let registered = registry.handlers.iter().filter(|handler| handler.built_in);
        let mut handlers: BTreeSet<_> = registered.map(|handler| handler.type_tag.to_owned()).collect();
        // What types are stored by that nobody registered a handler for.
        handlers.insert(ObjectHandler::<Sample>::new().type_tag().to_owned());
        handlers.insert(BincodeHandler::<Fields>::new().type_tag().to_owned());
        let measured = crate::workloads::all().filter_map(|workload| workload.name.strip_prefix("handler_"));
        assert_eq!(measured.map(str::to_owned).collect::<BTreeSet<_>>(), handlers);
    }
}
