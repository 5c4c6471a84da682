//! A payload on its way into a blob: staged with a trailer, and kept in case it must be staged again.

use crate::{Staged, Trailer};
use bytes::Bytes;
use cacheness_core::Result;
use cacheness_handlers::spool::recycle;
use cacheness_handlers::{Spool, Spooled};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// The stored bytes of a value, without a trailer.
pub(super) enum Payload {
    /// Where the pipeline left them.
    Spool(Spool),
    /// In memory, shared with the blob that was staged before.
    Memory(Bytes),
    /// At the beginning of a file that stays readable when its name is gone.
    File(File),
}

impl Payload {
    /// Ends it when it is stored.
    pub(super) fn recycle(self) {
        if let Self::Memory(bytes) = self {
            recycle(bytes);
        }
    }

    /// Adds a trailer and makes it ready to become a blob; in memory up to `memory` bytes, in a file under `directory`
    /// beyond.
    pub(super) fn stage(self, trailer: &Trailer, memory: usize, directory: Option<&Path>) -> Result<(Staged, Self)> {
        let size = trailer.content.stored_size;
        let mut spool = match self {
            Self::Spool(spool) => spool,
            Self::Memory(bytes) => {
                let mut spool = Spool::new(memory, directory);
                spool.write_all(&bytes)?;
                spool
            }
            Self::File(file) => {
                let mut spool = Spool::new(memory, directory);
                io::copy(&mut file.take(size), &mut spool)?;
                spool
            }
        };
        spool.write_all(&trailer.to_bytes())?;
        Ok(match spool.finish()? {
            Spooled::Memory(bytes) => {
                let payload = bytes.slice(..usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len()));
                (Staged::Bytes(bytes), Self::Memory(payload))
            }
            Spooled::File(file) => {
                let payload = file.reader()?;
                (Staged::File(file), Self::File(payload))
            }
        })
    }
}
