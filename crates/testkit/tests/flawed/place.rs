//! Where the stores under test are: in memory, kept from one opening to the next.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// A store that every opening of a subject shares.
pub(crate) struct Place<T>(Arc<Mutex<Option<Arc<T>>>>);

impl<T> Place<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The store that is there.
    pub(crate) fn find(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap().clone()
    }

    /// The store that is there, made at the first opening, or at every one if it is `forgotten`.
    pub(crate) fn open(&self, forgotten: bool, make: impl FnOnce() -> T) -> Arc<T> {
        let mut place = self.0.lock().unwrap();
        if forgotten {
            *place = None;
        }
        place.get_or_insert_with(|| Arc::new(make())).clone()
    }
}

/// Waits once.
#[derive(Default)]
pub(crate) struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
