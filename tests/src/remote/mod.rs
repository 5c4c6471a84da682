//! A pair of backends that do not block: another process serves memory backends over loopback, each answer late.

mod client;
mod server;

pub use client::{Remote, RemoteBlobs, RemoteMetadata};
pub use server::serve;

use cacheness::handlers::{Format, Handler, ObjectHandler, SliceReader};
use cacheness_storage::{
    BlobId, BlobInfo, BlobQuery, BlobRecord, Bytes, Change, Cursor, EntryKey, Fields, GetBlob, MetadataStats, OnUnmet,
    Outcome, Page, PutBlob, Query, Reclaim, Reclaimed, Record, Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Serialize, Deserialize)]
enum Request {
    Get(Vec<EntryKey>, Fields),
    Commit(Vec<Change>, OnUnmet),
    Page(Query, Option<Cursor>),
    Blobs(BlobQuery),
    Reclaim(Reclaim),
    Stats,
    PutBlob(BlobId, Bytes, PutBlob),
    GetBlob(BlobId, GetBlob),
    Head(BlobId),
    Delete(Vec<BlobId>),
    List(Option<BlobId>, usize),
    DiscardRemnants(Timestamp),
}

#[derive(Serialize, Deserialize)]
enum Response {
    Get(Vec<Option<Record>>),
    Commit(Vec<Outcome>),
    Page(Page),
    Blobs(Vec<BlobRecord>),
    Reclaim(Reclaimed),
    Stats(MetadataStats),
    PutBlob(BlobInfo),
    GetBlob(Option<(BlobInfo, Bytes)>),
    Head(Option<BlobInfo>),
    Delete(Vec<bool>),
    List(Vec<BlobInfo>),
    DiscardRemnants(u64),
    Failed { kind: String, message: String },
}

/// What the object handler takes: it loses nothing, `Some(None)` neither.
trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl Message for Request {}
impl Message for Response {}

async fn send<T: Message>(stream: &mut TcpStream, message: &T) -> io::Result<()> {
    let handler = ObjectHandler::<T>::new();
    let mut bytes = Vec::new();
    Handler::encode(&handler, message, &Handler::plan(&handler, message)?, &mut bytes)?;
    stream.write_u64(bytes.len() as u64).await?;
    stream.write_all(&bytes).await
}

async fn receive<T: Message>(stream: &mut TcpStream) -> io::Result<T> {
    let length = stream.read_u64().await?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut bytes).await?;
    let format = Format::new("msgpack", 1);
    Ok(Handler::decode(&ObjectHandler::new(), &mut SliceReader::new(bytes.into()), &format)?)
}
