//! Signatures, clients that stall, and the end of the program.

use super::support::{BUCKET, Endpoint, code, put};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use std::time::Duration;

/// A request line of a presigned URL, with the header that names the host.
fn head(method: &str, presigned: &PresignedRequest, address: &str) -> String {
    let path = presigned.uri().strip_prefix(&format!("http://{address}")).unwrap();
    format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n")
}

fn a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

#[tokio::test]
async fn whoever_has_the_wrong_keys_is_refused() {
    let (endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "key", "x").await;
    for (access, secret, problem) in
        [(endpoint.access_key(), "wrong", "SignatureDoesNotMatch"), ("stranger", "secret", "InvalidAccessKeyId")]
    {
        let client = endpoint.client(access, secret);
        assert_eq!(code(client.get_object().bucket(BUCKET).key("key").send().await), problem);
    }
    let reply = endpoint.raw(&format!("GET /{BUCKET}/key HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    assert!(reply.starts_with("HTTP/1.1 403"), "{reply}");
}

#[tokio::test]
async fn a_presigned_url_needs_no_keys() {
    let (endpoint, client) = Endpoint::with_bucket().await;
    put(&client, "key", "the value").await;
    let presigned = client.get_object().bucket(BUCKET).key("key").presigned(a_minute()).await.unwrap();
    let request = format!("{}\r\n", head("GET", &presigned, &endpoint.address));
    let reply = endpoint.raw(&request);
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("the value"), "{reply}");
    let reply = endpoint.raw(&request.replace("/key?", "/other?"));
    assert!(reply.contains("SignatureDoesNotMatch"), "{reply}");
}

#[tokio::test]
async fn an_upload_that_stalls_holds_up_nobody_and_leaves_nothing() {
    let (endpoint, client) = Endpoint::with_bucket().await;
    let presigned = client.put_object().bucket(BUCKET).key("half").presigned(a_minute()).await.unwrap();
    let head = head("PUT", &presigned, &endpoint.address);
    let stalled = endpoint.connect(&format!("{head}content-length: 1000\r\n\r\nsome bytes"));
    put(&client, "half", "whole").await;
    put(&client, "other", "x").await;
    drop(stalled);
    let get = client.get_object().bucket(BUCKET).key("half").send().await.unwrap();
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"whole");
}
