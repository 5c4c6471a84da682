//! The process that is killed: it works on a store, and tells every step before and after.

use super::content::Content;
use super::operation::{Manner, Operation, Repertoire};
use super::orders::{Line, Orders, Told};
use super::place::Place;
use crate::SeededRng;
use cacheness_core::Result;
use cacheness_storage::engine::Failpoints;
use cacheness_storage::sync::BlobStore;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::os::fd::AsFd;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// After so many operations somebody should have ended it.
const OPERATIONS: u64 = 3000;

/// Tells lines, each in one write, so that what was told before a kill is whole.
struct Teller {
    process: usize,
    output: File,
}

impl Teller {
    fn tell(&self, told: Told) {
        let text = Line { process: self.process, told }.text();
        if (&self.output).write_all(text.as_bytes()).is_err() {
            // Nobody listens any more.
            process::exit(1);
        }
    }
}

/// Works until somebody ends the process.
pub(super) fn work(place: &Place<'_>, orders: &Orders) -> Result<()> {
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let teller = Arc::new(Teller { process: orders.process, output });
    let repertoire = Repertoire::new()?;
    let failpoints = failpoints(orders, &teller);
    let chance = SeededRng::new(orders.seed);
    let (mut store, mut fresh) = (None, orders.fresh);
    // The first sweep condemns, the second deletes.
    let first = [Operation::Clear, Operation::Sweep, Operation::Sweep];
    let mut first = first.into_iter().filter(|_| orders.clears);
    for _ in 0..OPERATIONS {
        let operation = match store {
            Some(_) if let Some(first) = first.next() => first,
            Some(_) => repertoire.choose(&chance, (!orders.recurring).then_some(fresh), orders.sweeps)?,
            None => Operation::Open,
        };
        fresh += 1;
        teller.tell(Told::Begin(operation.clone()));
        let done = match &store {
            Some(store) => run(store, &operation),
            None => place.open(orders.recurring, failpoints.clone()).map(|(_, opened)| {
                store = Some(opened);
                String::new()
            }),
        };
        if operation == Operation::Close {
            store = None;
        }
        let is_over = operation == Operation::Open && done.is_err();
        teller.tell(done.map_or_else(|error| Told::Failed(format!("{:?} {error}", error.kind())), Told::Done));
        if is_over {
            break;
        }
    }
    teller.tell(Told::End);
    wait_for_a_word()
}

fn run(store: &BlobStore, operation: &Operation) -> Result<String> {
    match operation {
        Operation::Put(manner, key, content) => {
            let bytes = content.bytes();
            match manner {
                Manner::Put => store.put(key, &bytes)?,
                Manner::Reader => store.put_reader(key, Cursor::new(bytes))?,
                Manner::Update => return Ok(store.update(key, &bytes)?.to_string()),
                Manner::New => return store.put_new(&bytes),
            }
        }
        Operation::Get(key) => {
            let told = |bytes: Vec<u8>| Content::of(&bytes).map_or("torn".into(), |content| content.to_string());
            return Ok(store.get(key)?.map_or("nothing".into(), told));
        }
        Operation::Delete(key) => drop(store.delete(key)?),
        Operation::Clear => drop(store.clear()?),
        Operation::Sweep => drop(store.sweep()?),
        Operation::Close => store.close()?,
        Operation::Open => {}
    }
    Ok(String::new())
}

/// The point to wait at, if there is one.
fn failpoints(orders: &Orders, teller: &Arc<Teller>) -> Failpoints {
    let failpoints = Failpoints::default();
    if let Some((point, passing)) = orders.halt {
        let (passed, teller) = (AtomicU64::new(0), teller.clone());
        failpoints.set(point, move || {
            if passed.fetch_add(1, Ordering::Relaxed) + 1 == passing {
                teller.tell(Told::Halted);
                wait_for_a_word()?;
            }
            Ok(())
        });
    }
    failpoints
}

/// Waits for a word to go on, for the kill, or for the end of the one who would send either.
fn wait_for_a_word() -> Result<()> {
    if io::stdin().read(&mut [0])? == 0 {
        process::exit(1);
    }
    Ok(())
}
