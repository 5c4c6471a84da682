//! Bodies of uploads, taken in whole before anything is locked or written, and checked against what the client said of them.

use bytes::Bytes;
use futures::TryStreamExt;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Result, TrailingHeaders, s3_error};
use std::io;

/// The bytes of one upload.
pub(crate) struct Upload {
    chunks: Vec<Bytes>,
}

impl Upload {
    /// Reads a body to its end.
    ///
    /// # Errors
    ///
    /// `IncompleteBody` when the client goes away before.
    pub(crate) async fn receive(body: Option<StreamingBlob>) -> S3Result<Self> {
        let body = body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let chunks = body.try_collect().await.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
        Ok(Self { chunks })
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }

    pub(crate) fn into_body(self) -> StreamingBlob {
        StreamingBlob::wrap(futures::stream::iter(self.chunks.into_iter().map(Ok::<_, io::Error>)))
    }

    /// Compares the bytes with the checksums that came before them, and behind them, and returns those.
    ///
    /// # Errors
    ///
    /// `BadDigest` when they differ.
    pub(crate) fn verify(
        &self,
        said: Checksum,
        md5: Option<&str>,
        behind: Option<&TrailingHeaders>,
    ) -> S3Result<Checksum> {
        let said = with_trailers(said, behind);
        let mut hasher = ChecksumHasher {
            crc32: said.checksum_crc32.as_ref().map(|_| Default::default()),
            crc32c: said.checksum_crc32c.as_ref().map(|_| Default::default()),
            sha1: said.checksum_sha1.as_ref().map(|_| Default::default()),
            sha256: said.checksum_sha256.as_ref().map(|_| Default::default()),
            crc64nvme: said.checksum_crc64nvme.as_ref().map(|_| Default::default()),
        };
        self.chunks.iter().for_each(|chunk| hasher.update(chunk));
        let found = hasher.finalize();
        if values(&found) != values(&said) {
            return Err(s3_error!(BadDigest, "The checksum you specified did not match what we received."));
        }
        if let Some(md5) = md5 {
            let mut hasher = Md5::new();
            self.chunks.iter().for_each(|chunk| hasher.update(chunk));
            if base64(&hasher.finalize()) != md5 {
                return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received."));
            }
        }
        Ok(said)
    }
}

fn values(checksum: &Checksum) -> [&Option<String>; 5] {
    let Checksum { checksum_crc32, checksum_crc32c, checksum_sha1, checksum_sha256, checksum_crc64nvme, .. } = checksum;
    [checksum_crc32, checksum_crc32c, checksum_sha1, checksum_sha256, checksum_crc64nvme]
}

fn with_trailers(mut said: Checksum, behind: Option<&TrailingHeaders>) -> Checksum {
    let fields = [
        ("x-amz-checksum-crc32", &mut said.checksum_crc32),
        ("x-amz-checksum-crc32c", &mut said.checksum_crc32c),
        ("x-amz-checksum-sha1", &mut said.checksum_sha1),
        ("x-amz-checksum-sha256", &mut said.checksum_sha256),
        ("x-amz-checksum-crc64nvme", &mut said.checksum_crc64nvme),
    ];
    for (name, field) in fields {
        let text =
            behind.and_then(|headers| headers.read(|headers| Some(headers.get(name)?.to_str().ok()?.to_owned())));
        if let Some(text) = text.flatten() {
            *field = Some(text);
        }
    }
    said
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
