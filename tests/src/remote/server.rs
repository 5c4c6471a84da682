//! The serving side: memory backends behind a socket.

use super::{Request, Response, receive, send};
use cacheness_storage::memory::{MemoryBlobs, MemoryMetadata};
use cacheness_storage::{BlobBackend, Body, MetadataBackend, OpenContext, Result, Staged};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Serves one empty pair on a free loopback port, prints the port, and answers every request `latency` late until
/// standard input ends.
pub fn serve(latency: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        let metadata = Arc::new(MemoryMetadata::new(&OpenContext::new()));
        let blobs = Arc::new(MemoryBlobs::new(&OpenContext::new()));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(answer(stream, metadata.clone(), blobs.clone(), latency));
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

async fn answer(mut stream: TcpStream, metadata: Arc<MemoryMetadata>, blobs: Arc<MemoryBlobs>, latency: Duration) {
    while let Ok(request) = receive(&mut stream).await {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let response = handle(request, &*metadata, &*blobs).await.unwrap_or_else(|error| Response::Failed {
            kind: format!("{:?}", error.kind()),
            message: error.message().to_owned(),
        });
        if send(&mut stream, &response).await.is_err() {
            return;
        }
    }
}

async fn handle(request: Request, metadata: &dyn MetadataBackend, blobs: &dyn BlobBackend) -> Result<Response> {
    Ok(match request {
        Request::Get(keys, fields) => Response::Get(metadata.get(&keys, fields).await?),
        Request::Commit(changes, on_unmet) => Response::Commit(metadata.commit(changes, on_unmet).await?),
        Request::Page(query, after) => Response::Page(metadata.page(&query, after).await?),
        Request::Blobs(query) => Response::Blobs(metadata.blobs(&query).await?),
        Request::Reclaim(plan) => Response::Reclaim(metadata.reclaim(&plan).await?),
        Request::Stats => Response::Stats(metadata.stats().await?),
        Request::PutBlob(id, bytes, options) => Response::PutBlob(blobs.put(&id, Staged::Bytes(bytes), options).await?),
        Request::GetBlob(id, options) => Response::GetBlob(blobs.get(&id, options).await?.map(|payload| {
            let Body::Bytes(bytes) = payload.body else { panic!("memory blobs lie in memory") };
            (payload.info, bytes)
        })),
        Request::Head(id) => Response::Head(blobs.head(&id).await?),
        Request::Delete(ids) => Response::Delete(blobs.delete(&ids).await?),
        Request::DiscardRemnants(before) => Response::DiscardRemnants(blobs.discard_remnants(before).await?),
        Request::List(after, limit) => Response::List(blobs.list(after, limit).await?),
    })
}
