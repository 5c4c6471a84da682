//! What `tracing` sees of an operation: one span, named `cacheness`, at the level `DEBUG`.

use std::future::Future;

/// The span of one operation with the field `operation`; with the feature `tracing`, and nothing without.
#[derive(Debug)]
pub struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Span {
    /// The span of an operation that was just called.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "what is seen depends on the feature"))]
    pub fn of(operation: &'static str) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("cacheness", operation),
        }
    }

    /// Does work inside the span.
    pub fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        return self.span.in_scope(work);
        #[cfg(not(feature = "tracing"))]
        return work();
    }

    /// The future inside the span.
    pub fn around<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        #[cfg(feature = "tracing")]
        return tracing::Instrument::instrument(future, self.span);
        #[cfg(not(feature = "tracing"))]
        return future;
    }
}
