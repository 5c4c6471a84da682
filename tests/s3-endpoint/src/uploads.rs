//! Multipart uploads under way: which there are, and what parts each has. Kept in memory, so they end with the process.

use s3s::dto::{
    CompletedMultipartUpload, CompletedPart, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Part, Timestamp,
};
use s3s::{S3Result, s3_error};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::SystemTime;

/// All parts but the last have at least so many bytes.
const LEAST: i64 = 5 << 20;

/// Bucket, key and id: in the order in which S3 lists them, but that uploads of one key go by id instead of time.
type Name = (String, String, String);

/// The uploads of all buckets.
#[derive(Default)]
pub(crate) struct Uploads {
    under_way: BTreeMap<Name, UnderWay>,
}

struct UnderWay {
    begun: Timestamp,
    parts: BTreeMap<i32, Part>,
}

impl Uploads {
    pub(crate) fn begin(&mut self, bucket: &str, key: &str, id: &str) {
        let begun = Timestamp::from(SystemTime::now());
        self.under_way.insert(name(bucket, key, id), UnderWay { begun, parts: BTreeMap::new() });
    }

    /// # Errors
    ///
    /// `NoSuchUpload` when it was completed, aborted or never begun.
    pub(crate) fn check(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        self.get(bucket, key, id).map(|_| ())
    }

    pub(crate) fn add(&mut self, bucket: &str, key: &str, id: &str, part: Part) {
        if let Some(upload) = self.under_way.get_mut(&name(bucket, key, id)) {
            upload.parts.insert(part.part_number.unwrap_or_default(), part);
        }
    }

    pub(crate) fn end(&mut self, bucket: &str, key: &str, id: &str) {
        self.under_way.remove(&name(bucket, key, id));
    }

    pub(crate) fn has_any(&self, bucket: &str) -> bool {
        self.under_way.keys().any(|(of, ..)| of == bucket)
    }

    /// Compares the list of parts that should become an object with the parts that are there.
    ///
    /// # Errors
    ///
    /// `NoSuchUpload`, `InvalidPartOrder`, `InvalidPart` or `EntityTooSmall`, and `NotImplemented` for numbers with gaps,
    /// which S3 takes and s3s-fs does not.
    pub(crate) fn check_parts(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        list: Option<&CompletedMultipartUpload>,
    ) -> S3Result<()> {
        let upload = self.get(bucket, key, id)?;
        let listed: &[CompletedPart] = list.and_then(|list| list.parts.as_deref()).unwrap_or_default();
        if listed.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !listed.is_sorted_by(|left, right| left.part_number < right.part_number) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let mut sizes = Vec::with_capacity(listed.len());
        for listed_part in listed {
            let part = listed_part.part_number.and_then(|number| upload.parts.get(&number));
            let is_same = |part: &&Part| {
                let etag = |etag: &ETag| etag.value().to_owned();
                part.e_tag.as_ref().map(etag) == listed_part.e_tag.as_ref().map(etag)
            };
            sizes.push(part.filter(is_same).ok_or_else(|| s3_error!(InvalidPart))?.size.unwrap_or_default());
        }
        sizes.pop();
        if sizes.iter().any(|size| *size < LEAST) {
            return Err(s3_error!(EntityTooSmall));
        }
        let numbers = listed.iter().filter_map(|part| part.part_number);
        if !numbers.eq((1..).take(listed.len())) {
            return Err(s3_error!(NotImplemented, "Parts are numbered from 1 without a gap here"));
        }
        Ok(())
    }

    pub(crate) fn list(&self, input: ListMultipartUploadsInput) -> ListMultipartUploadsOutput {
        let ListMultipartUploadsInput { bucket, prefix, key_marker, upload_id_marker, max_uploads, .. } = input;
        let most = usize::try_from(max_uploads.unwrap_or(1000)).unwrap_or(0).min(1000);
        let begin = match (&key_marker, &upload_id_marker) {
            (Some(key), Some(id)) => Bound::Excluded(name(&bucket, key, id)),
            // Behind all uploads of the key: its successor in the order of bytes.
            (Some(key), None) => Bound::Included(name(&bucket, &format!("{key}\0"), "")),
            (None, _) => Bound::Included(name(&bucket, "", "")),
        };
        let wanted = prefix.as_deref().unwrap_or_default();
        let of_bucket = self.under_way.range((begin, Bound::Unbounded)).take_while(|((of, ..), _)| *of == bucket);
        let mut found = of_bucket.filter(|((_, key, _), _)| key.starts_with(wanted));
        let uploads: Vec<_> = found
            .by_ref()
            .take(most)
            .map(|((_, key, id), upload)| MultipartUpload {
                key: Some(key.clone()),
                upload_id: Some(id.clone()),
                initiated: Some(upload.begun.clone()),
                ..Default::default()
            })
            .collect();
        let is_truncated = most > 0 && found.next().is_some();
        let last = uploads.last().filter(|_| is_truncated);
        ListMultipartUploadsOutput {
            next_key_marker: last.and_then(|last| last.key.clone()),
            next_upload_id_marker: last.and_then(|last| last.upload_id.clone()),
            bucket: Some(bucket),
            prefix,
            key_marker,
            upload_id_marker,
            max_uploads: i32::try_from(most).ok(),
            is_truncated: Some(is_truncated),
            uploads: Some(uploads),
            ..Default::default()
        }
    }

    pub(crate) fn list_parts(&self, input: ListPartsInput) -> S3Result<ListPartsOutput> {
        let upload = self.get(&input.bucket, &input.key, &input.upload_id)?;
        let most = usize::try_from(input.max_parts.unwrap_or(1000)).unwrap_or(0).min(1000);
        let begin = Bound::Excluded(input.part_number_marker.unwrap_or(0));
        let mut found = upload.parts.range((begin, Bound::Unbounded)).map(|(_, part)| part.clone());
        let parts: Vec<_> = found.by_ref().take(most).collect();
        let is_truncated = most > 0 && found.next().is_some();
        Ok(ListPartsOutput {
            next_part_number_marker: parts.last().filter(|_| is_truncated).and_then(|part| part.part_number),
            is_truncated: Some(is_truncated),
            part_number_marker: input.part_number_marker,
            max_parts: i32::try_from(most).ok(),
            parts: Some(parts),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            ..Default::default()
        })
    }

    fn get(&self, bucket: &str, key: &str, id: &str) -> S3Result<&UnderWay> {
        self.under_way.get(&name(bucket, key, id)).ok_or_else(|| s3_error!(NoSuchUpload))
    }
}

fn name(bucket: &str, key: &str, id: &str) -> Name {
    (bucket.to_owned(), key.to_owned(), id.to_owned())
}
