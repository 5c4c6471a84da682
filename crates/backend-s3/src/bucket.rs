//! The open store below its prefix: what every operation needs.

use crate::S3Config;
use crate::describe::Told;
use crate::failure::{self, fail, is_missing};
use crate::layout::Layout;
use crate::usage::Meter;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use cacheness_storage::{BlobId, Error, ErrorKind, Result, Rng};
use std::sync::Arc;
use tokio::runtime::Handle;

/// The store below a prefix of a bucket.
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) config: S3Config,
    pub(crate) layout: Layout,
    pub(crate) meter: Arc<Meter>,
    pub(crate) rng: Arc<dyn Rng>,
    /// Where an upload is aborted whose caller went away.
    pub(crate) runtime: Handle,
    /// Whether the store honours `If-None-Match`.
    pub(crate) exclusive: bool,
}

impl Bucket {
    pub(crate) fn name(&self) -> &str {
        &self.config.bucket
    }

    pub(crate) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.config.encryption.map(|encryption| match encryption {
            crate::Encryption::Aes256 => ServerSideEncryption::Aes256,
            crate::Encryption::Kms => ServerSideEncryption::AwsKms,
        })
    }

    pub(crate) fn kms_key_id(&self) -> Option<String> {
        self.config.kms_key_id.clone()
    }

    pub(crate) fn storage_class(&self) -> Option<StorageClass> {
        self.config.storage_class.as_deref().map(StorageClass::from)
    }

    /// The condition of a put that must not replace anything, where the store honours it.
    pub(crate) fn if_none_match(&self) -> Option<String> {
        self.exclusive.then(|| "*".to_owned())
    }

    /// What is known of a blob.
    pub(crate) async fn head(&self, id: &BlobId) -> Result<Option<Told>> {
        match self.client.head_object().bucket(self.name()).key(self.layout.key(id)).send().await {
            Ok(head) => Ok(Some(Told::by_head(id, head))),
            Err(failure) if is_missing(&failure) => Ok(None),
            Err(failure) => fail(failure),
        }
    }

    /// Whether the bucket is there and may be listed.
    pub(crate) async fn check_bucket(&self) -> Result<()> {
        match self.client.head_bucket().bucket(self.name()).send().await {
            Ok(_) => Ok(()),
            Err(failure) if failure::status(&failure) == 404 => Err(no_bucket()),
            Err(failure) => fail(failure),
        }
    }
}

/// There is no bucket of that name.
pub(crate) fn no_bucket() -> Error {
    Error::new(ErrorKind::Config, "there is no such bucket").advice("create it, or correct the name")
}

/// There is a blob of that name.
pub(crate) fn already_exists(id: &BlobId) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("there is a blob {id} already"))
}
