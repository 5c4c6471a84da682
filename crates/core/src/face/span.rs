//! What `tracing` sees of an operation: one span, named `cacheness`, at the level `DEBUG`.

use std::future::Future;

/// The future in a span with the field `operation`; with the feature `tracing`, and as it is without.
#[cfg(feature = "tracing")]
pub fn in_span<F: Future>(operation: &'static str, future: F) -> impl Future<Output = F::Output> {
    use tracing::Instrument;
    future.instrument(tracing::debug_span!("cacheness", operation))
}

/// The future in a span with the field `operation`; with the feature `tracing`, and as it is without.
#[cfg(not(feature = "tracing"))]
pub fn in_span<F: Future>(_operation: &'static str, future: F) -> F {
    future
}
