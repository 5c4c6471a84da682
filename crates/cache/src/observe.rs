//! What the outside sees being counted: events for `tracing`, counters for `metrics`, each behind its feature.
//!
//! | counter | labels |
//! |---|---|
//! | `cacheness_hits_total`, `cacheness_puts_total` | `handler`: the type tag |
//! | `cacheness_misses_total` | `reason` |
//! | `cacheness_failures_total` | `operation`, `kind`: of a backend's error |
//! | `cacheness_evictions_total`, `cacheness_degraded_total` | |
//!
//! And the gauge `cacheness_deletes_owed`. Calls of backends are seen in `cacheness_storage::engine`; `docs/observability.md`
//! names everything.
#![cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    expect(unused_variables, reason = "what is seen depends on the features")
)]

use cacheness_core::{Error, ErrorKind};

/// Whether anybody could see anything.
pub(crate) const IS_ON: bool = cfg!(any(feature = "metrics", feature = "tracing"));

pub(crate) fn hit(handler: &str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_hits_total", "handler" => handler.to_owned()).increment(1);
    #[cfg(feature = "tracing")]
    tracing::trace!(handler, "hit");
}

pub(crate) fn miss(reason: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_misses_total", "reason" => reason).increment(1);
    #[cfg(feature = "tracing")]
    tracing::trace!(reason, "miss");
}

pub(crate) fn put(handler: &str) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_puts_total", "handler" => handler.to_owned()).increment(1);
    #[cfg(feature = "tracing")]
    tracing::trace!(handler, "put");
}

pub(crate) fn evicted(count: u64) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_evictions_total").increment(count);
    #[cfg(feature = "tracing")]
    tracing::debug!(count, "evicted");
}

/// An operation that a sick backend kept from what it was for.
pub(crate) fn backend_error(operation: &'static str, kind: ErrorKind) {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_failures_total", "operation" => operation, "kind" => format!("{kind:?}")).increment(1);
    #[cfg(feature = "tracing")]
    tracing::debug!(operation, ?kind, "a backend failed");
}

/// The first error after everything was well.
pub(crate) fn sick(operation: &'static str, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(operation, kind = ?error.kind(), %error, "a backend is sick");
}

pub(crate) fn recovered() {
    #[cfg(feature = "tracing")]
    tracing::info!("the backends answer again");
}

/// How many deletes did not reach the index yet.
pub(crate) fn owed(deletes: u64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!("cacheness_deletes_owed").set(deletes as f64);
}

/// Deletes that became one that means more.
pub(crate) fn collapsed(deletes: u64, namespace: Option<&str>) {
    #[cfg(feature = "tracing")]
    tracing::warn!(deletes, namespace, "too many deletes wait for the index: everything is deleted instead");
}

pub(crate) fn degraded() {
    #[cfg(feature = "metrics")]
    metrics::counter!("cacheness_degraded_total").increment(1);
    #[cfg(feature = "tracing")]
    tracing::warn!("degraded");
}
