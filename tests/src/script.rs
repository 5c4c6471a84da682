//! What a worker process does to a store, told in lines: the process prints them, and the test that reads them knows
//! what the store must hold.

use cacheness::core::Rng;
use cacheness::storage::engine::{Compression, EngineOptions};
use cacheness::storage::{Durability, OpenContext};
use cacheness::sync::BlobStore;
use cacheness::{Error, ErrorKind, Result, backends};
use cacheness_testkit::SeededRng;
use cacheness_testkit::syscalls::report;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Above this size a value is staged in a file.
pub const IN_MEMORY: usize = 128 << 10;

/// One thing that is done to a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Open it.
    Open,
    /// Put under a key the value of a seed and a size.
    Put(String, Content),
    /// Read a key.
    Get(String),
    /// Delete a key.
    Delete(String),
    /// Close it.
    Close,
}

/// A value, by the seed that it begins with and is made of, and its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The seed.
    pub seed: u64,
    /// The size.
    pub size: usize,
}

impl Content {
    /// The bytes, which no codec makes smaller.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.size];
        SeededRng::new(self.seed).fill(&mut bytes).unwrap();
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes
    }

    /// What some bytes are; `None` when they are no such value.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let seed = u64::from_le_bytes(*bytes.first_chunk()?);
        Some(Self { seed, size: bytes.len() }).filter(|content| content.bytes() == bytes)
    }

    fn parse(text: &str) -> Option<Self> {
        let (seed, size) = text.split_once(' ')?;
        Some(Self { seed: seed.parse().ok()?, size: size.parse().ok()? })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seed, self.size)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Put(key, content) => write!(f, "put {key} {content}"),
            Self::Get(key) => write!(f, "get {key}"),
            Self::Delete(key) => write!(f, "delete {key}"),
            Self::Close => f.write_str("close"),
        }
    }
}

impl Step {
    /// A put.
    pub fn put(key: &str, seed: u64, size: usize) -> Self {
        Self::Put(key.into(), Content { seed, size })
    }

    /// The step that a line tells.
    pub fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["open"] => Self::Open,
            ["put", key, seed, size] => Self::put(key, seed.parse().unwrap(), size.parse().unwrap()),
            ["get", key] => Self::Get(key.into()),
            ["delete", key] => Self::Delete(key.into()),
            ["close"] => Self::Close,
            _ => panic!("no step is told by {line:?}"),
        }
    }
}

/// What one worker does: values that ride in the commit, that are written from memory, and that are linked from a file;
/// each replaced by another kind; two openings.
pub fn alone() -> Vec<Step> {
    let (small, medium, large) = (100, 60_000, IN_MEMORY + 5_000);
    let get = |key: &str| Step::Get(key.into());
    vec![
        Step::Open,
        Step::put("small", 1, small),
        Step::put("medium", 2, medium),
        Step::put("large", 3, large),
        Step::put("medium", 4, medium + 1),
        get("medium"),
        Step::put("large", 5, small + 1),
        Step::put("small", 6, large + 1),
        get("small"),
        Step::put("gone", 7, medium),
        Step::Delete("gone".into()),
        get("gone"),
        Step::Close,
        Step::Open,
        get("small"),
        Step::put("medium", 8, small + 2),
        Step::put("late", 9, medium + 2),
        Step::Delete("large".into()),
        get("late"),
        Step::Close,
    ]
}

/// What one of several threads does to keys of its own.
pub fn one_of_many(name: &str) -> Vec<Step> {
    let key = |number: u64| format!("{name}-{number}");
    let mut steps: Vec<Step> =
        (0..6).map(|number| Step::put(&key(number % 4), number + 1, 100 + 40_000 * (number as usize % 2))).collect();
    steps.push(Step::Delete(key(3)));
    steps
}

/// Opens the store in a directory, index and blobs, with names of blobs that repeat themselves.
///
/// # Errors
///
/// What opening returns.
pub fn open(directory: &Path, durability: Durability, seed: u64) -> Result<BlobStore> {
    let context = OpenContext::new().durability(durability);
    let mut options = EngineOptions::default();
    options.durability = durability;
    options.staging_memory = IN_MEMORY;
    options.compression = Compression::NONE;
    let index = backends::sqlite::SqliteConfig::default();
    let index = backends::sqlite::SqliteMetadata::open(directory.join("index.db"), &context, index)?;
    let blobs = backends::fs::FsBlobs::open(directory.join("blobs"), &context, backends::fs::FsConfig::default())?;
    BlobStore::builder().metadata_backend(index).blob_backend(blobs).rng(SeededRng::new(seed)).options(options).open()
}

/// What the lines of a worker say that a store holds.
#[derive(Debug, Default)]
pub struct Told {
    /// For each key the contents that it can have.
    pub keys: BTreeMap<String, Vec<Option<Content>>>,
    /// The errors, each with the step that it ended.
    pub errors: Vec<(Step, String)>,
    /// How many steps ended well.
    pub done: usize,
}

impl Told {
    /// Reads lines. After a step that ended well a key has what the step gave it. After one that did not end, or failed
    /// when `committed` says that it may have had its effect, given the number of lines before the error, it can also
    /// have what it had before; after any other failure it has what it had before.
    pub fn by(lines: &[String], committed: impl Fn(usize) -> bool) -> Self {
        let mut told = Self::default();
        let mut begun: BTreeMap<&str, Step> = BTreeMap::new();
        for (number, line) in lines.iter().enumerate() {
            let (thread, line) = line.split_once(' ').unwrap();
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                "begin" => drop(begun.insert(thread, Step::parse(rest))),
                "done" => told.end(begun.remove(thread).unwrap(), rest),
                "failed" => {
                    let step = begun.remove(thread).unwrap();
                    if committed(number) {
                        told.leave(&step);
                    }
                    told.errors.push((step, rest.to_owned()));
                }
                _ => panic!("{line:?} tells nothing"),
            }
        }
        begun.values().for_each(|step| told.leave(step));
        told
    }

    fn can_be(&mut self, key: &str) -> &mut Vec<Option<Content>> {
        self.keys.entry(key.to_owned()).or_insert_with(|| vec![None])
    }

    /// A step ended well.
    fn end(&mut self, step: Step, found: &str) {
        self.done += 1;
        match step {
            Step::Put(key, content) => *self.can_be(&key) = vec![Some(content)],
            Step::Delete(key) => *self.can_be(&key) = vec![None],
            Step::Get(key) => {
                let can_be = self.can_be(&key);
                let content = Content::parse(found);
                assert!(can_be.contains(&content), "get {key} found {found}, which is none of {can_be:?}");
            }
            Step::Open | Step::Close => {}
        }
    }

    /// A step did not end, or not well.
    fn leave(&mut self, step: &Step) {
        match step {
            Step::Put(key, content) => self.can_be(key).push(Some(*content)),
            Step::Delete(key) => self.can_be(key).push(None),
            Step::Get(_) | Step::Open | Step::Close => {}
        }
    }

    /// Opens the store in a directory, reads every key, and works with it.
    ///
    /// # Errors
    ///
    /// Those of the store; [`ErrorKind::Corrupt`] for a key whose value is none that it can have.
    pub fn check(&self, directory: &Path) -> Result<()> {
        let store = open(directory, Durability::Process, CHECK)?;
        for (key, can_be) in &self.keys {
            let found = store.get::<Vec<u8>>(key)?;
            let content = found.as_deref().and_then(Content::of);
            if !can_be.contains(&content) || content.is_none() != found.is_none() {
                let message = format!("there is {content:?} under {key:?} in the place of one of {can_be:?}");
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        }
        let content = Content { seed: CHECK, size: 20_000 };
        store.put("checked", &content.bytes())?;
        assert_eq!(store.get::<Vec<u8>>("checked")?, Some(content.bytes()));
        assert!(store.delete("checked")?);
        store.close()
    }
}

/// The seed of what checks make.
const CHECK: u64 = 1 << 32;

/// Does steps, to the store or to one that it opens first, and reports each one: `begin` and the step, then `done` and
/// what a get found, or `failed` and the error. Returns the store. Without one there are no further steps.
pub fn run(
    reporter: &str,
    mut store: Option<BlobStore>,
    directory: &Path,
    durability: Durability,
    steps: &[Step],
) -> Option<BlobStore> {
    for (number, step) in (0..).zip(steps) {
        report(format!("{reporter} begin {step}"));
        let result = match &store {
            Some(store) => run_step(store, step),
            None => open(directory, durability, number).map(|opened| {
                store = Some(opened);
                String::new()
            }),
        };
        match result {
            Ok(found) => report(format!("{reporter} done {found}")),
            Err(error) => report(format!("{reporter} failed {error:?}")),
        }
        if *step == Step::Close {
            store = None;
        } else if store.is_none() {
            break;
        }
    }
    store
}

fn run_step(store: &BlobStore, step: &Step) -> Result<String> {
    match step {
        Step::Put(key, content) => store.put(key, &content.bytes())?,
        Step::Delete(key) => drop(store.delete(key)?),
        Step::Close => store.close()?,
        Step::Get(key) => {
            let content = |bytes: Vec<u8>| Content::of(&bytes).map_or("torn".to_owned(), |content| content.to_string());
            return Ok(store.get(key)?.map_or("nothing".to_owned(), content));
        }
        Step::Open => panic!("the store is open"),
    }
    Ok(String::new())
}
