//! What every built-in handler does to a value, in memory: no codec, no digest, no store.

use super::Workload;
use crate::Result;
use crate::numbers::{mixed, noise};
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::sample::Sample;
use crate::timing::{all, each};
use bytes::Bytes;
use cacheness::handlers::ndarray::ArrayHandler;
use cacheness::handlers::{BytesHandler, Handler, ObjectHandler, SliceReader, TextHandler};
use ndarray::{Array1, Ix1};
use std::hint::black_box;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "handler_object",
        what: "a struct of 1 KiB to bytes and back; the floor copies as many bytes",
        bars: &[],
        run: |workload, _, report| both(workload, report, SMALL, &ObjectHandler::new(), &Sample::numbered(7)),
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
