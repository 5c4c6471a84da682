//! URLs that are read without credentials.

use crate::common::{self, blob, noise, put};
use cacheness_storage::{BlobBackend, Bytes, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads a URL as anybody would: the status and the body.
async fn get(url: &str) -> (u16, Bytes) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = Bytes::from(answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.slice(end + 4..))
}

#[test]
fn anybody_reads_a_blob_by_its_url_and_nothing_else() {
    common::run(async {
        let (store, _) = common::store().await;
        let bytes = noise(100_000);
        put(&store, blob(1), &bytes).await;
        put(&store, blob(2), &bytes).await;
        let url = store.presign(&blob(1), Duration::from_secs(600)).await.unwrap();
        assert!(url.contains("X-Amz-Expires=600"), "{url}");
        let (status, body) = get(&url).await;
        assert_eq!(status, 200);
        assert!(body == bytes);
        let other = url.replace(&blob(1).to_string(), &blob(2).to_string());
        assert_ne!(other, url);
        assert_eq!(get(&other).await.0, 403, "another blob");
        assert_eq!(get(&url.replace("Expires=600", "Expires=6000")).await.0, 403, "a longer life");
        assert_eq!(get(url.split_once('?').unwrap().0).await.0, 403, "no signature");
    });
}

#[test]
fn a_url_lives_for_a_second_to_seven_days() {
    common::run(async {
        let (store, _) = common::store().await;
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
        for lifetime in [Duration::ZERO, Duration::from_millis(999), WEEK + Duration::from_nanos(1), Duration::MAX] {
            let error = store.presign(&blob(1), lifetime).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{lifetime:?}");
        }
        for lifetime in [Duration::from_secs(1), WEEK] {
            assert!(store.presign(&blob(1), lifetime).await.is_ok(), "{lifetime:?}");
        }
        store.close().await.unwrap();
        assert_eq!(store.presign(&blob(1), WEEK).await.unwrap_err().kind(), ErrorKind::Closed);
    });
}
