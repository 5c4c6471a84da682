//! How bytes become an object: in one request while they are few, in parts beyond.

use crate::bucket::{Bucket, already_exists};
use crate::connect::time_limits;
use crate::describe::Beside;
use crate::failure::{fail, is_contended, is_unmet};
use aws_sdk_s3::config::Config;
use aws_sdk_s3::primitives::ByteStream;
use cacheness_handlers::SpooledFile;
use cacheness_storage::{BlobId, BlobInfo, Bytes, Error, ErrorKind, PutBlob, Result, Staged};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// How often a put is tried that meets another one of its name.
const CONTENTIONS: usize = 3;

/// Bodies up to this size, in bytes, are within the usual time limits.
pub(crate) const SMALL: usize = 1 << 20;

/// Bytes on their way up.
#[derive(Clone)]
pub(crate) enum Source {
    Bytes(Bytes),
    File(Arc<SpooledFile>),
}

impl Source {
    /// A part of the bytes, in memory.
    pub(crate) async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => {
                let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
                let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
                Ok(bytes.slice(start..end))
            }
            Self::File(file) => {
                let file = file.clone();
                blocking(move || read(&file, range)).await
            }
        }
    }
}

fn read(file: &SpooledFile, range: Range<u64>) -> Result<Bytes> {
    let size = range.end.saturating_sub(range.start);
    let mut reader = file.reader()?;
    reader.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(file.len())).unwrap_or(0));
    reader.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size {
        return Ok(bytes.into());
    }
    Err(Error::new(ErrorKind::Storage, format!("the staged file {} is shorter than it was", file.path().display())))
}

/// Runs what may block off the reactor.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorKind::Internal, "the runtime ended while a file was read or written")),
    }
}

impl Bucket {
    /// Makes an object of what is staged.
    pub(crate) async fn put(self: &Arc<Self>, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let beside = Beside::new(options, &*self.rng)?;
        let size = payload.size();
        let source = match payload {
            Staged::Bytes(bytes) => Source::Bytes(bytes),
            Staged::File(file) => Source::File(Arc::new(file)),
            _ => return Err(Error::new(ErrorKind::Unsupported, "payloads are taken from memory and from files only")),
        };
        let put = if size <= self.config.multipart_threshold {
            self.put_at_once(id, source.read(0..size).await?, &beside).await
        } else {
            self.put_in_parts(id, &source, size, &beside).await
        };
        if let Source::File(file) = source {
            // Removing a large file takes its time.
            blocking(move || {
                drop(file);
                Ok(())
            })
            .await?;
        }
        put
    }

    async fn put_at_once(&self, id: &BlobId, bytes: Bytes, beside: &Beside) -> Result<BlobInfo> {
        if !self.exclusive && self.head(id).await?.is_some() {
            return Err(already_exists(id));
        }
        let size = bytes.len();
        let mut contentions = 0;
        loop {
            let request = self.client.put_object().bucket(self.name()).key(self.layout.key(id));
            let mut request = request
                .body(ByteStream::from(bytes.clone()))
                .set_if_none_match(self.if_none_match())
                .set_content_type(beside.options.content_type.clone())
                .set_cache_control(beside.options.cache_control.clone())
                .set_metadata(Some(beside.metadata.clone()))
                .set_storage_class(self.storage_class())
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.kms_key_id())
                .customize();
            if size > SMALL {
                request = request.config_override(self.with_time_for(size));
            }
            match request.send().await {
                Ok(put) => return Ok(self.told(beside.info(id, size as u64, put.e_tag, put.version_id))),
                Err(failure) if is_unmet(&failure) => {
                    if let Some(info) = self.own_put(id, beside).await? {
                        return Ok(info);
                    }
                    contentions += 1;
                    if !is_contended(&failure) || contentions == CONTENTIONS {
                        return Err(already_exists(id));
                    }
                }
                Err(failure) => return fail(failure),
            }
        }
    }

    /// The object that an attempt of this very put made whose answer was lost; `None` when there is no object, and
    /// [`ErrorKind::AlreadyExists`] when another put made it.
    pub(crate) async fn own_put(&self, id: &BlobId, beside: &Beside) -> Result<Option<BlobInfo>> {
        match self.head(id).await? {
            Some(told) if told.mark.as_ref() == Some(&beside.mark) => Ok(Some(told.info)),
            Some(_) => Err(already_exists(id)),
            None => Ok(None),
        }
    }

    /// Adds what was asked for and is not told in answer.
    pub(crate) fn told(&self, mut info: BlobInfo) -> BlobInfo {
        info.storage_class = self.config.storage_class.clone();
        info
    }

    /// The settings of a request with a large body.
    pub(crate) fn with_time_for(&self, body: usize) -> aws_sdk_s3::config::Builder {
        Config::builder().timeout_config(time_limits(&self.config, body as u64))
    }
}
