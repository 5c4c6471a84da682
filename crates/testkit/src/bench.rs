//! How fast a backend is, verb by verb, for those who write one and want to know where its time goes.

use crate::blobs::{bytes_of, noise};
use crate::records::inline;
use cacheness_core::size::Size;
use cacheness_core::{Error, ErrorKind, Result, SystemRng};
use cacheness_storage::{
    BlobBackend, BlobId, Bytes, Change, Condition, EntryKey, Fields, GetBlob, Location, MetadataBackend, OnUnmet,
    Outcome, PutBlob, Query, Record, Staged, Version,
};
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// How many records a page has.
const PAGE: usize = 100;
/// How many blobs are listed at a time.
const LIST: usize = 1000;

/// What a backend took for every verb. `Display` prints a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The backend, as users name it.
    pub backend: String,
    /// How many records or blobs there were.
    pub items: u64,
    /// How many bytes each of them had.
    pub size: u64,
    /// The verbs, in the order in which they were called.
    pub verbs: Vec<Verb>,
}

/// What one verb took, call after call on one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Verb {
    /// Its name: `put`, `get`, `list` or `delete`.
    pub name: &'static str,
    /// How often it was called. A listing is called once a page: of 100 records, of 1,000 blobs.
    pub calls: u64,
    /// Calls by the seconds that all of them took.
    pub per_second: f64,
    /// What the middle one of the calls took.
    pub median: Duration,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} each in {}", self.items, Size(self.size), self.backend)?;
        for Verb { name, calls, per_second, median } in &self.verbs {
            write!(f, "\n  {name:<8}{calls:>9} calls{per_second:>12.0} /s   median {:>9}", format!("{median:.1?}"))?;
        }
        Ok(())
    }
}

/// Puts, reads, lists and removes records of `size` bytes each, one commit a record, and times every call. Each answer is
/// checked: what is fast because it does nothing is an error.
///
/// Run it where the backend's futures run: `block_on` for one that blocks, otherwise the runtime that it needs. Its keys are
/// new and are removed again; after an error some of them are left.
///
/// ```
/// use cacheness_storage::{OpenContext, block_on, memory::MemoryMetadata};
/// use cacheness_testkit::bench;
///
/// let index = MemoryMetadata::new(&OpenContext::new());
/// let measured = block_on(bench::metadata(&index, 250, 1024))?;
/// println!("{measured}");
/// let calls = measured.verbs.iter().map(|verb| (verb.name, verb.calls)).collect::<Vec<_>>();
/// assert_eq!(calls, [("put", 250), ("get", 250), ("list", 3), ("delete", 250)]);
/// # Ok::<(), cacheness_testkit::Error>(())
/// ```
///
/// # Errors
///
/// What the backend returns; [`ErrorKind::Metadata`] when an answer is wrong.
pub async fn metadata(index: &dyn MetadataBackend, records: u64, size: usize) -> Result<Measured> {
    let payload = noise(size)?;
    let prefix = format!("bench/{}/", BlobId::mint(&SystemRng)?);
    let key = |number: u64| format!("{prefix}{number:010}");
    let wrong = |what: &str| Error::new(ErrorKind::Metadata, format!("{index}: {what}"));
    let mut measured = Measured::new(index.to_string(), records, size);

    let mut put = Timed::new("put");
    for number in 0..records {
        let record = Record { version: Version::mint(&SystemRng)?, ..inline(&key(number), payload.clone()) };
        let change = Change::Put { record: Box::new(record), condition: Condition::Always };
        let outcomes = put.call(index.commit(vec![change], OnUnmet::Abort)).await?;
        if !matches!(outcomes[..], [Outcome::Applied { previous: None, .. }]) {
            return Err(wrong("a record was not put"));
        }
    }
    measured.take(put);

    let mut get = Timed::new("get");
    let expected = Location::Inline(payload);
    for number in 0..records {
        let found = get.call(index.get(&[EntryKey::new(key(number))], Fields::ALL)).await?;
        if !matches!(&found[..], [Some(record)] if record.location == expected) {
            return Err(wrong("a record that was put is not there"));
        }
    }
    measured.take(get);

    let mut list = Timed::new("list");
    let query = Query::new().prefix(prefix.as_str()).limit(PAGE);
    let (mut listed, mut after) = (0, None);
    loop {
        let page = list.call(index.page(&query, after)).await?;
        listed += page.records.len() as u64;
        after = page.next;
        if after.is_none() || listed > records {
            break;
        }
    }
    if listed != records {
        return Err(wrong("a listing shows another number of records than were put"));
    }
    measured.take(list);

    let mut delete = Timed::new("delete");
    for number in 0..records {
        let change = Change::Remove { key: EntryKey::new(key(number)), condition: Condition::Always };
        let outcomes = delete.call(index.commit(vec![change], OnUnmet::Abort)).await?;
        if !matches!(outcomes[..], [Outcome::Applied { previous: Some(_), .. }]) {
            return Err(wrong("a record that was put cannot be removed"));
        }
    }
    measured.take(delete);
    Ok(measured)
}

/// Puts, reads, lists and deletes blobs of `size` bytes each, and times every call, reading to the end included. Each answer
/// is checked. The listing is that of the whole store, so give it one of its own.
///
/// Run it where the backend's futures run: `block_on` for one that blocks, otherwise the runtime that it needs. After an error
/// some of its blobs are left.
///
/// ```
/// use cacheness_storage::{OpenContext, block_on, memory::MemoryBlobs};
/// use cacheness_testkit::bench;
///
/// let blobs = MemoryBlobs::new(&OpenContext::new());
/// let measured = block_on(bench::blobs(&blobs, 100, 64 << 10))?;
/// println!("{measured}");
/// assert!(measured.verbs.iter().all(|verb| verb.calls > 0 && verb.per_second > 0.0));
/// # Ok::<(), cacheness_testkit::Error>(())
/// ```
///
/// # Errors
///
/// What the backend returns; [`ErrorKind::Storage`] when an answer is wrong.
pub async fn blobs(store: &dyn BlobBackend, blobs: u64, size: usize) -> Result<Measured> {
    let bytes = noise(size)?;
    let ids = (0..blobs).map(|_| BlobId::mint(&SystemRng)).collect::<Result<Vec<_>>>()?;
    let wrong = |what: &str| Error::new(ErrorKind::Storage, format!("{store}: {what}"));
    let mut measured = Measured::new(store.to_string(), blobs, size);

    let mut put = Timed::new("put");
    for id in &ids {
        let info = put.call(store.put(id, Staged::Bytes(bytes.clone()), PutBlob::default())).await?;
        if info.size != bytes.len() as u64 {
            return Err(wrong("a blob was put with another size"));
        }
    }
    measured.take(put);

    let mut get = Timed::new("get");
    for id in &ids {
        if get.call(read(store, id)).await?.as_ref() != Some(&bytes) {
            return Err(wrong("a blob that was put is not there, or is another"));
        }
    }
    measured.take(get);

    let mut list = Timed::new("list");
    let (mut listed, mut after) = (0, None);
    let known: BTreeSet<_> = ids.iter().copied().collect();
    loop {
        let page = list.call(store.list(after, LIST)).await?;
        let Some(last) = page.last() else { break };
        if after >= Some(last.id) {
            return Err(wrong("a listing stands still"));
        }
        after = Some(last.id);
        listed += page.iter().filter(|info| known.contains(&info.id)).count() as u64;
    }
    if listed != blobs {
        return Err(wrong("a listing shows another number of blobs than were put"));
    }
    measured.take(list);

    let mut delete = Timed::new("delete");
    for id in &ids {
        if delete.call(store.delete(&[*id])).await? != [true] {
            return Err(wrong("a blob that was put cannot be deleted"));
        }
    }
    measured.take(delete);
    Ok(measured)
}

async fn read(store: &dyn BlobBackend, id: &BlobId) -> Result<Option<Bytes>> {
    store.get(id, GetBlob::default()).await?.map(bytes_of).transpose()
}

impl Measured {
    fn new(backend: String, items: u64, size: usize) -> Self {
        Self { backend, items, size: size as u64, verbs: Vec::new() }
    }

    fn take(&mut self, Timed { name, mut times }: Timed) {
        times.sort_unstable();
        let seconds: Duration = times.iter().sum();
        let calls = times.len() as u64;
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let per_second = calls as f64 / seconds.max(Duration::from_nanos(1)).as_secs_f64();
        self.verbs.push(Verb { name, calls, per_second, median });
    }
}

/// The times of the calls of a verb.
struct Timed {
    name: &'static str,
    times: Vec<Duration>,
}

impl Timed {
    fn new(name: &'static str) -> Self {
        Self { name, times: Vec::new() }
    }

    async fn call<T>(&mut self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let begin = Instant::now();
        let answer = call.await;
        self.times.push(begin.elapsed());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_median_are_of_the_calls() {
        let mut measured = Measured::new("memory:".into(), 3, 2048);
        let times = [5, 1, 4].map(Duration::from_millis).to_vec();
        measured.take(Timed { name: "put", times });
        measured.take(Timed { name: "list", times: Vec::new() });
        let [put, list] = measured.verbs[..] else { panic!("{measured:?}") };
        assert_eq!((put.calls, put.median), (3, Duration::from_millis(4)));
        assert!((put.per_second - 300.0).abs() < 1e-6, "{put:?}");
        assert_eq!((list.calls, list.per_second, list.median), (0, 0.0, Duration::ZERO));
        assert_eq!(
            measured.to_string(),
            "3 of 2.0 KiB each in memory:\n  \
             put             3 calls         300 /s   median     4.0ms\n  \
             list            0 calls           0 /s   median     0.0ns"
        );
    }
}
