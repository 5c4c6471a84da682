//! Which entries have parameters that differ least from those asked for.

use crate::Key;
use crate::core::Core;
use crate::key::REDACTED;
use cacheness_core::Result;
use cacheness_storage::{Field, Fields, Filter, Query, Record};
use serde_json::Value as Json;
use std::cmp::Reverse;

/// How many entries are compared at most, and how many are read together.
const MOST: usize = 10_000;
const PAGE: usize = 1000;

/// How many are told.
const TOLD: usize = 3;

/// An entry whose parameters are nearly those that were asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Nearest {
    /// Its key.
    pub key: Key,
    /// The namespace that its key was made in.
    pub namespace: Option<String>,
    /// Its parameters, as they are stored.
    pub parameters: Json,
    /// In what they differ; nothing when only types do, such as `1_u8` and `1_i8`, or the namespace.
    pub differs: Vec<Difference>,
}

/// One difference between parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the parameter: `depth`, `options.depth`, `[0]` for the first of a sequence, nothing for the whole.
    pub name: String,
    /// What was asked for; `None` for an extra one in the entry.
    pub asked: Option<Json>,
    /// What the entry has; `None` for one that it does not have.
    pub stored: Option<Json>,
}

impl Core {
    /// The entries of this namespace, live or not, whose parameters differ least; among equals, those that begin alike.
    pub(super) async fn nearest(&self, asked: &Json) -> Result<Vec<Nearest>> {
        let mut query = Query::new().fields(Fields::LEAST).limit(PAGE);
        if let Some(namespace) = &self.namespace {
            query = query.filter(Filter::eq(Field::Namespace, namespace.name())).prefix(namespace.prefix());
        }
        let (mut best, mut compared) = (Best::new(asked), 0);
        loop {
            let page = self.engine.page(&query).await?;
            compared += page.records.len() + page.unreadable.len();
            page.records.iter().for_each(|record| best.compare(record));
            match page.next {
                Some(next) if compared < MOST => query = query.after(next),
                _ => return Ok(best.found.into_iter().map(|(_, nearest)| nearest).collect()),
            }
        }
    }
}

/// How many differences there are, and then how much text is the same at the beginning.
type Rank = (usize, Reverse<usize>);

struct Best<'j> {
    asked: &'j Json,
    text: String,
    found: Vec<(Rank, Nearest)>,
}

impl<'j> Best<'j> {
    fn new(asked: &'j Json) -> Self {
        Self { asked, text: asked.to_string(), found: Vec::with_capacity(TOLD + 1) }
    }

    fn compare(&mut self, record: &Record) {
        let terms = &record.content.terms;
        let Some(text) = terms.parameters.as_deref() else { return };
        let (Ok(parameters), Ok(key)) = (serde_json::from_str(text), Key::parse(record.key.as_str())) else { return };
        if !are_alike(self.asked, &parameters) {
            return;
        }
        let mut differs = Vec::new();
        compare("", self.asked, &parameters, &mut differs);
        let same = self.text.bytes().zip(text.bytes()).take_while(|(asked, stored)| asked == stored).count();
        let rank = (differs.len(), Reverse(same));
        let place = self.found.partition_point(|(other, _)| *other <= rank);
        if place < TOLD {
            let namespace = terms.namespace.as_deref().map(str::to_owned);
            self.found.insert(place, (rank, Nearest { key, namespace, parameters, differs }));
            self.found.truncate(TOLD);
        }
    }
}

/// Whether it means anything to compare them: parameters by name have a name in common, others are of one kind.
fn are_alike(asked: &Json, stored: &Json) -> bool {
    match (asked, stored) {
        (Json::Object(asked), Json::Object(stored)) => asked.keys().any(|name| stored.contains_key(name)),
        _ => std::mem::discriminant(asked) == std::mem::discriminant(stored),
    }
}

/// Collects the differences of two values, those of their parts by name or position. What is redacted is unknown, and so
/// no difference.
fn compare(name: &str, asked: &Json, stored: &Json, differs: &mut Vec<Difference>) {
    let part = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match (asked, stored) {
        (Json::Object(asked), Json::Object(stored)) => {
            for (name, value) in asked {
                pair(&part(name), Some(value), stored.get(name), differs);
            }
            for (name, value) in stored.iter().filter(|(name, _)| !asked.contains_key(*name)) {
                pair(&part(name), None, Some(value), differs);
            }
        }
        (Json::Array(asked), Json::Array(stored)) => {
            for place in 0..asked.len().max(stored.len()) {
                pair(&format!("{name}[{place}]"), asked.get(place), stored.get(place), differs);
            }
        }
        _ if asked != stored && asked != REDACTED && stored != REDACTED => {
            differs.push(Difference {
                name: name.to_owned(),
                asked: Some(asked.clone()),
                stored: Some(stored.clone()),
            });
        }
        _ => {}
    }
}

/// As [`compare`], of parts that one of the two may not have.
fn pair(name: &str, asked: Option<&Json>, stored: Option<&Json>, differs: &mut Vec<Difference>) {
    match (asked, stored) {
        (Some(asked), Some(stored)) => compare(name, asked, stored, differs),
        _ => differs.push(Difference { name: name.to_owned(), asked: asked.cloned(), stored: stored.cloned() }),
    }
}
