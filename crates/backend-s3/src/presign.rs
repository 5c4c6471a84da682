//! URLs that let somebody without credentials read one blob for a while.

use crate::S3Blobs;
use crate::failure::error;
use aws_sdk_s3::presigning::PresigningConfig;
use cacheness_storage::{BlobId, Error, ErrorKind, Result};
use std::time::Duration;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// No signature is valid for longer.
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl S3Blobs {
    /// A URL by which anybody can read a blob with `GET` until `lifetime` is over: at least a second, at most seven days,
    /// and no longer than the credentials live. It names the blob whether there is one or not, holds all that is stored,
    /// the trailer too, and is as good as a password: it belongs in no log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for another lifetime, [`ErrorKind::Closed`], [`ErrorKind::Permission`] without credentials.
    pub async fn presign(&self, id: &BlobId, lifetime: Duration) -> Result<String> {
        self.run("presign a blob", async |bucket| {
            let allowed = Duration::from_secs(1)..=MAX_LIFETIME;
            let config = PresigningConfig::expires_in(lifetime).ok().filter(|_| allowed.contains(&lifetime));
            let Some(config) = config else {
                return Err(Error::new(ErrorKind::Config, "a URL can be valid for one second to seven days"));
            };
            let request = bucket.client.get_object().bucket(bucket.name()).key(bucket.layout.key(id));
            // The SDK would log the whole URL.
            let presigned = request.presigned(config).with_subscriber(NoSubscriber::new());
            let presigned = presigned.await.map_err(|failure| error(&failure))?;
            Ok(presigned.uri().to_owned())
        })
        .await
    }
}
