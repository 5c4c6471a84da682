//! Pages of a bucket's keys in the order of their bytes. s3s-fs has a listing too; it reads the size of every object of the
//! bucket for each page, and gives pages of any length.

use std::collections::BTreeSet;
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
    let mut entries = BTreeSet::new();
    collect(bucket, "", wanted, &mut entries)?;
    let is_truncated = wanted.most > 0 && entries.len() > wanted.most;
    Ok(Page { entries: entries.into_iter().take(wanted.most).collect(), is_truncated })
}

/// Adds what the directory `path`, whose keys begin with `begin`, has of what is wanted.
fn collect(path: &Path, begin: &str, wanted: &Wanted<'_>, entries: &mut BTreeSet<Entry>) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if entry.file_type()?.is_dir() {
            let begin = format!("{begin}{name}/");
            let is_within = begin.starts_with(wanted.prefix) || wanted.prefix.starts_with(&begin);
            let is_behind = begin.as_str() > wanted.after || wanted.after.starts_with(&begin);
            if is_within && is_behind {
                collect(&entry.path(), &begin, wanted, entries)?;
            }
        } else if let Some(entry) = wanted.entry(format!("{begin}{name}")) {
            entries.insert(entry);
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
