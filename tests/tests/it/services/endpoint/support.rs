//! An endpoint of the test's own, and a client.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use cacheness_testkit::services::PrivateS3;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;

pub(crate) const BUCKET: &str = "bucket";

pub(crate) struct Endpoint {
    /// The process; dropped, it ends.
    _server: PrivateS3,
    pub(crate) address: String,
    access_key: String,
    secret_key: String,
}

impl Endpoint {
    fn start() -> Self {
        let server = PrivateS3::start();
        let url = server.url();
        let (credentials, address) = url.strip_prefix("http://").unwrap().split_once('@').unwrap();
        let (access_key, secret_key) = credentials.split_once(':').unwrap();
        let [address, access_key, secret_key] = [address, access_key, secret_key].map(str::to_owned);
        Self { _server: server, address, access_key, secret_key }
    }

    /// An endpoint with a bucket, and a client that asks once.
    pub(crate) async fn with_bucket() -> (Self, Client) {
        let endpoint = Self::start();
        let client = endpoint.client(&endpoint.access_key, &endpoint.secret_key);
        client.create_bucket().bucket(BUCKET).send().await.unwrap();
        (endpoint, client)
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn client(&self, access_key: &str, secret_key: &str) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
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

pub(crate) async fn put(client: &Client, key: &str, bytes: impl Into<Vec<u8>>) {
    client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes.into())).send().await.unwrap();
}

/// The code of an error, or the status when there is no body to name it.
pub(crate) fn code<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> String {
    let error = result.unwrap_err();
    let status = error.raw_response().map(|response| response.status().as_u16().to_string());
    error.code().map(str::to_owned).or(status).unwrap_or_else(|| format!("{error:?}"))
}
