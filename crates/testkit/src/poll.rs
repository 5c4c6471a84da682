//! A future that does its work when polled.

use cacheness_core::{Error, ErrorKind, Result};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What the future returns on its first poll.
pub(crate) fn ready_on_first_poll<T>(future: impl Future<Output = Result<T>>) -> Result<()> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map(drop),
        Poll::Pending => {
            Err(Error::new(ErrorKind::Internal, "a blocking backend's future was pending on its first poll"))
        }
    }
}
