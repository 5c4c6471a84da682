//! Pages of a bucket's keys in the order of their bytes. s3s-fs has a listing too; it reads the size of every object of the
//! bucket for each page, and gives pages of any length.

use std::fs;
use std::io;
use std::path::Path;

/// The most that a page holds, objects and common prefixes together.
pub(crate) const MOST: usize = 1000;

/// Which part of a bucket is wanted.
pub(crate) struct Wanted<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// What came before; the page begins behind it.
    pub(crate) after: &'a str,
    /// At most [`MOST`].
    pub(crate) most: usize,
}

/// A key, or what the keys up to a delimiter have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) is_prefix: bool,
}

/// Some entries in order, and whether there are more behind them.
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    pub(crate) is_truncated: bool,
}

/// Reads a page from the directory of a bucket.
pub(crate) fn page(bucket: &Path, wanted: &Wanted<'_>) -> io::Result<Page> {
    let mut entries = Vec::new();
    collect(bucket, "", wanted, &mut entries)?;
    let is_truncated = wanted.most > 0 && entries.len() > wanted.most;
    entries.truncate(wanted.most);
    Ok(Page { entries, is_truncated })
}

/// Adds what the directory of the keys that begin with `begin` has of what is wanted, until the page has one entry too many.
fn collect(bucket: &Path, begin: &str, wanted: &Wanted<'_>, entries: &mut Vec<Entry>) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(bucket.join(begin))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // What all keys in a directory begin with stands where they do.
        names.push(format!("{begin}{name}{}", if entry.file_type()?.is_dir() { "/" } else { "" }));
    }
    names.sort_unstable();
    for name in names {
        if entries.len() > wanted.most {
            break;
        }
        if name.ends_with('/') {
            let is_within = name.starts_with(wanted.prefix) || wanted.prefix.starts_with(&name);
            let is_behind = name.as_str() > wanted.after || wanted.after.starts_with(&name);
            if is_within && is_behind {
                collect(bucket, &name, wanted, entries)?;
            }
        } else if let Some(entry) = wanted.entry(name).filter(|entry| entries.last() != Some(entry)) {
            entries.push(entry);
        }
    }
    Ok(())
}

impl Wanted<'_> {
    /// What a key is listed as, if it is.
    fn entry(&self, key: String) -> Option<Entry> {
        let rest = key.strip_prefix(self.prefix)?;
        let cut = self.delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        let entry = match cut {
            Some(cut) => Entry { name: key[..self.prefix.len() + cut].to_owned(), is_prefix: true },
            None => Entry { name: key, is_prefix: false },
        };
        (entry.name.as_str() > self.after).then_some(entry)
    }
}
