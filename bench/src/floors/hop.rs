//! The floor of going to another thread and back: one thread that waits for calls, and two channels.

use crate::{Failure, Result};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// Makes calls on a thread of its own.
pub(crate) struct Hop<T> {
    calls: Option<Sender<u64>>,
    results: Receiver<Result<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Hop<T> {
    pub(crate) fn to(call: impl Fn(u64) -> Result<T> + Send + 'static) -> Self {
        let (calls, asked) = channel();
        let (answer, results) = channel();
        let answer_all = move || asked.iter().map(call).try_for_each(|result| answer.send(result));
        let thread = thread::spawn(move || drop(answer_all()));
        Self { calls: Some(calls), results, thread: Some(thread) }
    }

    pub(crate) fn call(&self, number: u64) -> Result<T> {
        let ended = || Failure::from("the thread ended");
        self.calls.as_ref().ok_or_else(ended)?.send(number)?;
        self.results.recv()?
    }
}

impl<T> Drop for Hop<T> {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
