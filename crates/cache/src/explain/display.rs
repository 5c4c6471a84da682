//! Explanations in words.

use super::{Difference, Explanation, Nearest, Verdict};
use cacheness_core::Timestamp;
use cacheness_core::size::Size;
use cacheness_storage::Entry;
use serde_json::Value as Json;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, SystemTime};

/// How many differences of an entry are shown, and how many characters of a value.
const SHOWN: usize = 5;
const LONGEST: usize = 40;

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.key)?;
        self.verdict.what(f, self.now)?;
        if let Some(advice) = self.verdict.advice() {
            write!(f, "\n  {advice}")?;
        }
        for nearest in &self.nearest {
            write!(f, "\n  near: {nearest}")?;
        }
        Ok(())
    }
}

impl Verdict {
    fn what(&self, f: &mut Formatter<'_>, now: Timestamp) -> fmt::Result {
        match self {
            Self::Stored(entry) => stored(entry, f, now),
            Self::NeverStored => f.write_str("is not stored, and nothing is known of it"),
            Self::Expired { at } => write!(f, "expired {}", Ago(*at, now)),
            Self::Evicted { at } => write!(f, "was evicted {}: it made room for others", Ago(*at, now)),
            Self::Invalidated { tag } => write!(f, "was invalidated with everything that has the tag {tag:?}"),
            Self::OtherType { data_type, type_name } => {
                write!(f, "is stored as another type: {type_name}, by the handler {data_type:?}")
            }
            Self::OtherParameters => {
                f.write_str("is stored under other parameters, whose key begins with the same 128 bits")
            }
            Self::OtherSchema { type_name } => {
                write!(f, "is stored as {type_name}, which does not read as the type that was asked for")
            }
            Self::Damaged { what } => write!(f, "is damaged: {what}"),
            Self::TooNew { what } => write!(f, "was written by a newer version: {what}"),
        }
    }

    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Stored(_) => return None,
            Self::NeverStored => {
                "it was never put, or was removed since; compare the parameters with those of the put, their types too"
            }
            Self::Expired { .. } => "put it again, with a longer TTL if it is needed for longer",
            Self::Evicted { .. } => "put it again; raise max_size or max_entries if this happens often",
            Self::Invalidated { .. } => "put it again",
            Self::OtherType { .. } => "get it as the type that was put, or put it again",
            Self::OtherParameters => "put it again",
            Self::OtherSchema { .. } => "get it as the type that was put; if the type changed since, put it again",
            Self::Damaged { .. } => "the next get drops it; put it again, and see by verify() what else is damaged",
            Self::TooNew { .. } => "read it with the version that wrote it, or put it again",
        })
    }
}

fn stored(entry: &Entry, f: &mut Formatter<'_>, now: Timestamp) -> fmt::Result {
    let size = Size(entry.stored_size());
    write!(f, "is stored: {} by the handler {:?}, {size}", entry.type_name(), entry.data_type())?;
    match entry.expires_at() {
        Some(at) => write!(f, ", expires in {}", Span(Timestamp::from(at).since(now))),
        None => f.write_str(", never expires"),
    }
}

/// A time in the past.
struct Ago(SystemTime, Timestamp);

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ago", Span(self.1.since(self.0.into())))
    }
}

/// A duration in its largest unit.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds")];
        match units.into_iter().find(|(length, _)| seconds >= *length) {
            Some((length, names)) => {
                let count = seconds / length;
                let name = if count == 1 { names.trim_end_matches('s') } else { names };
                write!(f, "{count} {name}")
            }
            None => f.write_str("less than a second"),
        }
    }
}

impl Display for Nearest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " in the namespace {namespace}")?;
        }
        if self.differs.is_empty() {
            return f.write_str(" has the same parameters; types or namespace differ");
        }
        for (place, difference) in self.differs.iter().take(SHOWN).enumerate() {
            write!(f, "{} {difference}", if place == 0 { ":" } else { ";" })?;
        }
        match self.differs.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{} ", self.name)?;
        }
        match (&self.asked, &self.stored) {
            (Some(asked), Some(stored)) => write!(f, "{} asked, {} stored", Short(asked), Short(stored)),
            (Some(asked), None) => write!(f, "{} asked, not stored", Short(asked)),
            (None, Some(stored)) => write!(f, "not asked, {} stored", Short(stored)),
            (None, None) => Ok(()),
        }
    }
}

/// The beginning of a value.
struct Short<'j>(&'j Json);

impl Display for Short<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}…", text.get(..end).unwrap_or_default()),
            None => f.write_str(&text),
        }
    }
}
