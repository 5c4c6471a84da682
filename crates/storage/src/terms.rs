//! The binary form of [`Terms`], at the end of a content descriptor. `docs/format.md` draws it.

use crate::Terms;
use crate::wire::{Reader, put_bytes, put_varint};
use cacheness_core::{Result, Timestamp};

const HAS_NAMESPACE: u8 = 1;
const HAS_PARAMETERS: u8 = 2;
const HAS_EPOCH: u8 = 4;
const HAS_IDLE: u8 = 8;
const HAS_UNTIL: u8 = 16;

impl Terms {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let Self { namespace, parameters, epoch, idle, until } = self;
        out.push(
            flag(namespace, HAS_NAMESPACE)
                | flag(parameters, HAS_PARAMETERS)
                | flag(epoch, HAS_EPOCH)
                | flag(idle, HAS_IDLE)
                | flag(until, HAS_UNTIL),
        );
        for text in [namespace, parameters].into_iter().flatten() {
            put_bytes(out, text.as_bytes());
        }
        for number in [epoch, idle].into_iter().flatten() {
            put_varint(out, *number);
        }
        if let Some(until) = until {
            out.extend_from_slice(&until.as_micros().to_le_bytes());
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let flags = reader.byte()?;
        if flags & !(HAS_NAMESPACE | HAS_PARAMETERS | HAS_EPOCH | HAS_IDLE | HAS_UNTIL) != 0 {
            return Err(reader.too_new());
        }
        let has = |flag| flags & flag != 0;
        Ok(Self {
            namespace: if has(HAS_NAMESPACE) { Some(reader.text()?.into()) } else { None },
            parameters: if has(HAS_PARAMETERS) { Some(reader.text()?.into()) } else { None },
            epoch: if has(HAS_EPOCH) { Some(reader.varint()?) } else { None },
            idle: if has(HAS_IDLE) { Some(reader.varint()?) } else { None },
            until: if has(HAS_UNTIL) {
                Some(Timestamp::from_micros(i64::from_le_bytes(reader.array()?)))
            } else {
                None
            },
        })
    }
}

fn flag<T>(field: &Option<T>, flag: u8) -> u8 {
    if field.is_some() { flag } else { 0 }
}
