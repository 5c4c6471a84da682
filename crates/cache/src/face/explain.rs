//! Asking why.

use crate::key::Encoding;
use crate::{Explanation, future, sync};
use cacheness_core::faces;
use cacheness_handlers::Value;
use cacheness_storage::engine::{Async, Blocking};
use serde::Serialize;

faces! {
    sync [B] sync::Cache<B> as Blocking;
    future [B] future::Cache<B> as Async;

    /// Why a get of the key is or is not a hit, whatever the type. It reads and verifies what is stored, not copies in memory;
    /// it changes nothing and counts nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`](crate::ErrorKind::InvalidKey), [`Closed`](crate::ErrorKind::Closed), and what the backends return;
    /// damage is no error but a verdict.
    pub fn explain[](&self, key: impl Serialize) -> Explanation {
        prepare(_core, _face) { Encoding::of(key) }
        run(core, asked) { core.explain(asked).await }
    }

    /// As [`explain`](Self::explain), for a get of this type.
    ///
    /// # Errors
    ///
    /// As `explain`.
    pub fn explain_as[T: Value](&self, key: impl Serialize) -> Explanation {
        prepare(_core, _face) { Encoding::of(key) }
        run(core, asked) { core.explain_as::<T>(asked, T::fallback()).await }
    }
}
