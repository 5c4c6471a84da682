//! Which flights this thread is computing right now, one inside the other.

use std::cell::RefCell;
use std::marker::PhantomData;

thread_local! {
    static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// This thread is inside a computation until this is dropped. It stays on the thread.
pub(super) struct Inside(PhantomData<*const ()>);

impl Inside {
    pub(super) fn enter(flight: u64) -> Self {
        // A thread that is ending remembers nothing.
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push(flight));
        Self(PhantomData)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().pop());
    }
}

/// Whether this thread is computing a flight.
pub(super) fn is_inside(flight: u64) -> bool {
    INSIDE.try_with(|inside| inside.borrow().contains(&flight)).unwrap_or(false)
}
