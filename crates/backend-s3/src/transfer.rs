//! Bodies of answers: taken whole, counted, never waited for without end, into memory or into a file without a name.

use crate::bucket::Bucket;
use crate::connect::stall_timeout;
use crate::upload::blocking;
use crate::usage::Meter;
use aws_sdk_s3::primitives::ByteStream;
use cacheness_storage::{Bytes, Error, ErrorKind, Result};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many bytes of a transfer wait in memory to be written to a file.
const WAITING: usize = 512 << 10;

/// Why not all bytes were taken.
pub(crate) enum Broken {
    /// The transfer broke off; another one may not.
    Transfer(Error),
    /// The file does not take them.
    File(Error),
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Transfer(error) | Broken::File(error) => error,
        }
    }
}

/// A body on its way, of which exactly so many bytes are still expected.
pub(crate) struct Transfer {
    meter: Arc<Meter>,
    stall_timeout: Duration,
    body: ByteStream,
    expected: u64,
}

impl Transfer {
    pub(crate) fn new(bucket: &Bucket, body: ByteStream, expected: u64) -> Self {
        Self { meter: bucket.meter.clone(), stall_timeout: stall_timeout(&bucket.config), body, expected }
    }

    /// The next bytes.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let piece = match tokio::time::timeout(self.stall_timeout, self.body.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) if self.expected == 0 => return Ok(None),
            Ok(Some(Err(_)) | None) => return Err(Broken::Transfer(cut_short())),
            Err(_) => return Err(Broken::Transfer(stood_still())),
        };
        self.meter.received(piece.len() as u64);
        self.expected = self.expected.checked_sub(piece.len() as u64).ok_or_else(|| {
            Broken::Transfer(Error::new(ErrorKind::Storage, "the store sent more than was asked for"))
        })?;
        Ok(Some(piece))
    }

    /// All bytes in memory.
    pub(crate) async fn collect(mut self) -> Result<Vec<Bytes>, Broken> {
        let mut pieces = Vec::new();
        while let Some(piece) = self.next().await? {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    /// All bytes into a file, from an offset on.
    pub(crate) async fn pour(mut self, file: &Sink, mut offset: u64) -> Result<(), Broken> {
        let (mut waiting, mut size) = (Vec::new(), 0);
        loop {
            let piece = self.next().await?;
            let is_last = piece.is_none();
            size += piece.as_ref().map_or(0, Bytes::len);
            waiting.extend(piece);
            if is_last || size >= WAITING {
                file.write(offset, std::mem::take(&mut waiting)).await.map_err(Broken::File)?;
                offset += std::mem::take(&mut size) as u64;
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// A file without a name that several transfers write to.
#[derive(Clone)]
pub(crate) struct Sink(Arc<Mutex<File>>);

impl Sink {
    pub(crate) async fn new(directory: Option<PathBuf>) -> Result<Self> {
        blocking(move || {
            let file = match directory {
                Some(directory) => tempfile::tempfile_in(directory),
                None => tempfile::tempfile(),
            };
            let file = file.map_err(|error| no_room("made", error))?;
            Ok(Self(Arc::new(Mutex::new(file))))
        })
        .await
    }

    /// Writes pieces from an offset on.
    pub(crate) async fn write(&self, offset: u64, pieces: Vec<Bytes>) -> Result<()> {
        let file = self.0.clone();
        blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let sought = file.seek(SeekFrom::Start(offset));
            let written = sought.and_then(|_| pieces.iter().try_for_each(|piece| file.write_all(piece)));
            written.map_err(|error| no_room("written", error))
        })
        .await
    }

    /// The file, at its beginning, once all have written.
    pub(crate) async fn into_file(self) -> Result<File> {
        let file = match Arc::try_unwrap(self.0) {
            Ok(file) => Ok(file.into_inner().unwrap_or_else(PoisonError::into_inner)),
            Err(shared) => shared.lock().unwrap_or_else(PoisonError::into_inner).try_clone(),
        };
        blocking(move || {
            let mut file = file.map_err(|error| no_room("read", error))?;
            file.rewind().map_err(|error| no_room("read", error))?;
            Ok(file)
        })
        .await
    }
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Unavailable, "the transfer of a blob broke off")
}

fn stood_still() -> Error {
    Error::new(ErrorKind::Timeout, "the transfer of a blob stands still")
        .advice("see whether the store can be reached; stall_timeout_ms says how long is waited")
}

fn no_room(what: &str, error: std::io::Error) -> Error {
    Error::io(ErrorKind::Storage, format!("the temporary file of a large blob could not be {what}"), error)
        .advice("the option staging names a directory with more room")
}
