//! Puts that come while others are under way wait, and go together in one statement: a transaction, its totals and its round
//! trip are shared by as many as came meanwhile. Who comes alone never waits.

use super::put::{Answer, SinglePut, put_together};
use crate::backend::Store;
use crate::failure::unanswered_commit;
use cacheness_core::{Error, Result};
use cacheness_storage::{Change, Outcome};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How many statements with puts are under way at once before others wait.
const AT_ONCE: usize = 2;

/// How many puts go together at most.
const TOGETHER: usize = 64;

/// The puts of a store that are under way, and those that wait.
#[derive(Debug)]
pub(crate) struct PutQueue {
    handle: Handle,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Waiting>,
}

/// A put that somebody waits for.
#[derive(Debug)]
struct Waiting {
    changes: Vec<Change>,
    answer: oneshot::Sender<Result<Answer>>,
}

impl PutQueue {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a record alone or with others; `None` when that takes locks.
pub(super) async fn put(store: &Arc<Store>, changes: &[Change], put: SinglePut<'_>) -> Result<Option<Vec<Outcome>>> {
    let answer = {
        let mut state = store.puts.state();
        if state.under_way < AT_ONCE {
            state.under_way += 1;
            None
        } else {
            let (answer, told) = oneshot::channel();
            state.waiting.push_back(Waiting { changes: changes.to_vec(), answer });
            Some(told)
        }
    };
    match answer {
        Some(told) => told.await.unwrap_or_else(|_| Err(unanswered_commit())),
        None => {
            let _turn = Turn { store };
            put.apply(store).await
        }
    }
}

/// One of the statements that may be under way. Whoever waits when it is over is served by a task, since the caller may be
/// gone.
struct Turn<'s> {
    store: &'s Arc<Store>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.store.puts.state();
        if state.waiting.is_empty() {
            state.under_way -= 1;
        } else {
            drop(state);
            self.store.puts.handle.spawn(Rest { store: self.store.clone(), is_served: false }.serve());
        }
    }
}

/// What waits, and the turn of who serves it.
struct Rest {
    store: Arc<Store>,
    is_served: bool,
}

impl Rest {
    async fn serve(mut self) {
        while let Some(group) = self.next() {
            serve(&self.store, group).await;
        }
    }

    /// The next puts that can go together: no two of one key, and none that nobody waits for any more. Without any the turn
    /// is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut state = self.store.puts.state();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let mut keys = BTreeSet::new();
        let mut group = Vec::new();
        for waiting in std::mem::take(&mut state.waiting) {
            let touched = || waiting.changes.iter().filter_map(Change::key);
            if group.len() < TOGETHER && !touched().any(|key| keys.contains(key)) {
                keys.extend(touched().cloned());
                group.push(waiting);
            } else {
                state.waiting.push_back(waiting);
            }
        }
        if group.is_empty() {
            state.under_way -= 1;
            self.is_served = true;
            return None;
        }
        Some(group)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if !self.is_served {
            // The runtime ends. Whom nobody else will serve learns that he is not answered.
            let mut state = self.store.puts.state();
            state.under_way -= 1;
            if state.under_way == 0 {
                state.waiting.clear();
            }
        }
    }
}

async fn serve(store: &Store, group: Vec<Waiting>) {
    let puts: Vec<SinglePut<'_>> = group.iter().filter_map(|waiting| SinglePut::of(&waiting.changes)).collect();
    let mut answers = match puts.as_slice() {
        [one] => vec![one.apply(store).await],
        several => match put_together(store, several).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) => several.iter().map(|_| Err(again(&error))).collect(),
        },
    }
    .into_iter();
    drop(puts);
    for waiting in group {
        let answer = answers.next().unwrap_or_else(|| Err(unanswered_commit()));
        // Who does not wait any more does not want to know.
        let _ = waiting.answer.send(answer);
    }
}

/// The same error for somebody else.
fn again(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned()).retryable(error.is_retryable())
}
