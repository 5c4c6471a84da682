//! What is kept beside the bytes of an object, and what is told of it: headers on the way in, [`BlobInfo`] on the way
//! out. `tests/golden` pins the names.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::StorageClass;
use aws_smithy_types::DateTime;
use cacheness_core::hex::Hex;
use cacheness_storage::{BlobId, BlobInfo, Error, ErrorKind, PutBlob, Result, Rng, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// The user metadata that holds the digest of the payload.
const DIGEST: &str = "cacheness-digest";

/// The user metadata that tells one put from every other: an attempt whose answer was lost is known again by it.
const PUT: &str = "cacheness-put";

/// What names of ours begin with.
const OURS: &str = "cacheness-";

/// How many bytes of names and values a store keeps beside an object.
const MAX_METADATA: usize = 2048;

/// What a put sends beside the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    /// Tells this put from every other.
    pub(crate) mark: String,
    /// The user metadata, ours and the caller's.
    pub(crate) metadata: HashMap<String, String>,
    /// What the caller said.
    pub(crate) options: PutBlob,
}

impl Beside {
    pub(crate) fn new(options: PutBlob, rng: &dyn Rng) -> Result<Self> {
        let mark = Hex(&cacheness_core::rng::random::<16>(rng)?).to_string();
        let mut metadata = HashMap::from([(PUT.to_owned(), mark.clone())]);
        if let Some(digest) = &options.digest {
            metadata.insert(DIGEST.to_owned(), digest.to_string());
        }
        for (name, value) in &options.metadata {
            check(name, value)?;
            metadata.insert(name.clone(), value.clone());
        }
        let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_METADATA {
            let message =
                format!("the metadata beside a blob takes {size} bytes with ours, and at most {MAX_METADATA}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        for text in [&options.content_type, &options.cache_control].into_iter().flatten() {
            if !is_header_value(text) {
                return Err(Error::new(ErrorKind::Config, format!("{text:?} cannot be sent in a header")));
            }
        }
        Ok(Self { mark, metadata, options })
    }

    /// What a put that was just acknowledged made.
    pub(crate) fn info(&self, id: &BlobId, size: u64, etag: Option<String>, version: Option<String>) -> BlobInfo {
        let mut info = BlobInfo::new(*id, size);
        info.digest = self.options.digest;
        info.etag = etag;
        info.object_version = version;
        info.content_type = self.options.content_type.clone();
        info.metadata = self.options.metadata.clone();
        info
    }
}

/// Refuses what a store would not keep as it is.
fn check(name: &str, value: &str) -> Result<()> {
    let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(known) || name.starts_with(OURS) {
        let message = format!("{name:?} cannot be the name of metadata beside a blob");
        return Err(Error::new(ErrorKind::Config, message)
            .advice("use lower-case letters, digits and -_. and begin with no cacheness-"));
    }
    if !is_header_value(value) {
        let message = format!("the metadata {name:?} beside a blob cannot be sent in a header");
        return Err(Error::new(ErrorKind::Config, message).advice("use visible ASCII, with spaces only between words"));
    }
    Ok(())
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|c| (b' '..=b'~').contains(&c)) && value.trim() == value
}

/// What is told of an object with all that the store knows of it.
pub(crate) struct Told {
    /// What it means for us.
    pub(crate) info: BlobInfo,
    /// The put that made it.
    pub(crate) mark: Option<String>,
}

impl Told {
    pub(crate) fn by_head(id: &BlobId, head: HeadObjectOutput) -> Self {
        let size = head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        let HeadObjectOutput { e_tag, version_id, content_type, last_modified, storage_class, metadata, .. } = head;
        Self::new(BlobInfo::new(*id, size), e_tag, version_id, content_type, last_modified, storage_class, metadata)
    }

    /// As far as the headers of a `get` say it; the size of the whole object must be told.
    pub(crate) fn by_get(id: &BlobId, size: u64, get: &GetObjectOutput) -> Self {
        Self::new(
            BlobInfo::new(*id, size),
            get.e_tag().map(str::to_owned),
            get.version_id().map(str::to_owned),
            get.content_type().map(str::to_owned),
            get.last_modified().copied(),
            get.storage_class().cloned(),
            get.metadata().cloned(),
        )
    }

    fn new(
        mut info: BlobInfo,
        etag: Option<String>,
        version: Option<String>,
        content_type: Option<String>,
        modified_at: Option<DateTime>,
        class: Option<StorageClass>,
        metadata: Option<HashMap<String, String>>,
    ) -> Self {
        let mut metadata: BTreeMap<String, String> = metadata.unwrap_or_default().into_iter().collect();
        let mark = metadata.remove(PUT);
        // What is no digest of a kind that we know is none at all.
        info.digest = metadata.remove(DIGEST).and_then(|text| text.parse().ok());
        info.etag = etag;
        info.object_version = version;
        info.content_type = content_type;
        info.modified_at = modified_at.map(timestamp);
        info.storage_class = class.map(|class| class.as_str().to_owned());
        info.metadata = metadata;
        Self { info, mark }
    }
}

/// A time in whole seconds: stores tell fractions in lists, and none in headers.
pub(crate) fn timestamp(time: DateTime) -> Timestamp {
    Timestamp::from_micros(time.secs().saturating_mul(1_000_000))
}
