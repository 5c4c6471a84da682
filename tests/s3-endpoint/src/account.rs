//! The one account there is.

use async_trait::async_trait;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

/// Whose signatures are taken. `SimpleAuth` of s3s does the same, but has an error of its own for a stranger.
pub(crate) struct Account {
    pub(crate) access_key: String,
    pub(crate) secret_key: SecretKey,
}

#[async_trait]
impl S3Auth for Account {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key { Ok(self.secret_key.clone()) } else { Err(s3_error!(InvalidAccessKeyId)) }
    }
}
