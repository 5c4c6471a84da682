//! The floor of blobs in S3: the client of the SDK, with parts and files as ours has them.

use crate::Result;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many bytes of a transfer wait in memory to be written to a file, as in ours.
const WAITING: usize = 512 << 10;

/// An endpoint and the keys to it.
pub(crate) struct Place {
    pub(crate) endpoint: String,
    pub(crate) access: String,
    pub(crate) secret: String,
}

impl Place {
    /// Reads `http://ACCESS_KEY:SECRET_KEY@host:port`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let parts = url.split_once("://").and_then(|(scheme, rest)| {
            let (keys, host) = rest.rsplit_once('@')?;
            let (access, secret) = keys.split_once(':')?;
            Some(Self { endpoint: format!("{scheme}://{host}"), access: access.into(), secret: secret.into() })
        });
        parts.ok_or_else(|| "the URL of the endpoint is not http://ACCESS_KEY:SECRET_KEY@host:port".into())
    }
}

/// How a large object travels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) size: u64,
    pub(crate) at_once: usize,
}

/// A bucket.
#[derive(Clone)]
pub(crate) struct S3 {
    client: Client,
    bucket: String,
}

impl S3 {
    /// Makes a bucket.
    pub(crate) async fn make(place: &Place, bucket: String) -> Result<Self> {
        let http = aws_smithy_http_client::Builder::new().build_http();
        let config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(&place.access, &place.secret, None, None, "bench"))
            .endpoint_url(&place.endpoint)
            .force_path_style(true);
        let client = Client::from_conf(config.build());
        client.create_bucket().bucket(&bucket).send().await?;
        Ok(Self { client, bucket })
    }

    /// Removes the bucket with everything in it.
    pub(crate) async fn remove(&self) -> Result {
        loop {
            let page = self.client.list_objects_v2().bucket(&self.bucket).send().await?;
            for key in page.contents().iter().filter_map(|object| object.key()) {
                self.delete(key).await?;
            }
            if page.contents().is_empty() {
                break;
            }
        }
        self.client.delete_bucket().bucket(&self.bucket).send().await?;
        Ok(())
    }

    pub(crate) async fn delete(&self, key: &str) -> Result {
        self.client.delete_object().bucket(&self.bucket).key(key).send().await?;
        Ok(())
    }

    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result {
        self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(bytes)).send().await?;
        Ok(())
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Bytes> {
        let object = self.client.get_object().bucket(&self.bucket).key(key).send().await?;
        Ok(object.body.collect().await?.into_bytes())
    }

    /// An upload in parts.
    pub(crate) async fn put_in_parts(&self, key: &str, bytes: Bytes, parts: Parts) -> Result {
        let begun = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await?;
        let upload = begun.upload_id.ok_or("the upload has no name")?;
        let (mut running, mut sent) = (JoinSet::new(), Vec::new());
        for (range, number) in ranges(bytes.len() as u64, parts.size).zip(1..) {
            if running.len() >= parts.at_once {
                sent.extend(joined(&mut running).await?);
            }
            let request = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(&upload);
            let part = bytes.slice(usize::try_from(range.start)?..usize::try_from(range.end)?);
            let request = request.part_number(number).body(ByteStream::from(part));
            running.spawn(async move {
                let part = request.send().await?;
                let completed = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
                Ok(completed.set_checksum_crc32(part.checksum_crc32).build())
            });
        }
        while let Some(part) = joined(&mut running).await? {
            sent.push(part);
        }
        sent.sort_by_key(|part| part.part_number);
        let completed = CompletedMultipartUpload::builder().set_parts(Some(sent)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        request.multipart_upload(completed).send().await?;
        Ok(())
    }

    /// A download in parts, into a file that has no name.
    pub(crate) async fn get_in_parts(&self, key: &str, parts: Parts) -> Result<File> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).send().await?;
        let size = u64::try_from(head.content_length.ok_or("the object has no size")?)?;
        let file = Arc::new(tempfile::tempfile()?);
        let mut running = JoinSet::new();
        for range in ranges(size, parts.size) {
            if running.len() >= parts.at_once {
                joined(&mut running).await?;
            }
            let request = self.client.get_object().bucket(&self.bucket).key(key);
            let request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
            let file = file.clone();
            running.spawn(async move {
                let (mut body, mut offset, mut waiting) = (request.send().await?.body, range.start, Vec::new());
                loop {
                    let piece = body.next().await.transpose()?;
                    let is_last = piece.is_none();
                    waiting.extend(piece);
                    let size: usize = waiting.iter().map(Bytes::len).sum();
                    if is_last || size >= WAITING {
                        write(file.clone(), offset, std::mem::take(&mut waiting)).await?;
                        offset += size as u64;
                    }
                    if is_last {
                        return Ok(());
                    }
                }
            });
        }
        while joined(&mut running).await?.is_some() {}
        Arc::into_inner(file).ok_or_else(|| "the file is in use".into())
    }
}

async fn write(file: Arc<File>, mut offset: u64, pieces: Vec<Bytes>) -> Result {
    let writing = tokio::task::spawn_blocking(move || {
        pieces.iter().try_for_each(|piece| {
            file.write_all_at(piece, offset)?;
            offset += piece.len() as u64;
            Ok::<_, std::io::Error>(())
        })
    });
    Ok(writing.await??)
}

async fn joined<T: 'static>(running: &mut JoinSet<Result<T>>) -> Result<Option<T>> {
    running.join_next().await.transpose()?.transpose()
}

fn ranges(size: u64, part: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size.div_ceil(part)).map(move |number| number * part..size.min((number + 1) * part))
}
