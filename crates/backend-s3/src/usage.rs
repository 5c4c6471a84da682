//! What a backend asked of its store: requests by the kinds they are billed as, and bytes both ways.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one backend asked of its store since it was opened. Every attempt of a request counts, as it does on the bill.
///
/// ```
/// # fn spent(usage: cacheness_backend_s3::S3Usage) -> f64 {
/// // Amazon's prices of 2025 in Virginia, in dollars.
/// let requests = (usage.puts + usage.lists) as f64 * 0.005e-3 + (usage.gets + usage.heads) as f64 * 0.0004e-3;
/// requests + usage.bytes_down as f64 * 0.09e-9
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct S3Usage {
    /// Requests that write: objects, parts, the beginning and the end of an upload in parts.
    pub puts: u64,
    /// Requests for bytes of objects.
    pub gets: u64,
    /// Requests for what is known of an object or of the bucket.
    pub heads: u64,
    /// Requests for pages of listings.
    pub lists: u64,
    /// Requests that delete objects or end uploads, however many at once.
    pub deletes: u64,
    /// Bytes of bodies that were sent.
    pub bytes_up: u64,
    /// Bytes of objects that were received.
    pub bytes_down: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    puts: AtomicU64,
    gets: AtomicU64,
    heads: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

impl Meter {
    pub(crate) fn received(&self, bytes: u64) {
        self.bytes_down.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> S3Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        S3Usage {
            puts: read(&self.puts),
            gets: read(&self.gets),
            heads: read(&self.heads),
            lists: read(&self.lists),
            deletes: read(&self.deletes),
            bytes_up: read(&self.bytes_up),
            bytes_down: read(&self.bytes_down),
        }
    }

    fn counter(&self, method: &str, uri: &str) -> &AtomicU64 {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match method {
            "HEAD" => &self.heads,
            "DELETE" => &self.deletes,
            "POST" if asks("delete") => &self.deletes,
            "GET" if asks("list-type") || asks("uploads") => &self.lists,
            "GET" => &self.gets,
            _ => &self.puts,
        }
    }
}

/// Counts requests on their way out.
#[derive(Debug)]
pub(crate) struct Counting(pub(crate) Arc<Meter>);

impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "cacheness: usage"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        self.0.counter(request.method(), request.uri()).fetch_add(1, Ordering::Relaxed);
        self.0.bytes_up.fetch_add(request.body().content_length().unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }
}
