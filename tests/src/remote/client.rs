//! The calling side: backends that need a reactor.

use super::{Request, Response, receive, send};
use cacheness_storage::{
    BackendInfo, BlobBackend, BlobId, BlobInfo, BlobQuery, BlobRecord, Body, Bytes, Capabilities, Change, Coherence,
    Cursor, EntryKey, Error, ErrorKind, Fields, GetBlob, Locality, MetadataBackend, MetadataStats, OnUnmet, Outcome,
    Page, Payload, PutBlob, Query, Reclaim, Reclaimed, Record, Result, Staged, Timestamp, async_trait,
};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;

/// A serving process, ended with this value.
#[derive(Debug)]
pub struct Remote {
    port: u16,
    child: Child,
}

impl Remote {
    /// Starts `program`, which calls [`serve`](super::serve) with the latency given in milliseconds.
    pub fn start(program: &str, latency: Duration) -> Self {
        let mut child = Command::new(program)
            .arg(latency.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), child }
    }

    /// A new connection to the index.
    pub fn metadata(&self) -> RemoteMetadata {
        RemoteMetadata(Connection::new(self.port))
    }

    /// A new connection to the blobs.
    pub fn blobs(&self) -> RemoteBlobs {
        RemoteBlobs(Connection::new(self.port))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Connection {
    port: u16,
    closed: AtomicBool,
    idle: Mutex<Vec<TcpStream>>,
}

impl Connection {
    fn new(port: u16) -> Self {
        Self { port, closed: AtomicBool::new(false), idle: Mutex::default() }
    }

    async fn exchange(&self, request: &Request) -> io::Result<Response> {
        let idle = self.idle.lock().unwrap().pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => TcpStream::connect(("127.0.0.1", self.port)).await?,
        };
        stream.set_nodelay(true)?;
        send(&mut stream, request).await?;
        let response = receive(&mut stream).await?;
        self.idle.lock().unwrap().push(stream);
        Ok(response)
    }

    async fn call(&self, request: Request) -> Result<Response> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Closed, "the connection was closed"));
        }
        // A commit may have happened although its answer is lost, so nothing says that trying again is safe.
        let is_commit = matches!(request, Request::Commit(..));
        let unavailable =
            |source| Error::io(ErrorKind::Unavailable, "the server does not answer", source).retryable(!is_commit);
        match self.exchange(&request).await.map_err(unavailable)? {
            Response::Failed { kind, message } => Err(Error::new(kind_named(&kind), message)),
            response => Ok(response),
        }
    }

    fn info(&self) -> BackendInfo {
        let mut capabilities = Capabilities::default();
        capabilities.exclusive_puts = true;
        BackendInfo { name: "remote".into(), locality: Locality::Shared, blocking: false, capabilities }
    }
}

fn kind_named(name: &str) -> ErrorKind {
    let kinds = [
        ErrorKind::AlreadyExists,
        ErrorKind::Closed,
        ErrorKind::Conflict,
        ErrorKind::InvalidQuery,
        ErrorKind::Unsupported,
        ErrorKind::Storage,
        ErrorKind::Metadata,
    ];
    kinds.into_iter().find(|kind| format!("{kind:?}") == name).unwrap_or(ErrorKind::Internal)
}

macro_rules! expect {
    ($response:expr, $variant:ident) => {
        match $response {
            Response::$variant(value) => Ok(value),
            _ => Err(Error::new(ErrorKind::Internal, "the server answered something else")),
        }
    };
}

/// An index behind a socket.
#[derive(Debug)]
pub struct RemoteMetadata(Connection);

/// Blobs behind a socket.
#[derive(Debug)]
pub struct RemoteBlobs(Connection);

impl fmt::Display for RemoteMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remote:{}", self.0.port)
    }
}

impl fmt::Display for RemoteBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remote:{}", self.0.port)
    }
}

#[async_trait]
impl MetadataBackend for RemoteMetadata {
    fn info(&self) -> BackendInfo {
        self.0.info()
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        expect!(self.0.call(Request::Get(keys.to_vec(), fields)).await?, Get)
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        changes.iter().try_for_each(Change::check)?;
        expect!(self.0.call(Request::Commit(changes, on_unmet)).await?, Commit)
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        expect!(self.0.call(Request::Page(query.clone(), after)).await?, Page)
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        expect!(self.0.call(Request::Blobs(query.clone())).await?, Blobs)
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        expect!(self.0.call(Request::Reclaim(plan.clone())).await?, Reclaim)
    }

    async fn stats(&self) -> Result<MetadataStats> {
        expect!(self.0.call(Request::Stats).await?, Stats)
    }

    fn committed(&self) -> Option<MetadataStats> {
        None
    }

    fn coherence(&self) -> Coherence {
        Coherence::Probe
    }

    async fn close(&self) -> Result<()> {
        self.0.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl BlobBackend for RemoteBlobs {
    fn info(&self) -> BackendInfo {
        self.0.info()
    }

    fn staging(&self) -> Option<&Path> {
        None
    }

    async fn put(&self, id: &BlobId, payload: Staged, options: PutBlob) -> Result<BlobInfo> {
        let bytes = match payload {
            Staged::Bytes(bytes) => bytes,
            Staged::File(file) => {
                let mut bytes = Vec::new();
                file.reader()?.read_to_end(&mut bytes)?;
                Bytes::from(bytes)
            }
            other => panic!("{other:?} is new"),
        };
        expect!(self.0.call(Request::PutBlob(*id, bytes, options)).await?, PutBlob)
    }

    async fn get(&self, id: &BlobId, options: GetBlob) -> Result<Option<Payload>> {
        let found = expect!(self.0.call(Request::GetBlob(*id, options)).await?, GetBlob)?;
        Ok(found.map(|(info, bytes)| Payload { info, body: Body::Bytes(bytes) }))
    }

    async fn head(&self, id: &BlobId) -> Result<Option<BlobInfo>> {
        expect!(self.0.call(Request::Head(*id)).await?, Head)
    }

    async fn delete(&self, ids: &[BlobId]) -> Result<Vec<bool>> {
        expect!(self.0.call(Request::Delete(ids.to_vec())).await?, Delete)
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        expect!(self.0.call(Request::List(after, limit)).await?, List)
    }

    async fn discard_remnants(&self, before: Timestamp) -> Result<u64> {
        expect!(self.0.call(Request::DiscardRemnants(before)).await?, DiscardRemnants)
    }

    async fn close(&self) -> Result<()> {
        self.0.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}
