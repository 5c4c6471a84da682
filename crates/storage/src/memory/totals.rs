//! The totals of an index: they follow every step, so they are never summed.

use crate::{BlobRecord, Record};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u128,
    pub(super) blobs: u64,
    pub(super) condemned: u64,
}

impl Totals {
    pub(super) fn add_record(&mut self, record: Option<&Record>) {
        let (entries, bytes) = weight(record);
        self.entries += entries;
        self.bytes += bytes;
    }

    pub(super) fn subtract_record(&mut self, record: Option<&Record>) {
        let (entries, bytes) = weight(record);
        self.entries -= entries;
        self.bytes -= bytes;
    }

    pub(super) fn add_blob(&mut self, blob: Option<&BlobRecord>) {
        match blob {
            Some(blob) if blob.references > 0 => {
                self.blobs += 1;
                self.bytes += u128::from(blob.size);
            }
            Some(_) => self.condemned += 1,
            None => {}
        }
    }

    pub(super) fn subtract_blob(&mut self, blob: Option<&BlobRecord>) {
        match blob {
            Some(blob) if blob.references > 0 => {
                self.blobs -= 1;
                self.bytes -= u128::from(blob.size);
            }
            Some(_) => self.condemned -= 1,
            None => {}
        }
    }
}

/// How many entries and bytes a record stands for, without its blob.
fn weight(record: Option<&Record>) -> (u64, u128) {
    match record {
        Some(record) if !record.key.is_system() => match record.blob() {
            Some(_) => (1, 0),
            None => (1, record.content.stored_size.into()),
        },
        _ => (0, 0),
    }
}
