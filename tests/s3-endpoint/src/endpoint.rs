//! The operations: s3s-fs does the work, and around it stands what it lacks to be as strict as S3.

use crate::body::Upload;
use crate::conditions::ReadConditions;
use crate::listing::{self, MOST, Page, Wanted};
use crate::uploads::Uploads;
use async_trait::async_trait;
use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::RwLock;

/// A directory of buckets.
pub(crate) struct Endpoint {
    files: FileSystem,
    root: PathBuf,
    /// Held for writing by whatever changes something, and for reading by whatever must not see half of a change. Bodies
    /// are received before it is taken and sent after it is given back, so that no client holds up another.
    gate: RwLock<()>,
    uploads: Mutex<Uploads>,
    /// Those of objects by bucket and key, as far as they are known: s3s-fs reads two files for each.
    etags: Mutex<HashMap<(String, String), ETag>>,
}

type Reply<T> = S3Result<S3Response<T>>;

impl Endpoint {
    /// Serves the buckets of a directory, which is created if it is not there.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        let files = FileSystem::new(&root).map_err(|error| io::Error::other(S3Error::from(error)))?;
        Ok(Self { files, root, gate: RwLock::new(()), uploads: Mutex::default(), etags: Mutex::default() })
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn etags(&self) -> MutexGuard<'_, HashMap<(String, String), ETag>> {
        self.etags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the ETag of an object that was changed, or that nobody knows it.
    fn changed(&self, bucket: &str, key: &str, etag: Option<ETag>) {
        let name = (bucket.to_owned(), key.to_owned());
        match etag {
            Some(etag) => self.etags().insert(name, etag),
            None => self.etags().remove(&name),
        };
    }

    fn bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.root.join(bucket);
        if path.is_dir() { Ok(path) } else { Err(s3_error!(NoSuchBucket)) }
    }

    /// Whether there is an object; a directory is none.
    fn has(&self, bucket: &str, key: &str) -> S3Result<bool> {
        Ok(self.bucket(bucket)?.join(key).is_file())
    }

    fn must_have(&self, bucket: &str, key: &str) -> S3Result<()> {
        if self.has(bucket, key)? { Ok(()) } else { Err(s3_error!(NoSuchKey)) }
    }

    /// Removes the directories above a deleted object that are empty now: they are no objects, and would be in the way of one.
    fn tidy(&self, bucket: &str, key: &str) {
        for (slash, _) in key.rmatch_indices('/') {
            if fs::remove_dir(self.root.join(bucket).join(&key[..slash])).is_err() {
                break;
            }
        }
    }

    /// An object as a listing shows it.
    async fn listed(&self, bucket: &str, key: String) -> S3Result<Object> {
        let file = fs::metadata(self.root.join(bucket).join(&key)).map_err(S3Error::internal_error)?;
        let name = (bucket.to_owned(), key);
        let known = self.etags().get(&name).cloned();
        let e_tag = match known {
            Some(etag) => Some(etag),
            None => {
                let input = HeadObjectInput { bucket: name.0.clone(), key: name.1.clone(), ..Default::default() };
                let found = self.files.head_object(request(input)).await?.output.e_tag;
                self.changed(bucket, &name.1, found.clone());
                found
            }
        };
        Ok(Object {
            key: Some(name.1),
            size: i64::try_from(file.len()).ok(),
            e_tag,
            last_modified: file.modified().ok().map(Timestamp::from),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Default::default()
        })
    }
}

/// The checksums that came with an input; those that have them share no trait.
macro_rules! checksums {
    ($input:expr) => {
        Checksum {
            checksum_crc32: $input.checksum_crc32.clone(),
            checksum_crc32c: $input.checksum_crc32c.clone(),
            checksum_sha1: $input.checksum_sha1.clone(),
            checksum_sha256: $input.checksum_sha256.clone(),
            checksum_crc64nvme: $input.checksum_crc64nvme.clone(),
            ..Default::default()
        }
    };
}

/// A request that no client made.
fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Default::default(),
        uri: Default::default(),
        headers: Default::default(),
        extensions: Default::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

#[async_trait]
impl S3 for Endpoint {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Reply<CreateBucketOutput> {
        let _gate = self.gate.write().await;
        if self.bucket(&req.input.bucket).is_ok() {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        self.files.create_bucket(req).await
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Reply<DeleteBucketOutput> {
        let _gate = self.gate.write().await;
        let bucket = self.bucket(&req.input.bucket)?;
        let any = Wanted { prefix: "", delimiter: None, after: "", most: 1 };
        let page = listing::page(&bucket, &any).map_err(S3Error::internal_error)?;
        if !page.entries.is_empty() || self.uploads().has_any(&req.input.bucket) {
            return Err(s3_error!(BucketNotEmpty));
        }
        self.files.delete_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Reply<HeadBucketOutput> {
        self.files.head_bucket(req).await
    }

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> Reply<ListBucketsOutput> {
        self.files.list_buckets(req).await
    }

    async fn get_bucket_location(&self, req: S3Request<GetBucketLocationInput>) -> Reply<GetBucketLocationOutput> {
        self.files.get_bucket_location(req).await
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> Reply<PutObjectOutput> {
        self.bucket(&req.input.bucket)?;
        let upload = Upload::receive(req.input.body.take()).await?;
        let said = checksums!(req.input);
        upload.verify(said, req.input.content_md5.as_deref(), req.trailing_headers.as_ref())?;
        req.input.body = Some(upload.into_body());
        // All classes are kept alike.
        req.input.storage_class = None;
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let _gate = self.gate.write().await;
        self.bucket(&bucket)?;
        let reply = self.files.put_object(req).await?;
        self.changed(&bucket, &key, reply.output.e_tag.clone());
        Ok(reply)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Reply<GetObjectOutput> {
        let conditions =
            ReadConditions { if_match: req.input.if_match.clone(), if_none_match: req.input.if_none_match.clone() };
        let _gate = self.gate.read().await;
        self.must_have(&req.input.bucket, &req.input.key)?;
        // The conditions come before the range.
        let input =
            HeadObjectInput { bucket: req.input.bucket.clone(), key: req.input.key.clone(), ..Default::default() };
        let head = self.files.head_object(request(input)).await?.output;
        conditions.hold(head.e_tag.as_ref())?;
        self.files.get_object(req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Reply<HeadObjectOutput> {
        let conditions =
            ReadConditions { if_match: req.input.if_match.clone(), if_none_match: req.input.if_none_match.clone() };
        let _gate = self.gate.read().await;
        self.must_have(&req.input.bucket, &req.input.key)?;
        let reply = self.files.head_object(req).await?;
        conditions.hold(reply.output.e_tag.as_ref())?;
        Ok(reply)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Reply<CopyObjectOutput> {
        let _gate = self.gate.write().await;
        if let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source {
            self.must_have(bucket, key)?;
        }
        self.changed(&req.input.bucket, &req.input.key, None);
        self.files.copy_object(req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Reply<DeleteObjectOutput> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let _gate = self.gate.write().await;
        if !self.has(&bucket, &key)? {
            return Ok(S3Response::new(DeleteObjectOutput::default()));
        }
        self.changed(&bucket, &key, None);
        let reply = self.files.delete_object(req).await?;
        self.tidy(&bucket, &key);
        Ok(reply)
    }

    async fn delete_objects(&self, mut req: S3Request<DeleteObjectsInput>) -> Reply<DeleteObjectsOutput> {
        let bucket = req.input.bucket.clone();
        let is_quiet = req.input.delete.quiet.unwrap_or(false);
        if req.input.delete.objects.len() > MOST {
            return Err(s3_error!(MalformedXML));
        }
        let _gate = self.gate.write().await;
        self.bucket(&bucket)?;
        let keys: Vec<_> = req.input.delete.objects.iter().map(|object| object.key.clone()).collect();
        req.input.delete.objects.retain(|object| self.has(&bucket, &object.key).unwrap_or(false));
        keys.iter().for_each(|key| self.changed(&bucket, key, None));
        let mut reply = self.files.delete_objects(req).await?;
        keys.iter().for_each(|key| self.tidy(&bucket, key));
        // What was not there is deleted too.
        let deleted = keys.into_iter().map(|key| DeletedObject { key: Some(key), ..Default::default() });
        reply.output.deleted = if is_quiet { None } else { Some(deleted.collect()) };
        Ok(reply)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> Reply<ListObjectsV2Output> {
        let input = req.input;
        let most = usize::try_from(input.max_keys.unwrap_or(1000)).map_err(|_| s3_error!(InvalidArgument))?.min(MOST);
        let _gate = self.gate.read().await;
        let directory = self.bucket(&input.bucket)?;
        let after = input.continuation_token.as_deref().or(input.start_after.as_deref()).unwrap_or_default();
        let wanted = Wanted {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
            after,
            most,
        };
        let Page { entries, is_truncated } = listing::page(&directory, &wanted).map_err(S3Error::internal_error)?;
        let next = entries.last().filter(|_| is_truncated).map(|entry| entry.name.clone());
        let count = i32::try_from(entries.len()).ok();
        let (prefixes, keys): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_prefix);
        let mut contents = Vec::new();
        for entry in keys {
            contents.push(self.listed(&input.bucket, entry.name).await?);
        }
        let prefixes = prefixes.into_iter().map(|entry| CommonPrefix { prefix: Some(entry.name) });
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: count,
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(is_truncated),
            contents: Some(contents),
            common_prefixes: Some(prefixes.collect()),
            next_continuation_token: next,
            continuation_token: input.continuation_token,
            delimiter: input.delimiter,
            encoding_type: input.encoding_type,
            name: Some(input.bucket),
            prefix: input.prefix,
            start_after: input.start_after,
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Reply<CreateMultipartUploadOutput> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let (algorithm, kind) = (req.input.checksum_algorithm.clone(), req.input.checksum_type.clone());
        let _gate = self.gate.write().await;
        self.bucket(&bucket)?;
        let mut reply = self.files.create_multipart_upload(req).await?;
        self.uploads().begin(&bucket, &key, reply.output.upload_id.as_deref().unwrap_or_default());
        reply.output.checksum_algorithm = algorithm;
        reply.output.checksum_type = kind;
        Ok(reply)
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> Reply<UploadPartOutput> {
        let (bucket, key, id) = (req.input.bucket.clone(), req.input.key.clone(), req.input.upload_id.clone());
        let number = req.input.part_number;
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"));
        }
        self.bucket(&bucket)?;
        self.uploads().check(&bucket, &key, &id)?;
        let upload = Upload::receive(req.input.body.take()).await?;
        let said = checksums!(req.input);
        let sums = upload.verify(said, req.input.content_md5.as_deref(), req.trailing_headers.as_ref())?;
        let size = i64::try_from(upload.len()).ok();
        req.input.body = Some(upload.into_body());
        let _gate = self.gate.write().await;
        self.uploads().check(&bucket, &key, &id)?;
        let mut reply = self.files.upload_part(req).await?;
        let part = Part {
            part_number: Some(number),
            e_tag: reply.output.e_tag.clone(),
            size,
            last_modified: Some(Timestamp::from(SystemTime::now())),
            ..Default::default()
        };
        self.uploads().add(&bucket, &key, &id, part);
        reply.output.checksum_crc32 = sums.checksum_crc32;
        reply.output.checksum_crc32c = sums.checksum_crc32c;
        reply.output.checksum_sha1 = sums.checksum_sha1;
        reply.output.checksum_sha256 = sums.checksum_sha256;
        reply.output.checksum_crc64nvme = sums.checksum_crc64nvme;
        Ok(reply)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Reply<ListPartsOutput> {
        self.bucket(&req.input.bucket)?;
        self.uploads().list_parts(req.input).map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Reply<ListMultipartUploadsOutput> {
        self.bucket(&req.input.bucket)?;
        Ok(S3Response::new(self.uploads().list(req.input)))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Reply<CompleteMultipartUploadOutput> {
        let (bucket, key, id) = (req.input.bucket.clone(), req.input.key.clone(), req.input.upload_id.clone());
        let _gate = self.gate.write().await;
        self.bucket(&bucket)?;
        self.uploads().check_parts(&bucket, &key, &id, req.input.multipart_upload.as_ref())?;
        self.changed(&bucket, &key, None);
        let reply = self.files.complete_multipart_upload(req).await?;
        self.uploads().end(&bucket, &key, &id);
        Ok(reply)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Reply<AbortMultipartUploadOutput> {
        let (bucket, key, id) = (req.input.bucket.clone(), req.input.key.clone(), req.input.upload_id.clone());
        let _gate = self.gate.write().await;
        self.bucket(&bucket)?;
        self.uploads().check(&bucket, &key, &id)?;
        let reply = self.files.abort_multipart_upload(req).await?;
        self.uploads().end(&bucket, &key, &id);
        Ok(reply)
    }
}
