//! Opening: who drives the requests, whether the bucket is there and laid out as we were told, and what its store honours.

use crate::bucket::Bucket;
use crate::failure::{error, fail, is_missing, is_unknown, is_unmet};
use crate::layout::{Layout, MAX_LAYOUT};
use crate::transfer::Transfer;
use crate::usage::Meter;
use crate::{S3Config, check, connect};
use aws_sdk_s3::primitives::ByteStream;
use cacheness_storage::{Bytes, Error, ErrorKind, OpenContext, Result};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;

/// What is in the probe object.
const PROBE: &str = "cacheness-s3-probe 1\n";

/// What became of a put that must not replace anything.
enum Put {
    Done,
    /// There is an object already.
    Taken,
    /// The store does not know the condition.
    Unconditional,
}

impl Bucket {
    pub(crate) async fn open(config: S3Config, context: &OpenContext) -> Result<Self> {
        check::all(&config)?;
        let no_runtime = || {
            Error::new(ErrorKind::Config, "S3 needs a runtime that drives network I/O, and this one does not").advice(
                "open it through a Cache with the feature `tokio`, or on tokio with an OpenContext that says so",
            )
        };
        let runtime = Handle::try_current().ok().filter(|_| context.runtime.drives_io()).ok_or_else(no_runtime)?;
        if let Some(directory) = &config.staging {
            check_staging(directory)?;
        }
        let meter = Arc::new(Meter::default());
        let client = connect::client(&config, meter.clone()).await?;
        let layout = Layout::new(&config.prefix, config.shard_chars);
        let rng = context.rng.clone();
        let mut bucket = Self { client, config, layout, meter, rng, runtime, exclusive: false };
        bucket.claim(context.read_only).await?;
        if !context.read_only {
            bucket.exclusive = bucket.honours_conditions().await?;
        }
        Ok(bucket)
    }

    /// Makes sure that the prefix is laid out as we were told; a new one gets our layout.
    async fn claim(&self, read_only: bool) -> Result<()> {
        let mut recorded = self.recorded_layout().await?;
        if recorded.is_none() {
            self.check_bucket().await?;
            if read_only {
                return Err(Error::new(ErrorKind::Config, format!("there is no store at {}", self.config))
                    .advice("name an existing one, or open it for writing first"));
            }
            let (key, text) = (self.layout.layout_key(), self.layout.to_text());
            if let Put::Unconditional = self.put_new(&key, &text, true).await? {
                self.put_new(&key, &text, false).await?;
            }
            // Another process may have been faster.
            recorded = self.recorded_layout().await?;
        }
        let vanished = || Error::new(ErrorKind::Storage, "the layout object was deleted meanwhile").retryable(true);
        self.layout.check(&recorded.ok_or_else(vanished)?)
    }

    async fn recorded_layout(&self) -> Result<Option<String>> {
        let answer = self.client.get_object().bucket(self.name()).key(self.layout.layout_key()).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if is_missing(&failure) => return Ok(None),
            Err(failure) => return fail(failure),
        };
        let size = answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(u64::MAX);
        if size > MAX_LAYOUT {
            let message = format!("the object {} is none of cacheness", self.layout.layout_key());
            return Err(Error::new(ErrorKind::ForeignStore, message).advice("give another prefix"));
        }
        let text: Vec<Bytes> = Transfer::new(self, answer.body, size).collect().await?;
        Ok(Some(String::from_utf8_lossy(&text.concat()).into_owned()))
    }

    /// Whether the store refuses a put of what is there already. Some ignore the condition without a word, so it is tried
    /// on an object of our own whose content never changes.
    async fn honours_conditions(&self) -> Result<bool> {
        for _ in 0..2 {
            match self.put_new(&self.layout.probe_key(), PROBE, true).await? {
                Put::Done => {}
                Put::Taken => return Ok(true),
                Put::Unconditional => return Ok(false),
            }
        }
        Ok(false)
    }

    async fn put_new(&self, key: &str, text: &str, conditional: bool) -> Result<Put> {
        let request = self.client.put_object().bucket(self.name()).key(key);
        let request = request
            .body(ByteStream::from(text.as_bytes().to_vec()))
            .content_type("text/plain")
            .set_if_none_match(conditional.then(|| "*".to_owned()))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key_id());
        match request.send().await {
            Ok(_) => Ok(Put::Done),
            Err(failure) if conditional && is_unmet(&failure) => Ok(Put::Taken),
            Err(failure) if conditional && is_unknown(&failure) => Ok(Put::Unconditional),
            Err(failure) => Err(error(&failure)),
        }
    }
}

fn check_staging(directory: &Path) -> Result<()> {
    if !directory.is_dir() {
        return Err(Error::new(ErrorKind::Config, format!("staging={} is no directory", directory.display()))
            .advice("make it, readable by its owner alone"));
    }
    let probe = tempfile::Builder::new().prefix("cacheness-").tempfile_in(directory);
    let opened = probe.and_then(|file| OpenOptions::new().read(true).open(file.path()));
    opened.map(drop).map_err(|error| {
        Error::io(ErrorKind::Storage, format!("no file can be made in staging={}", directory.display()), error)
    })
}
