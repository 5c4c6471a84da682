//! The floor of going to another thread and back: one thread that sleeps until there is a call, and a caller that sleeps until
//! there is a result. Neither spins: a thread that waits for work takes no time from others.

use crate::{Failure, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Makes calls on a thread of its own.
pub(crate) struct Hop<T> {
    desk: Arc<Desk<T>>,
    thread: Option<JoinHandle<()>>,
}

/// Where caller and thread meet.
struct Desk<T> {
    paper: Mutex<Paper<T>>,
    changed: Condvar,
}

enum Paper<T> {
    Empty,
    Call(u64),
    Result(Result<T>),
    End,
}

impl<T: Send + 'static> Hop<T> {
    pub(crate) fn to(call: impl Fn(u64) -> Result<T> + Send + 'static) -> Self {
        let desk = Arc::new(Desk { paper: Mutex::new(Paper::Empty), changed: Condvar::new() });
        let there = desk.clone();
        let thread = thread::spawn(move || {
            loop {
                let number = match *there.wait(|paper| matches!(paper, Paper::Call(_) | Paper::End)) {
                    Paper::Call(number) => number,
                    _ => return,
                };
                there.put(Paper::Result(call(number)));
            }
        });
        Self { desk, thread: Some(thread) }
    }

    pub(crate) fn call(&self, number: u64) -> Result<T> {
        self.desk.put(Paper::Call(number));
        let mut paper = self.desk.wait(|paper| matches!(paper, Paper::Result(_)));
        match std::mem::replace(&mut *paper, Paper::Empty) {
            Paper::Result(result) => result,
            _ => Err(Failure::from("the thread gave no result")),
        }
    }
}

impl<T> Desk<T> {
    fn put(&self, paper: Paper<T>) {
        *self.paper.lock().unwrap_or_else(PoisonError::into_inner) = paper;
        self.changed.notify_one();
    }

    fn wait(&self, until: impl Fn(&Paper<T>) -> bool) -> MutexGuard<'_, Paper<T>> {
        let paper = self.paper.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.wait_while(paper, |paper| !until(paper)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Hop<T> {
    fn drop(&mut self) {
        self.desk.put(Paper::End);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_answered_from_another_thread() {
        let here = thread::current().id();
        let hop = Hop::to(move |number| Ok((number * 2, thread::current().id() != here)));
        for number in 0..1000 {
            assert_eq!(hop.call(number).unwrap(), (number * 2, true));
        }
    }
}
