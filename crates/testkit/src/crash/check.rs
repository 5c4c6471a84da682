//! What must be true of a store whose processes were killed.

use super::Pair;
use super::content::Content;
use super::history::{History, State};
use super::operation::Repertoire;
use super::place::Place;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::engine::Failpoints;
use cacheness_storage::sync::BlobStore;
use cacheness_storage::{BlobId, BlobQuery, BlobRecord, Entry, Query};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

/// How many blobs are asked for at once.
const BATCH: usize = 1000;

/// How long nobody sweeps while something may still arrive.
const PAUSE: Duration = Duration::from_millis(50);

/// A sweep after which nothing may be left.
pub(super) struct Sweep {
    /// How long it may be repeated.
    pub(super) lateness: Duration,
}

/// Opens the store and compares it with its history; after a sweep, if there is to be one, nothing may be left but what
/// entries need. Returns what the keys hold.
pub(super) fn check(
    place: &Place<'_>,
    history: &History<'_>,
    repertoire: &Repertoire,
    recurring: bool,
    sweep: Option<Sweep>,
) -> Result<State> {
    let (pair, store) = place.open(recurring, Failpoints::default())?;
    let state = check_values(&store, history, repertoire)?;
    let entries = entries(&store)?;
    check_entries(&store, &entries, &state)?;
    if let Some(Sweep { lateness }) = sweep {
        let start = Instant::now();
        loop {
            // The first condemns what is left, the second finds it condemned.
            store.sweep()?;
            store.sweep()?;
            match check_remains(place, &pair, &store, &entries) {
                Err(_) if start.elapsed() < lateness => thread::sleep(PAUSE),
                checked => break checked?,
            }
        }
        check_entries(&store, &entries, &state)?;
    }
    store.close()?;
    Ok(state)
}

/// Reads every key: its value is whole, and one that it can hold.
fn check_values(store: &BlobStore, history: &History<'_>, repertoire: &Repertoire) -> Result<State> {
    history.check_reads()?;
    let mut state = State::new();
    for key in repertoire.keys() {
        let found = match store.get::<Vec<u8>>(key)? {
            Some(bytes) => Some(Content::of(&bytes).ok_or_else(|| violated(format!("{key:?} holds a torn value")))?),
            None => None,
        };
        history.can_hold(key).check(key, found)?;
        state.extend(found.map(|content| (key.clone(), content)));
    }
    Ok(state)
}

/// Every entry is one of the keys that hold something, its bytes are whole, and the totals count what is there.
fn check_entries(store: &BlobStore, entries: &[Entry], state: &State) -> Result<()> {
    let keys: Vec<_> = entries.iter().map(Entry::key).collect();
    expect("the keys of the entries", &keys, &state.keys().map(String::as_str).collect::<Vec<_>>())?;
    let verified = store.verify()?;
    if let Some(problem) = verified.problems.into_iter().next() {
        return Err(violated(format!("verify finds {:?} damaged: {}", problem.key, problem.error)));
    }
    let stats = store.stats()?;
    let (blobs, inline): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.blob().is_some());
    let blobs: BTreeMap<_, _> = blobs.into_iter().map(|entry| (entry.blob(), entry.stored_size())).collect();
    let bytes = blobs.values().sum::<u64>() + inline.into_iter().map(Entry::stored_size).sum::<u64>();
    let counted = (entries.len() as u64, entries.len() as u64, blobs.len() as u64, bytes);
    expect(
        "entries (verified, counted), blobs and bytes",
        &(verified.entries, stats.entries, stats.blobs, stats.bytes),
        &counted,
    )
}

/// After a sweep: blobs that entries name and the store's own, no staging file, and no condemned blob but names that no
/// entry ever bore.
fn check_remains(place: &Place<'_>, pair: &Pair, store: &BlobStore, entries: &[Entry]) -> Result<()> {
    let mut named: BTreeSet<_> = entries.iter().filter_map(|entry| entry.blob()?.parse::<BlobId>().ok()).collect();
    named.insert(BlobId::STORE);
    let there: BTreeSet<_> = place.run(blobs(pair))?.into_iter().collect();
    if let Some(lost) = named.difference(&there).next() {
        return Err(violated(format!("the sweep took the blob {lost}")));
    }
    if let Some(left) = there.difference(&named).next() {
        return Err(violated(format!("the sweep left the blob {left}, which no entry names")));
    }
    let condemned = place.run(condemned(pair))?;
    if let Some(left) = condemned.iter().find(|blob| blob.digest.is_some()) {
        return Err(violated(format!("the sweep did not forget the blob {}, which an entry named", left.id)));
    }
    let verified = store.verify()?;
    let expected = (0, condemned.len() as u64, 0);
    let found = (verified.unreferenced, verified.condemned, verified.staging_files);
    expect("unreferenced and condemned blobs and staging files after a sweep", &found, &expected)
}

fn entries(store: &BlobStore) -> Result<Vec<Entry>> {
    let (mut entries, mut query) = (Vec::new(), Query::new());
    loop {
        let page = store.list(&query)?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    entries.sort_by(|one, other| one.key().cmp(other.key()));
    Ok(entries)
}

async fn blobs(pair: &Pair) -> Result<Vec<BlobId>> {
    let mut found = Vec::new();
    loop {
        let page = pair.blobs.list(found.last().copied(), BATCH).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page.into_iter().map(|blob| blob.id));
    }
}

async fn condemned(pair: &Pair) -> Result<Vec<BlobRecord>> {
    let until = pair.metadata.stats().await?.now;
    let mut found: Vec<BlobRecord> = Vec::new();
    loop {
        let after = found.last().and_then(|blob| Some((blob.condemned_at?, blob.id)));
        let page = pair.metadata.blobs(&BlobQuery::Condemned { until, after, limit: BATCH }).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(violated(format!("{what}: found {found:?}, expected {expected:?}")))
}

fn violated(message: String) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}
