//! A payload that can be stored more than once, although each store takes it.

use crate::{Body, Staged};
use bytes::Bytes;
use cacheness_core::Result;
use cacheness_handlers::{Spool, Spooled};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// What a payload can be made of again: its bytes, or a handle of its file that stays good when a store took or removed
/// the name. Nothing is copied before it is needed.
#[derive(Debug, Clone)]
pub(super) enum Replay {
    Bytes(Bytes),
    File { file: Arc<File>, start: u64, size: u64 },
}

impl Replay {
    pub(super) fn of(payload: &Staged) -> Result<Self> {
        Ok(match payload {
            Staged::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Staged::File(file) => Self::File { file: Arc::new(file.reader()?), start: 0, size: file.len() },
        })
    }

    /// The bytes of a payload that was read. A handle of a file shares its position with what it was cloned from.
    pub(super) fn read(body: Body) -> io::Result<Self> {
        Ok(match body {
            Body::Bytes(bytes) => Self::Bytes(bytes),
            Body::File { mut file, size } => {
                let start = file.stream_position()?;
                Self::File { file: Arc::new(file), start, size }
            }
        })
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    /// The payload once more; that of a file in another file under `directory`.
    pub(super) fn stage(&self, directory: Option<&Path>) -> Result<Staged> {
        if let Self::Bytes(bytes) = self {
            return Ok(Staged::Bytes(bytes.clone()));
        }
        let mut spool = Spool::new(0, directory);
        io::copy(&mut self.reader()?, &mut spool)?;
        Ok(match spool.finish()? {
            Spooled::Memory(bytes) => Staged::Bytes(bytes),
            Spooled::File(file) => Staged::File(file),
        })
    }

    /// Its bytes from their start. One reads at a time.
    pub(super) fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(&**bytes),
            Self::File { file, start, size } => {
                let mut file: &File = file;
                file.seek(SeekFrom::Start(*start))?;
                Box::new(file.take(*size))
            }
        })
    }
}
