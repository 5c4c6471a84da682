//! Why a get of a key is, or is not, a hit.

mod display;
mod evicted;
mod nearest;

pub use nearest::{Difference, Nearest};

use crate::Key;
use crate::core::Core;
use crate::key::Encoding;
use crate::liveness::Judge;
use crate::read::Fallback;
use crate::stats::MissReason;
use cacheness_core::{Error, ErrorKind, Result, Timestamp};
use cacheness_storage::engine::{Found, Lookup};
use cacheness_storage::{Entry, Fields, Record};
use serde_json::Value as Json;
use std::any::Any;
use std::time::SystemTime;

/// Why a get of a key is, or is not, a hit. `Display` says it in a few lines, with what to do about it.
///
/// ```
/// use cacheness_cache::{Bare, StoreParameters, Verdict, key, sync::Cache};
///
/// let builder = Cache::<Bare>::builder().metadata("memory:").blobs("memory:");
/// let cache = builder.store_parameters(StoreParameters::On).open()?;
/// cache.put(key! { model: "xgboost", depth: 3 }, &0.93)?;
///
/// let explanation = cache.explain(key! { model: "xgboost", depth: 4 })?;
/// assert_eq!(explanation.verdict, Verdict::NeverStored);
/// assert_eq!(explanation.nearest[0].differs[0].name, "depth");
/// println!("{explanation}");
/// # Ok::<(), cacheness_cache::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The key that was asked for.
    pub key: Key,
    /// What became of it.
    pub verdict: Verdict,
    /// Of a key that nothing is stored under: up to three entries of other parameters, those that differ least first, where
    /// [parameters are stored](crate::CacheBuilder::store_parameters) and the key was asked for by its own. The first ten
    /// thousand entries are compared.
    pub nearest: Vec<Nearest>,
    now: Timestamp,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is stored: a get is a hit.
    Stored(Box<Entry>),
    /// Nothing is known of it: it was never put, or removed.
    NeverStored,
    /// It expired. The record is still there.
    Expired {
        /// When.
        at: SystemTime,
    },
    /// It made room for others; the last five hundred that did are remembered.
    Evicted {
        /// When.
        at: SystemTime,
    },
    /// A tag of it was invalidated since it was put.
    Invalidated {
        /// The tag.
        tag: String,
    },
    /// Another type is stored than the one asked for.
    OtherType {
        /// The type tag of the handler that wrote it.
        data_type: String,
        /// The Rust type that was put, as the compiler named it then.
        type_name: String,
    },
    /// The entry was put under other parameters, which share the 128 bits of the key.
    OtherParameters,
    /// What is stored does not read as the type that was asked for, although the same handler wrote it: the type has another
    /// schema now, or it is another one.
    OtherSchema {
        /// The Rust type that was put, as the compiler named it then.
        type_name: String,
    },
    /// The record or the bytes are damaged, or the bytes are missing.
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// A newer version wrote it.
    TooNew {
        /// What is too new.
        what: String,
    },
}

/// A key, and the parameters that it was made of, as they would be stored.
struct Asked {
    key: Key,
    parameters: Option<Json>,
    judge: Judge,
}

impl Core {
    /// Why a get that takes any type is or is not a hit. Changes nothing, and counts nothing.
    pub(crate) async fn explain(&self, asked: Encoding) -> Result<Explanation> {
        let asked = self.asked(asked).await?;
        let verdict = match self.seek(&asked).await? {
            Ok(Found { record, stored }) => {
                let verified = self.engine.verify_stored(&record, stored).await;
                judged(record, verified)?
            }
            Err(verdict) => verdict,
        };
        self.explained(asked, verdict).await
    }

    /// Why a get of this type is or is not a hit. Changes nothing, and counts nothing.
    pub(crate) async fn explain_as<T: Any + Send + Sync>(
        &self,
        asked: Encoding,
        fallback: Fallback,
    ) -> Result<Explanation> {
        let asked = self.asked(asked).await?;
        let verdict = match self.seek(&asked).await? {
            Ok(Found { record, stored }) => {
                let decoded = self.engine.decode::<T>(&record, stored, fallback).await.map(drop);
                judged(record, decoded)?
            }
            Err(verdict) => verdict,
        };
        self.explained(asked, verdict).await
    }

    async fn asked(&self, asked: Encoding) -> Result<Asked> {
        let asked = asked.resolve()?;
        let text = self.parameters.text_of(&asked)?;
        Ok(Asked {
            key: asked.key(self.namespace.as_ref()),
            parameters: text.and_then(|text| serde_json::from_str(&text).ok()),
            judge: self.judge().await?,
        })
    }

    /// What is stored under the key, or why it is of no use.
    async fn seek(&self, asked: &Asked) -> Result<Result<Found, Verdict>> {
        let Asked { key, judge, .. } = asked;
        let check = |record: &Record| judge.check(*key, record).map_err(|reason| refused(reason, record, judge));
        let verdict = match self.engine.find(&key.entry_key(), Fields::ALL, check).await {
            Ok(Lookup::Found(found)) => return Ok(Ok(found)),
            Ok(Lookup::Refused(verdict)) => verdict,
            Ok(Lookup::Lost(_, error)) | Err(error) => verdict_of(error)?,
            Ok(Lookup::Absent) => match self.evicted_at(key).await? {
                Some(at) => Verdict::Evicted { at: at.into() },
                None => Verdict::NeverStored,
            },
        };
        Ok(Err(verdict))
    }

    async fn explained(&self, asked: Asked, verdict: Verdict) -> Result<Explanation> {
        let Asked { key, parameters, judge } = asked;
        let nearest = match (&verdict, parameters) {
            (Verdict::NeverStored | Verdict::Evicted { .. }, Some(parameters)) => self.nearest(&parameters).await?,
            _ => Vec::new(),
        };
        Ok(Explanation { key, verdict, nearest, now: judge.now })
    }
}

/// Why a record is of no use.
fn refused(reason: MissReason, record: &Record, judge: &Judge) -> Verdict {
    match reason {
        MissReason::Invalidated => Verdict::Invalidated { tag: dead_tag(record, judge) },
        MissReason::Expired => Verdict::Expired { at: record.expires_at.unwrap_or(judge.now).into() },
        _ => Verdict::OtherParameters,
    }
}

/// The first tag of a record that alone would make it dead.
fn dead_tag(record: &Record, judge: &Judge) -> String {
    let mut one = record.clone();
    let is_dead = |tag: &&String| {
        one.annotations.tags = vec![String::clone(tag)];
        judge.epochs.is_dead(&one)
    };
    record.annotations.tags.iter().find(is_dead).cloned().unwrap_or_default()
}

/// What reading the bytes of a record came to.
fn judged(record: Record, read: Result<()>) -> Result<Verdict> {
    let Err(error) = read else { return Ok(Verdict::Stored(Box::new(record.into()))) };
    let type_name = record.content.type_name.into_owned();
    match error.kind() {
        ErrorKind::TypeMismatch => {
            Ok(Verdict::OtherType { data_type: record.content.type_tag.into_owned(), type_name })
        }
        ErrorKind::SchemaMismatch => Ok(Verdict::OtherSchema { type_name }),
        _ => verdict_of(error),
    }
}

/// What an error says of the entry; others are errors here too.
fn verdict_of(error: Error) -> Result<Verdict> {
    let what = error.message().to_owned();
    match error.kind() {
        ErrorKind::FormatTooNew => Ok(Verdict::TooNew { what }),
        ErrorKind::Corrupt => Ok(Verdict::Damaged { what }),
        _ => Err(error),
    }
}
