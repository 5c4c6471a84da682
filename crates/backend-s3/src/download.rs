//! How an object is read: a small one at once into memory, a large one in parts, several at a time, into a file that has
//! no name. What comes is exactly what was asked for, or an error.

use crate::bucket::Bucket;
use crate::connect::stall_timeout;
use crate::describe::Told;
use crate::failure::{error, is_missing, status};
use crate::upload::blocking;
use aws_sdk_s3::primitives::ByteStream;
use cacheness_storage::{BlobId, BlobInfo, Body, Bytes, Error, ErrorKind, GetBlob, Payload, Result};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::JoinSet;

/// More than any store keeps in an object, in bytes; some stores do not understand larger numbers.
const BEYOND: u64 = 1 << 50;

/// The answer to a request for a range.
enum Piece {
    /// What is known of the object, and the bytes as they came.
    Found(Box<BlobInfo>, Vec<Bytes>),
    /// The object ends before the range begins.
    Beyond,
    /// There is no object.
    Missing,
}

impl Bucket {
    /// Reads an object, or a part of it.
    pub(crate) async fn get(self: &Arc<Self>, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let Range { start, end } = options.range.unwrap_or(0..u64::MAX);
        if start >= end || start >= BEYOND {
            return self.nothing(id, options.if_match).await;
        }
        let first = start..end.min(start.saturating_add(self.config.memory_limit));
        let (info, pieces) = match self.fetch(id, first, options.if_match.clone()).await? {
            Piece::Found(info, pieces) => (*info, pieces),
            Piece::Beyond => return self.nothing(id, options.if_match).await,
            Piece::Missing => return Ok(None),
        };
        let end = end.min(info.size);
        if length(&pieces) == end.saturating_sub(start) {
            return Ok(Some(Payload { info, body: Body::Bytes(joined(pieces)) }));
        }
        let file = self.download(&info, start..end, pieces).await?;
        Ok(file.map(|file| Payload { body: Body::File { file, size: end - start }, info }))
    }

    /// An empty part of an object.
    async fn nothing(&self, id: &BlobId, if_match: Option<String>) -> Result<Option<Payload>> {
        let Some(told) = self.head(id).await? else { return Ok(None) };
        check_tag(id, if_match.as_deref(), told.info.etag.as_deref())?;
        Ok(Some(Payload { info: told.info, body: Body::Bytes(Bytes::new()) }))
    }

    /// Reads a range into a file, of which the beginning is there already; `None` when the object was deleted meanwhile.
    async fn download(self: &Arc<Self>, info: &BlobInfo, range: Range<u64>, first: Vec<Bytes>) -> Result<Option<File>> {
        let id = info.id;
        let Some(etag) = info.etag.clone() else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the store tells no entity tag, by which parts belong together",
            ));
        };
        let staging = self.config.staging.clone();
        let mut next = range.start + length(&first);
        let mut file = blocking(move || {
            let file = match staging {
                Some(directory) => tempfile::tempfile_in(directory),
                None => tempfile::tempfile(),
            };
            let file = file.map_err(|error| no_room("made", error))?;
            write(file, 0, &first)
        })
        .await?;
        let mut parts = JoinSet::new();
        loop {
            while next < range.end && parts.len() < self.config.concurrency {
                let part = next..range.end.min(next + self.config.part_size);
                next = part.end;
                let (bucket, etag) = (self.clone(), etag.clone());
                parts.spawn(async move { (part.clone(), bucket.fetch(&id, part, Some(etag)).await) });
            }
            let Some(part) = parts.join_next().await else { break };
            let ended = |_| Error::new(ErrorKind::Internal, "the runtime ended during a download");
            let (part, fetched) = part.map_err(ended)?;
            let Piece::Found(_, pieces) = fetched? else { return Ok(None) };
            if length(&pieces) != part.end - part.start {
                return Err(cut_short());
            }
            let offset = part.start - range.start;
            file = blocking(move || write(file, offset, &pieces)).await?;
        }
        let rewound = blocking(move || {
            file.rewind().map_err(|error| no_room("read", error))?;
            Ok(file)
        });
        rewound.await.map(Some)
    }

    /// Fetches a range that is not empty. A transfer that breaks off is begun again.
    async fn fetch(&self, id: &BlobId, range: Range<u64>, if_match: Option<String>) -> Result<Piece> {
        let mut attempts = 1;
        loop {
            match self.fetch_once(id, range.clone(), if_match.clone()).await {
                Err(Fetch::Broken(_)) if attempts < self.config.max_attempts => attempts += 1,
                Err(Fetch::Broken(error) | Fetch::Failed(error)) => return Err(error),
                Ok(piece) => return Ok(piece),
            }
        }
    }

    async fn fetch_once(&self, id: &BlobId, range: Range<u64>, if_match: Option<String>) -> Result<Piece, Fetch> {
        let request = self.client.get_object().bucket(self.name()).key(self.layout.key(id));
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = match request.range(asked).set_if_match(if_match.clone()).send().await {
            Ok(answer) => answer,
            Err(failure) if status(&failure) == 412 => return Err(Fetch::Failed(other_tag(id))),
            Err(failure) if status(&failure) == 416 => return Ok(Piece::Beyond),
            Err(failure) if is_missing(&failure) => return Ok(Piece::Missing),
            Err(failure) => return Err(Fetch::Failed(error(&failure))),
        };
        // Not every store looks at the condition.
        check_tag(id, if_match.as_deref(), answer.e_tag()).map_err(Fetch::Failed)?;
        let Some((begin, total)) = answer.content_range().and_then(content_range) else {
            return Err(Fetch::Failed(Error::new(ErrorKind::Unsupported, "the store does not answer with ranges")));
        };
        if begin != range.start {
            return Err(Fetch::Failed(Error::new(ErrorKind::Storage, "the store answered with another range")));
        }
        let info = Told::by_get(id, total, &answer).info;
        let expected = range.end.min(total).saturating_sub(range.start);
        let pieces = self.receive(answer.body, expected).await.map_err(Fetch::Broken)?;
        Ok(Piece::Found(Box::new(info), pieces))
    }

    /// Takes exactly so many bytes of a body.
    pub(crate) async fn receive(&self, mut body: ByteStream, expected: u64) -> Result<Vec<Bytes>> {
        let stall = stall_timeout(&self.config);
        let mut pieces = Vec::new();
        let mut received = 0;
        loop {
            let piece = match tokio::time::timeout(stall, body.next()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(_))) => return Err(cut_short()),
                Ok(None) if received == expected => return Ok(pieces),
                Ok(None) => return Err(cut_short()),
                Err(_) => {
                    return Err(Error::new(ErrorKind::Timeout, "the transfer of a blob stands still")
                        .advice("see whether the store can be reached; stall_timeout_ms says how long is waited"));
                }
            };
            received += piece.len() as u64;
            self.meter.received(piece.len() as u64);
            if received > expected {
                return Err(Error::new(ErrorKind::Storage, "the store sent more than was asked for"));
            }
            pieces.push(piece);
        }
    }
}

/// Why a range was not fetched.
enum Fetch {
    /// The transfer broke off; another one may not.
    Broken(Error),
    /// The request failed, as often as it was tried.
    Failed(Error),
}

fn cut_short() -> Error {
    Error::new(ErrorKind::Unavailable, "the transfer of a blob broke off")
}

fn other_tag(id: &BlobId) -> Error {
    Error::new(ErrorKind::Conflict, format!("the blob {id} has another entity tag"))
}

fn check_tag(id: &BlobId, wanted: Option<&str>, found: Option<&str>) -> Result<()> {
    if wanted.is_none_or(|wanted| found == Some(wanted)) { Ok(()) } else { Err(other_tag(id)) }
}

/// The first byte and the size of the whole object, from `bytes 0-99/1234`.
fn content_range(header: &str) -> Option<(u64, u64)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

fn length(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 { pieces.pop().unwrap_or_default() } else { pieces.concat().into() }
}

/// Writes pieces from an offset on.
fn write(mut file: File, offset: u64, pieces: &[Bytes]) -> Result<File> {
    let written = file.seek(SeekFrom::Start(offset)).and_then(|_| pieces.iter().try_for_each(|p| file.write_all(p)));
    written.map_err(|error| no_room("written", error))?;
    Ok(file)
}

fn no_room(what: &str, error: std::io::Error) -> Error {
    Error::io(ErrorKind::Storage, format!("the temporary file of a large blob could not be {what}"), error)
        .advice("the option staging names a directory with more room")
}
