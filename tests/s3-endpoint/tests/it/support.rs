//! An endpoint of the test's own, and a client.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(crate) const BUCKET: &str = "bucket";

pub(crate) struct Endpoint {
    pub(crate) child: Child,
    pub(crate) address: String,
    _directory: TempDir,
}

impl Endpoint {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_s3-endpoint"))
            .arg("--directory")
            .arg(directory.path().join("buckets"))
            .args(["--access-key", "key", "--secret-key", "secret"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("http://key:secret@").unwrap().to_owned();
        Self { child, address, _directory: directory }
    }

    /// An endpoint with a bucket, and a client that asks once.
    pub(crate) async fn with_bucket() -> (Self, Client) {
        let endpoint = Self::start();
        let client = endpoint.client("key", "secret");
        client.create_bucket().bucket(BUCKET).send().await.unwrap();
        (endpoint, client)
    }

    pub(crate) fn client(&self, access_key: &str, secret_key: &str) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    /// Sends a request as it is and returns the reply.
    pub(crate) fn raw(&self, request: &str) -> String {
        let mut connection = self.connect(request);
        let mut reply = String::new();
        connection.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Sends bytes and leaves the connection open.
    pub(crate) fn connect(&self, bytes: &str) -> TcpStream {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.write_all(bytes.as_bytes()).unwrap();
        connection
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) async fn put(client: &Client, key: &str, bytes: impl Into<Vec<u8>>) {
    client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes.into())).send().await.unwrap();
}

/// The code of an error, or the status when there is no body to name it.
pub(crate) fn code<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> String {
    let error = result.unwrap_err();
    let status = error.raw_response().map(|response| response.status().as_u16().to_string());
    error.code().map(str::to_owned).or(status).unwrap_or_else(|| format!("{error:?}"))
}
