//! How an object is read: a small one at once into memory, a large one in parts, several at a time, into a file that has
//! no name. What comes is exactly what was asked for, or an error.

use crate::bucket::Bucket;
use crate::describe::Told;
use crate::failure::{error, is_missing, status};
use crate::transfer::{Broken, Sink, Transfer};
use cacheness_storage::{BlobId, BlobInfo, Body, Bytes, Error, ErrorKind, GetBlob, Payload, Result};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use tokio::task::JoinSet;

/// More than any store keeps in an object, in bytes; some stores do not understand larger numbers.
const BEYOND: u64 = 1 << 50;

/// What came of a request for a range.
enum Found<T> {
    /// What is known of the object, and its bytes, or where they come from.
    Part(Box<BlobInfo>, T),
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
        let (info, begun) = match self.ask(id, &first, options.if_match.as_deref()).await? {
            Found::Part(info, begun) => (info, begun),
            Found::Beyond => return self.nothing(id, options.if_match).await,
            Found::Missing => return Ok(None),
        };
        if end.min(info.size) > first.end {
            let range = start..end.min(info.size);
            let file = self.download(&info, range.clone(), (first, begun)).await?;
            return Ok(file.map(|file| Payload { body: Body::File { file, size: range.end - start }, info: *info }));
        }
        Ok(match self.fetch(id, first, options.if_match.as_deref(), Some((info, begun)), None).await? {
            Found::Part(info, pieces) => Some(Payload { info: *info, body: Body::Bytes(joined(pieces)) }),
            Found::Beyond => return self.nothing(id, options.if_match).await,
            Found::Missing => None,
        })
    }

    /// An empty part of an object.
    async fn nothing(&self, id: &BlobId, if_match: Option<String>) -> Result<Option<Payload>> {
        let Some(told) = self.head(id).await? else { return Ok(None) };
        check_tag(id, if_match.as_deref(), told.info.etag.as_deref())?;
        Ok(Some(Payload { info: told.info, body: Body::Bytes(Bytes::new()) }))
    }

    /// Reads a range into a file, of which the beginning is on its way already; `None` when the object was deleted meanwhile.
    async fn download(
        self: &Arc<Self>,
        info: &BlobInfo,
        range: Range<u64>,
        (first, begun): (Range<u64>, Transfer),
    ) -> Result<Option<File>> {
        let (id, size) = (info.id, info.size);
        let Some(etag) = info.etag.clone() else {
            let message = "the store tells no entity tag, by which parts belong together";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let file = Sink::new(self.config.staging.clone()).await?;
        let mut next = first.end;
        let mut begun = Some((first, Some((Box::new(info.clone()), begun))));
        let mut parts = JoinSet::new();
        loop {
            while parts.len() < self.config.concurrency {
                let (part, begun) = match begun.take() {
                    Some(begun) => begun,
                    None if next < range.end => (next..range.end.min(next + self.config.part_size), None),
                    None => break,
                };
                next = part.end;
                let (bucket, etag, file, offset) = (self.clone(), etag.clone(), file.clone(), part.start - range.start);
                parts.spawn(async move {
                    match bucket.fetch(&id, part, Some(&etag), begun, Some((&file, offset))).await? {
                        Found::Part(info, _) if info.size == size => Ok(true),
                        Found::Part(..) => Err(other_tag(&id)),
                        Found::Beyond | Found::Missing => Ok(false),
                    }
                });
            }
            let Some(part) = parts.join_next().await else { break };
            let ended = |_| Error::new(ErrorKind::Internal, "the runtime ended during a download");
            let is_there: Result<bool> = part.map_err(ended)?;
            if !is_there? {
                return Ok(None);
            }
        }
        file.into_file().await.map(Some)
    }

    /// Fetches a range that is not empty, and that may have been asked for, into memory or into a file from an offset on. A
    /// transfer that breaks off is begun again.
    async fn fetch(
        &self,
        id: &BlobId,
        range: Range<u64>,
        if_match: Option<&str>,
        mut begun: Option<(Box<BlobInfo>, Transfer)>,
        file: Option<(&Sink, u64)>,
    ) -> Result<Found<Vec<Bytes>>> {
        let mut attempts = 1;
        loop {
            let (info, transfer) = match begun.take() {
                Some(begun) => begun,
                None => match self.ask(id, &range, if_match).await? {
                    Found::Part(info, transfer) => (info, transfer),
                    Found::Beyond => return Ok(Found::Beyond),
                    Found::Missing => return Ok(Found::Missing),
                },
            };
            let taken = match file {
                Some((file, offset)) => transfer.pour(file, offset).await.map(|()| Vec::new()),
                None => transfer.collect().await,
            };
            match taken {
                Ok(pieces) => return Ok(Found::Part(info, pieces)),
                Err(Broken::Transfer(_)) if attempts < self.config.max_attempts => attempts += 1,
                Err(broken) => return Err(broken.into()),
            }
        }
    }

    /// Asks for a range that is not empty.
    async fn ask(&self, id: &BlobId, range: &Range<u64>, if_match: Option<&str>) -> Result<Found<Transfer>> {
        let request = self.client.get_object().bucket(self.name()).key(self.layout.key(id));
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = match request.range(asked).set_if_match(if_match.map(str::to_owned)).send().await {
            Ok(answer) => answer,
            Err(failure) if status(&failure) == 412 => return Err(other_tag(id)),
            Err(failure) if status(&failure) == 416 => return Ok(Found::Beyond),
            Err(failure) if is_missing(&failure) => return Ok(Found::Missing),
            Err(failure) => return Err(error(&failure)),
        };
        // Not every store looks at the condition.
        check_tag(id, if_match, answer.e_tag())?;
        let Some((begin, total)) = answer.content_range().and_then(content_range) else {
            return Err(Error::new(ErrorKind::Unsupported, "the store does not answer with ranges"));
        };
        if begin != range.start {
            return Err(Error::new(ErrorKind::Storage, "the store answered with another range"));
        }
        let info = Told::by_get(id, total, &answer).info;
        let expected = range.end.min(total).saturating_sub(range.start);
        Ok(Found::Part(Box::new(info), Transfer::new(self, answer.body, expected)))
    }
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

fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() == 1 { pieces.pop().unwrap_or_default() } else { pieces.concat().into() }
}
