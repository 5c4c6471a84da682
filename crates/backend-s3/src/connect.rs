//! The client of the SDK: credentials, region, endpoint, TLS, time limits and retries.

use crate::usage::{Counting, Meter};
use crate::{S3Config, check};
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Builder as ClientConfig, Credentials, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use cacheness_storage::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;

/// What stores call their region that have none.
const NO_REGION: &str = "us-east-1";

/// The pause before a second attempt, at most; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How much of a body is sent in a second at least.
const SLOWEST_UPLOAD: u64 = 128 << 10;

/// A client for everything that a configuration names.
pub(crate) async fn client(config: &S3Config, meter: Arc<Meter>) -> Result<Client> {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(time_limits(config, 0))
        .retry_config(RetryConfig::standard().with_max_attempts(config.max_attempts).with_initial_backoff(FIRST_PAUSE))
        // A transfer of ours is watched while its bytes are taken.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let (Some(access), Some(secret)) = (&config.access_key, &config.secret_key) {
        let token = config.session_token.as_ref().map(|token| token.expose().to_owned());
        loader =
            loader.credentials_provider(Credentials::new(access.expose(), secret.expose(), token, None, "options"));
    }
    match (&config.region, &config.endpoint_url) {
        (Some(region), _) => loader = loader.region(Region::new(region.clone())),
        (None, Some(_)) => {
            let mut profile = ProfileFileRegionProvider::builder();
            if let Some(name) = &config.profile {
                profile = profile.profile_name(name);
            }
            let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
            loader = loader.region(chain.or_else(profile.build()).or_else(Region::from_static(NO_REGION)));
        }
        (None, None) => {}
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let loaded = loader.load().await;
    if loaded.region().is_none() {
        return Err(Error::new(
            ErrorKind::Config,
            "neither the options nor the environment nor a profile name a region",
        )
        .advice("set region=eu-central-1, or AWS_REGION"));
    }
    if let Some(url) = loaded.endpoint_url() {
        check::endpoint(url, config.allow_http)?;
    }
    let client = ClientConfig::from(&loaded)
        .force_path_style(config.path_style.unwrap_or(loaded.endpoint_url().is_some()))
        // The store compares what arrived with what was sent. What comes back is compared with our own digest.
        .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .interceptor(Counting(meter));
    Ok(Client::from_conf(client.build()))
}

/// The time limits of a request with a body of so many bytes.
pub(crate) fn time_limits(config: &S3Config, body: u64) -> TimeoutConfig {
    let more = Duration::from_secs(body / SLOWEST_UPLOAD);
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
        .operation_attempt_timeout(Duration::from_millis(config.attempt_timeout_ms) + more)
        .operation_timeout(Duration::from_millis(config.operation_timeout_ms) + more * config.max_attempts)
        .build()
}

/// How long a transfer may stand still.
pub(crate) fn stall_timeout(config: &S3Config) -> Duration {
    Duration::from_millis(config.stall_timeout_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_gets_time_for_every_attempt() {
        let config = S3Config::new("bucket");
        let (none, part) = (time_limits(&config, 0), time_limits(&config, config.part_size));
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default().as_secs();
        assert_eq!((seconds(none.operation_attempt_timeout()), seconds(none.operation_timeout())), (20, 60));
        assert_eq!((seconds(part.operation_attempt_timeout()), seconds(part.operation_timeout())), (84, 252));
        assert_eq!(none.connect_timeout(), part.connect_timeout());
    }
}
