//! What the SDK and the store say went wrong, as one line and a kind. Nothing of a request is ever shown: it is signed.

use crate::bucket::no_bucket;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use cacheness_storage::{Error, ErrorKind, Result};
use std::error::Error as StdError;
use std::io;

pub(crate) type Failure<E> = SdkError<E, HttpResponse>;

/// How much of the store's own words is shown, in characters.
const WORDS: usize = 200;

/// What begins the parts of a signed request, which a store may repeat in its answer.
const SIGNED: [&str; 6] = ["AWS4", "Credential", "X-Amz", "x-amz-security", "Authorization", "AWSAccessKeyId"];

/// The store's word for what went wrong.
pub(crate) fn code<E: ProvideErrorMetadata>(failure: &Failure<E>) -> &str {
    failure.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// The status of the answer, 0 when there was none.
pub(crate) fn status<E>(failure: &Failure<E>) -> u16 {
    failure.raw_response().map_or(0, |response| response.status().as_u16())
}

/// Whether the store says that there is no such object.
pub(crate) fn is_missing<E: ProvideErrorMetadata>(failure: &Failure<E>) -> bool {
    status(failure) == 404 && !matches!(code(failure), "NoSuchBucket" | "NoSuchUpload")
}

/// Whether a condition of the request did not hold, or might not have: another request is changing the object.
pub(crate) fn is_unmet<E: ProvideErrorMetadata>(failure: &Failure<E>) -> bool {
    status(failure) == 412 || is_contended(failure)
}

/// Whether another request is changing the object.
pub(crate) fn is_contended<E: ProvideErrorMetadata>(failure: &Failure<E>) -> bool {
    status(failure) == 409 && matches!(code(failure), "ConditionalRequestConflict" | "OperationAborted")
}

/// Whether the store does not know what was asked of it.
pub(crate) fn is_unknown<E: ProvideErrorMetadata>(failure: &Failure<E>) -> bool {
    status(failure) == 501 || matches!(code(failure), "NotImplemented" | "MethodNotAllowed")
}

/// The error that a failure is, without operation and backend.
pub(crate) fn error<E: ProvideErrorMetadata + StdError + 'static>(failure: &Failure<E>) -> Error {
    match failure {
        SdkError::TimeoutError(_) => timed_out(),
        SdkError::DispatchFailure(dispatch) => match dispatch.as_connector_error() {
            Some(connector) if connector.is_timeout() => timed_out(),
            Some(connector) => not_sent(connector),
            None => unreachable(),
        },
        SdkError::ConstructionFailure(_) => not_sent(failure),
        SdkError::ResponseError(_) => {
            let message = format!("the answer, of status {}, makes no sense", status(failure));
            Error::new(ErrorKind::Unavailable, message).advice("check that the endpoint is an S3 store")
        }
        _ => answered(failure),
    }
}

/// As [`error`], for the end of a call.
pub(crate) fn fail<T, E: ProvideErrorMetadata + StdError + 'static>(failure: Failure<E>) -> Result<T> {
    Err(error(&failure))
}

fn unreachable() -> Error {
    Error::new(ErrorKind::Unavailable, "the endpoint cannot be reached")
}

fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "the store did not answer in time")
        .advice("see whether it can be reached; the options *_timeout_ms say how long is waited")
}

/// Causes, from the outermost inwards.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (**error).source())
}

/// A request that got no answer.
fn not_sent(failure: &(dyn StdError + 'static)) -> Error {
    let words: Vec<String> = causes(failure).map(ToString::to_string).collect();
    let say = |what: &str| words.iter().any(|words| words.contains(what));
    if say("credential") || say("identity") {
        let error = Error::new(ErrorKind::Permission, "no credentials were found, or they could not be loaded").advice(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the options access_key and secret_key",
        );
        return error.retryable(say("timed out"));
    }
    if let Some(words) = words.iter().find(|words| words.contains("certificate")) {
        return Error::new(ErrorKind::Config, format!("the endpoint's certificate is not accepted: {words}"))
            .advice("check the host of the endpoint_url, and that its authority is among the system's certificates");
    }
    if say("InvalidContentType") || say("corrupt message") {
        return Error::new(ErrorKind::Config, "the endpoint does not speak TLS")
            .advice("write its endpoint_url with http:// if that is meant");
    }
    if say("dns error") || say("failed to lookup address") {
        return Error::new(ErrorKind::Unavailable, "the host of the endpoint is not known").advice(
            "check endpoint_url and region, and path_style if the store does not take the bucket as a host name",
        );
    }
    match causes(failure).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            Error::new(ErrorKind::Unavailable, "the endpoint refuses connections").advice("check endpoint_url")
        }
        Some(io::ErrorKind::TimedOut) => timed_out(),
        Some(kind) => Error::new(ErrorKind::Unavailable, format!("the connection to the endpoint failed: {kind}")),
        None => unreachable(),
    }
}

/// A request that was answered with an error.
fn answered<E: ProvideErrorMetadata + StdError + 'static>(failure: &Failure<E>) -> Error {
    use ErrorKind::*;
    let (code, status) = (code(failure), status(failure));
    let make = |kind, message: &'static str, advice: &'static str| Error::new(kind, message).advice(advice);
    match (code, status) {
        ("NoSuchBucket", _) => no_bucket(),
        ("ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException" | "RequestExpired", _) => {
            make(Permission, "the credentials have expired", "renew them")
        }
        ("InvalidAccessKeyId" | "InvalidToken" | "InvalidClientTokenId" | "UnrecognizedClientException", _) => {
            make(Permission, "the store does not know the access key or the session token", "check the credentials")
        }
        ("SignatureDoesNotMatch", _) => {
            make(Permission, "the secret key is not the one of the access key", "check the credentials and the region")
        }
        ("RequestTimeTooSkewed", _) => make(
            Permission,
            "the clock of this machine and the store's are more than 15 minutes apart",
            "set the clock; requests are signed with its time",
        ),
        ("InvalidObjectState", _) => {
            make(Storage, "the object was moved to an archive", "restore it, and keep lifecycle rules off this prefix")
        }
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) | (_, 301) => {
            elsewhere(failure)
        }
        ("QuotaExceeded" | "QuotaExceededException" | "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded", _)
        | (_, 507) => make(OutOfSpace, "the store is full, or a quota is", "make room, or raise the quota"),
        ("EntityTooLarge", _) => make(TooLarge, "the store takes no object of this size", "raise part_size"),
        ("RequestTimeout", _) | (_, 408) => timed_out(),
        ("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" | "IncompleteBody", _) => {
            Error::new(Storage, "the bytes were damaged on their way to the store").retryable(true)
        }
        ("NoSuchUpload", _) => Error::new(Storage, "the upload was aborted meanwhile").retryable(true),
        ("SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests", _)
        | (_, 429) => {
            make(Unavailable, "the store asks for fewer requests", "lower concurrency, or spread keys by shard_chars")
        }
        // The end of an upload in parts fails with status 200.
        ("InternalError" | "ServiceUnavailable", _) | (_, 500 | 502..=599) => {
            Error::new(Unavailable, format!("the store fails: {}", words(failure, code, status)))
        }
        ("AccessDenied" | "AllAccessDisabled" | "AccountProblem", _) | (_, 401 | 403) => make(
            Permission,
            "the store refuses access",
            "grant what docs/backends/s3.md lists; without s3:ListBucket a missing object is refused, too",
        ),
        (_, 409 | 412) => Error::new(Conflict, format!("a condition was not met: {}", words(failure, code, status))),
        _ if is_unknown(failure) => Error::new(
            Unsupported,
            format!("the store does not know what was asked of it: {}", words(failure, code, status)),
        ),
        (_, 400..=499) if code.starts_with("Invalid") || code.starts_with("KMS") || code.starts_with("Malformed") => {
            Error::new(Config, format!("the store refuses the request: {}", words(failure, code, status)))
                .advice("check storage_class, encryption, kms_key_id and region")
        }
        _ => Error::new(Storage, format!("the store refuses the request: {}", words(failure, code, status))),
    }
}

/// A bucket of another region.
fn elsewhere<E>(failure: &Failure<E>) -> Error {
    let region = failure.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"));
    let error = Error::new(ErrorKind::Config, "the bucket is in another region");
    match region.filter(|region| region.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')) {
        Some(region) => error.advice(format!("set region={region}")),
        None => error.advice("set region, and endpoint_url if the store is not Amazon's"),
    }
}

/// The store's own words, as far as they can be shown.
fn words<E: ProvideErrorMetadata>(failure: &Failure<E>, code: &str, status: u16) -> String {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(WORDS).collect();
    let message = failure.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(WORDS).collect();
    let mut words = format!("status {status}");
    if !code.is_empty() {
        words.push_str(&format!(", {code}"));
    }
    if !message.is_empty() && !SIGNED.iter().any(|part| message.contains(part)) {
        words.push_str(&format!(", {message:?}"));
    }
    words
}
