//! The same work on several threads at once.

use cacheness_core::Result;
use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;

pub(crate) const THREADS: u64 = 8;

/// Runs `work` on eight threads that start together, each with its number; their results, in the order of numbers.
pub(crate) fn on_threads<T: Send>(work: impl Fn(u64) -> Result<T> + Sync) -> Result<Vec<T>> {
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (work, start) = (&work, &start);
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
