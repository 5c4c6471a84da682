//! Many blocks of an array at once: threads take turns in reading them and decode them side by side.

use super::lz4::{self, FrameReader};
use crate::shuffle::unshuffle;
use cacheness_core::{Error, ErrorKind};
use std::io::{self, BufRead};
use std::slice::ChunksExactMut;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// The fewest blocks that are worth another thread: starting it takes about as long as a third of a block.
const BLOCKS_A_THREAD: usize = 4;

/// The most threads that decode one payload. Reading and hashing takes a quarter of the time, one at a time.
const THREADS: usize = 4;

/// What the threads share: where the next block comes from, and where it goes.
struct Queue<'q, R> {
    frame: &'q mut FrameReader<R>,
    targets: ChunksExactMut<'q, u8>,
}

impl<R> Queue<'_, R> {
    /// Gives nobody another block.
    fn stop(&mut self) {
        self.targets = <&mut [u8]>::default().chunks_exact_mut(lz4::BLOCK);
    }
}

/// How many threads are worth it for so many blocks; 1 for none but the caller's.
pub(super) fn threads(blocks: usize) -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    if blocks < 2 * BLOCKS_A_THREAD {
        return 1;
    }
    let cores = *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from));
    cores.min(THREADS).min(blocks / BLOCKS_A_THREAD)
}

/// Fills `target`, whole blocks, with the next blocks of a frame, unshuffled as elements of `width` bytes, on the
/// caller's thread and `threads - 1` more that end before this does. Where the system refuses them, on fewer.
pub(super) fn read_blocks<R: BufRead + Send>(
    frame: &mut FrameReader<R>,
    width: u8,
    target: &mut [u8],
    threads: usize,
) -> io::Result<()> {
    let queue = Mutex::new(Queue { frame, targets: target.chunks_exact_mut(lz4::BLOCK) });
    thread::scope(|scope| {
        let started: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, || work(&queue, width)).ok())
            .collect();
        let mut result = work(&queue, width);
        for thread in started {
            let ended = thread.join().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "a thread that decoded blocks panicked").into())
            });
            result = result.and(ended);
        }
        result
    })
}

/// Decodes block after block until there are no more.
fn work<R: BufRead>(queue: &Mutex<Queue<'_, R>>, width: u8) -> io::Result<()> {
    let (mut stored, mut shuffled) = (Vec::new(), vec![0; lz4::BLOCK]);
    while let Some((target, form)) = take(queue, &mut stored)? {
        if let Err(error) = lz4::decode_block(form, &stored, &mut shuffled) {
            // Nobody needs the others any more.
            queue.lock().unwrap_or_else(PoisonError::into_inner).stop();
            return Err(error);
        }
        unshuffle(width, &shuffled, target);
    }
    Ok(())
}

/// Takes the next block: its stored bytes, and where its raw ones belong.
fn take<'q, R: BufRead>(
    queue: &Mutex<Queue<'q, R>>,
    stored: &mut Vec<u8>,
) -> io::Result<Option<(&'q mut [u8], lz4::Form)>> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(target) = queue.targets.next() else { return Ok(None) };
    match queue.frame.read_stored(target.len(), stored) {
        Ok(form) => Ok(Some((target, form))),
        Err(error) => {
            queue.stop();
            Err(error)
        }
    }
}
