//! Uploads in parts: so many at once, in bounded memory, and aborted whenever they are not completed.

use crate::bucket::{Bucket, already_exists};
use crate::describe::Beside;
use crate::failure::{self, error, fail, is_unknown, is_unmet};
use crate::upload::Source;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use cacheness_storage::{BlobId, BlobInfo, Error, ErrorKind, Result, Timestamp};
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// No upload has more parts.
const MAX_PARTS: u64 = 10_000;

/// An upload that was begun. Unless it is completed, it is aborted: at the latest when this is dropped.
struct Upload {
    bucket: Arc<Bucket>,
    key: String,
    /// `None` once it is completed or aborted.
    upload: Option<String>,
    parts: JoinSet<Result<CompletedPart>>,
}

impl Upload {
    async fn begin(bucket: Arc<Bucket>, id: BlobId, beside: Beside) -> Result<Self> {
        let key = bucket.layout.key(&id);
        let request = bucket.client.create_multipart_upload().bucket(bucket.name()).key(&key);
        let begun = request
            .set_content_type(beside.options.content_type)
            .set_cache_control(beside.options.cache_control)
            .set_metadata(Some(beside.metadata))
            .set_storage_class(bucket.storage_class())
            .set_server_side_encryption(bucket.encryption())
            .set_ssekms_key_id(bucket.kms_key_id())
            // Named here, or some stores refuse the checksums of the parts.
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await;
        let upload = match begun {
            Ok(begun) => begun.upload_id,
            Err(failure) => return fail(failure),
        };
        let unnamed = || Error::new(ErrorKind::Storage, "the store began an upload without naming it");
        Ok(Self { upload: Some(upload.ok_or_else(unnamed)?), bucket, key, parts: JoinSet::new() })
    }

    fn id(&self) -> String {
        self.upload.clone().unwrap_or_default()
    }

    /// Sends all parts; gives them in their order.
    async fn send(&mut self, source: &Source, size: u64) -> Result<Vec<CompletedPart>> {
        let part_size = self.bucket.config.part_size.max(size.div_ceil(MAX_PARTS));
        let count = size.div_ceil(part_size);
        let mut sent = Vec::new();
        for index in 0..count {
            if self.parts.len() >= self.bucket.config.concurrency {
                sent.extend(self.next_sent().await?);
            }
            let range = index * part_size..((index + 1) * part_size).min(size);
            let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
            let (bucket, key, upload, source) = (self.bucket.clone(), self.key.clone(), self.id(), source.clone());
            self.parts.spawn(async move {
                let bytes = source.read(range).await?;
                let request = bucket.client.upload_part().bucket(bucket.name()).key(key).upload_id(upload);
                let time = bucket.with_time_for(bytes.len());
                let request = request
                    .part_number(number)
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .body(ByteStream::from(bytes))
                    .customize()
                    .config_override(time);
                match request.send().await {
                    Ok(sent) => Ok(CompletedPart::builder()
                        .part_number(number)
                        .set_e_tag(sent.e_tag)
                        .set_checksum_crc32(sent.checksum_crc32)
                        .build()),
                    Err(failure) => fail(failure),
                }
            });
        }
        while let Some(part) = self.next_sent().await? {
            sent.push(part);
        }
        sent.sort_by_key(|part| part.part_number);
        Ok(sent)
    }

    async fn next_sent(&mut self) -> Result<Option<CompletedPart>> {
        let ended = |_: JoinError| Error::new(ErrorKind::Internal, "the runtime ended during an upload");
        self.parts.join_next().await.map(|part| part.map_err(ended)?).transpose()
    }

    /// Makes an object of the parts.
    async fn complete(
        &mut self,
        id: &BlobId,
        size: u64,
        parts: Vec<CompletedPart>,
        beside: &Beside,
    ) -> Result<BlobInfo> {
        let bucket = self.bucket.clone();
        let request = bucket.client.complete_multipart_upload().bucket(bucket.name()).key(&self.key);
        let completed = request
            .upload_id(self.id())
            .set_if_none_match(bucket.if_none_match())
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await;
        match completed {
            Ok(done) => {
                self.upload = None;
                Ok(bucket.told(beside.info(id, size, done.e_tag, done.version_id)))
            }
            // Perhaps an attempt whose answer was lost completed it.
            Err(failure) if is_unmet(&failure) || failure::code(&failure) == "NoSuchUpload" => {
                match bucket.own_put(id, beside).await? {
                    Some(info) => {
                        self.upload = None;
                        Ok(info)
                    }
                    None => fail(failure),
                }
            }
            Err(failure) => fail(failure),
        }
    }

    /// Aborts the upload after the parts that are still under way.
    async fn abort(&mut self) {
        self.parts.shutdown().await;
        if let Some(upload) = self.upload.take() {
            // Best effort: the sweep aborts what stays.
            drop(self.bucket.abort(&self.key, &upload).await);
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.upload.is_none() {
            return;
        }
        let mut rest = Self {
            bucket: self.bucket.clone(),
            key: std::mem::take(&mut self.key),
            upload: self.upload.take(),
            parts: std::mem::take(&mut self.parts),
        };
        let runtime = self.bucket.runtime.clone();
        runtime.spawn(async move { rest.abort().await });
    }
}

impl Bucket {
    /// Makes an object of many bytes.
    pub(crate) async fn put_in_parts(
        self: &Arc<Self>,
        id: &BlobId,
        source: &Source,
        size: u64,
        beside: &Beside,
    ) -> Result<BlobInfo> {
        if self.head(id).await?.is_some() {
            return Err(already_exists(id));
        }
        // In a task of its own: an upload is known, and can be aborted, even if nobody waits for its beginning any more.
        let begun = self.runtime.spawn(Upload::begin(self.clone(), *id, beside.clone())).await;
        let ended = |_: JoinError| Error::new(ErrorKind::Internal, "the runtime ended during an upload");
        let mut upload = begun.map_err(ended)??;
        let put = match upload.send(source, size).await {
            Ok(parts) => upload.complete(id, size, parts, beside).await,
            Err(error) => Err(error),
        };
        if put.is_err() {
            upload.abort().await;
        }
        put
    }

    /// Ends an upload; one that is gone is no error.
    async fn abort(&self, key: &str, upload: &str) -> Result<bool> {
        let request = self.client.abort_multipart_upload().bucket(self.name()).key(key).upload_id(upload);
        match request.send().await {
            Ok(_) => Ok(true),
            Err(failure) if failure::status(&failure) == 404 => Ok(false),
            Err(failure) => fail(failure),
        }
    }

    /// Aborts uploads of blobs that began before a time; says how many.
    pub(crate) async fn abort_uploads(&self, before: Timestamp) -> Result<u64> {
        let (mut aborted, mut key_marker, mut upload_marker) = (0, None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(self.name()).prefix(self.layout.root());
            let request = request.set_key_marker(key_marker.take()).set_upload_id_marker(upload_marker.take());
            let page = match request.send().await {
                Ok(page) => page,
                // It knows of none, then.
                Err(failure) if is_unknown(&failure) => return Ok(aborted),
                Err(failure) => return Err(error(&failure)),
            };
            for upload in page.uploads() {
                let (Some(key), Some(name), Some(begun)) = (upload.key(), upload.upload_id(), upload.initiated())
                else {
                    continue;
                };
                if self.layout.parse_key(key).is_some() && crate::describe::timestamp(*begun) < before {
                    aborted += u64::from(self.abort(key, name).await?);
                }
            }
            (key_marker, upload_marker) = (page.next_key_marker, page.next_upload_id_marker);
            if !page.is_truncated.unwrap_or(false) || key_marker.is_none() {
                return Ok(aborted);
            }
        }
    }
}
