//! Backend URLs: `scheme:rest?name=value`.

use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// A parsed backend URL, such as `sqlite:index.db?readers=8`, `fs:/srv/blobs`, `memory:` or `s3://bucket/prefix`.
///
/// Only the scheme is interpreted here; the backend of that scheme interprets the rest and the query.
/// `Display` hides what stands between `//` and `@`, where credentials would be, and the values of the query.
///
/// ```
/// use cacheness_core::BackendUrl;
///
/// let url: BackendUrl = "sqlite:index.db?readers=8".parse()?;
/// assert_eq!((url.scheme(), url.rest(), url.query()), ("sqlite", "index.db", "readers=8"));
/// assert_eq!("pg://me:secret@host/db".parse::<BackendUrl>()?.to_string(), "pg://***@host/db");
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BackendUrl {
    scheme: String,
    rest: String,
    query: String,
}

impl BackendUrl {
    /// A URL from its parts; `rest` is taken literally, so a path may hold any character.
    pub fn new(scheme: impl Into<String>, rest: impl Into<String>) -> Self {
        Self { scheme: scheme.into(), rest: rest.into(), query: String::new() }
    }

    /// What stands before the first colon.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the first colon and the question mark.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// What stands after the question mark; empty when there is none.
    pub fn query(&self) -> &str {
        &self.query
    }
}

impl FromStr for BackendUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |message| {
            Error::new(ErrorKind::Config, message)
                .advice("backend URLs look like sqlite:index.db, fs:/srv/blobs, memory: or s3://bucket/prefix")
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| bad("a backend URL needs a scheme and a colon"))?;
        let mut characters = scheme.chars();
        let well_formed = characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '_'));
        if !well_formed {
            return Err(bad("a URL scheme is a lower-case letter followed by lower-case letters, digits, +, - or _"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self { scheme: scheme.into(), rest: rest.into(), query: query.into() })
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if self.rest.starts_with("//") && !self.rest.contains('@') && self.query.contains('@') {
            // Credentials with a question mark in them, which should have been written %3F.
            return f.write_str("//***");
        }
        match self.rest.strip_prefix("//").and_then(|rest| rest.rsplit_once('@')) {
            Some((_, host)) => write!(f, "//***@{host}")?,
            None => f.write_str(&self.rest)?,
        }
        let mut separator = '?';
        for name in self.query.split('&').filter(|pair| !pair.is_empty()) {
            write!(f, "{separator}{}=…", name.split('=').next().unwrap_or_default())?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_scheme_is_refused() {
        for text in ["", "index.db", ":memory:", "C:/x", "9p:x"] {
            let error = text.parse::<BackendUrl>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }

    #[test]
    fn no_secret_is_displayed() {
        let url: BackendUrl = "s3://id:p@ss@bucket/prefix?token=hush&region=eu".parse().unwrap();
        assert_eq!(url.to_string(), "s3://***@bucket/prefix?token=…&region=…");
        assert!(!format!("{url:?}").contains("hush"));
        let unescaped: BackendUrl = "s3://id:p?ss@bucket/prefix".parse().unwrap();
        assert_eq!(unescaped.to_string(), "s3://***");
    }
}
