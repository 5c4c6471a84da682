//! The listing: pages of keys, of which those are blobs that our grammar knows.

use crate::bucket::Bucket;
use crate::describe::timestamp;
use crate::failure::error;
use aws_sdk_s3::types::EncodingType;
use cacheness_storage::{BlobId, BlobInfo, Result};
use std::borrow::Cow;

/// No store lists more keys in a page.
const PAGE: usize = 1000;

impl Bucket {
    /// The next blobs after a name, at most `limit`.
    pub(crate) async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        let mut next = None;
        while found.len() < limit {
            let size = i32::try_from((limit - found.len()).min(PAGE)).unwrap_or(i32::MAX);
            let request = self.client.list_objects_v2().bucket(self.name()).prefix(self.layout.root()).max_keys(size);
            // Foreign keys may hold what XML cannot.
            let request = request.encoding_type(EncodingType::Url);
            let request = match next.take() {
                Some(token) => request.continuation_token(token),
                None => request.set_start_after(after.map(|id| self.layout.key(&id))),
            };
            let page = request.send().await.map_err(|failure| error(&failure))?;
            for object in page.contents() {
                let id = object.key().and_then(|key| self.layout.parse_key(&decoded(key)));
                let Some(id) = id.filter(|id| after.is_none_or(|after| *id > after)) else { continue };
                let mut info = BlobInfo::new(id, object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0));
                info.etag = object.e_tag().map(str::to_owned);
                info.modified_at = object.last_modified().copied().map(timestamp);
                info.storage_class = object.storage_class().map(|class| class.as_str().to_owned());
                found.push(info);
            }
            next = page.next_continuation_token;
            if next.is_none() || !page.is_truncated.unwrap_or(false) {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// A key without its percent encoding. Keys of ours need none; what becomes of foreign ones does not matter.
fn decoded(key: &str) -> Cow<'_, str> {
    if !key.contains('%') {
        return Cow::Borrowed(key);
    }
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.first_chunk::<2>().and_then(|digits| std::str::from_utf8(digits).ok());
        match digits
            .filter(|digits| *first == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn a_key_is_decoded_wherever_it_is_encoded() {
        for (encoded, key) in [
            ("p/ab/abc.blob", "p/ab/abc.blob"),
            ("p%2Fab%2fabc.blob", "p/ab/abc.blob"),
            ("%01%C3%A4", "\u{1}ä"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%+1", "%zz%+1"),
            ("%FF", "\u{fffd}"),
        ] {
            assert_eq!(decoded(encoded), key, "{encoded}");
        }
    }
}
