//! Opening a blob directory: made when it is missing, known by its layout file when it is there.

use crate::directory::{Directory, create_private};
use crate::durable::Settled;
use crate::layout::{LAYOUT_FILE, Layout, MAX_LAYOUT_FILE, STAGED_PREFIX, STAGING};
use crate::root::{Root, failed};
use cacheness_storage::{Error, ErrorKind, Result};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

impl Root {
    /// Opens the directory at an absolute path. Several processes may do so at once, the first time too.
    pub(crate) fn open(path: PathBuf, layout: Layout) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            let message = format!("{} is not a directory", path.display());
            return Err(Error::new(ErrorKind::Config, message).advice("give the path of a directory, or a free one"));
        }
        let above = above(&path);
        create_private(&path).map_err(|error| failed("created", &path, error))?;
        let opened = Directory::open(&path).and_then(|directory| directory.check_access(true).map(|()| directory));
        let directory = opened.map_err(|error| failed("opened for reading and writing", &path, error))?;
        let root = Self { path, directory, layout, settled: Settled::new(above) };
        root.claim()?;
        Ok(root)
    }

    /// Opens an existing blob directory at an absolute path, and makes nothing there.
    pub(crate) fn open_read_only(path: PathBuf, layout: Layout) -> Result<Self> {
        let none = |problem: &str| {
            let message = format!("{} {problem}, and a read-only opening makes no blob directory", path.display());
            Err(Error::new(ErrorKind::Config, message).advice("give an existing one, or open it for writing first"))
        };
        let opened = match Directory::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return none("does not exist"),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return none("is not a directory"),
            opened => opened.and_then(|directory| directory.check_access(false).map(|()| directory)),
        };
        let directory = opened.map_err(|error| failed("opened for reading", &path, error))?;
        let root = Self { path: path.clone(), directory, layout, settled: Settled::new(Vec::new()) };
        match root.recorded_layout()? {
            Some(recorded) => root.check_layout(recorded).map(|()| root),
            None => none("has no file `layout`"),
        }
    }

    /// Makes sure that the directory is ours and laid out as we were told.
    fn claim(&self) -> Result<()> {
        let recorded = match self.recorded_layout()? {
            Some(recorded) => recorded,
            None => self.record_layout()?,
        };
        self.check_layout(recorded)?;
        self.create_staging()
    }

    fn check_layout(&self, recorded: Layout) -> Result<()> {
        if recorded != self.layout {
            let (is, wanted) = (recorded.shard_chars(), self.layout.shard_chars());
            let message = format!("{} was made with shard_chars {is}, not {wanted}", self.path.display());
            return Err(Error::new(ErrorKind::Config, message)
                .advice(format!("set shard_chars={is}, or give another directory")));
        }
        Ok(())
    }

    /// Takes a directory without a layout file, and says which layout it has then: another process may be faster.
    fn record_layout(&self) -> Result<Layout> {
        let foreign = self.foreign_name().map_err(|error| failed("listed", &self.path, error))?;
        if let Some(name) = foreign {
            // Perhaps another process has just made the store, and a blob in it.
            return self.recorded_layout()?.ok_or_else(|| {
                let message = format!("{} holds {name:?} and is no cacheness blob directory", self.path.display());
                Error::new(ErrorKind::ForeignStore, message)
                    .advice("give an empty or missing directory; nothing was changed in this one")
            });
        }
        self.create_staging()?;
        self.write_layout().map_err(|error| failed("written", &self.path.join(LAYOUT_FILE), error))?;
        self.recorded_layout()?
            .ok_or_else(|| Error::new(ErrorKind::Storage, format!("{} was emptied meanwhile", self.path.display())))
    }

    fn recorded_layout(&self) -> Result<Option<Layout>> {
        let path = self.path.join(LAYOUT_FILE);
        let unreadable = |error| failed("read", &path, error);
        let Some((file, _)) = self.directory.open_file(LAYOUT_FILE).map_err(unreadable)? else { return Ok(None) };
        let mut text = Vec::new();
        file.take(MAX_LAYOUT_FILE).read_to_end(&mut text).map_err(unreadable)?;
        Layout::from_text(&String::from_utf8_lossy(&text)).map(Some)
    }

    /// The name of something that we did not put here.
    fn foreign_name(&self) -> io::Result<Option<String>> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() != OsStr::new(STAGING) || !entry.file_type()?.is_dir() {
                return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
            }
            for staged in fs::read_dir(entry.path())? {
                let name = staged?.file_name().to_string_lossy().into_owned();
                if !name.starts_with(STAGED_PREFIX) {
                    return Ok(Some(format!("{STAGING}/{name}")));
                }
            }
        }
        Ok(None)
    }

    fn create_staging(&self) -> Result<()> {
        let path = self.path.join(STAGING);
        let created = self.directory.create_child(STAGING).and_then(|_| self.directory.child(STAGING));
        match created.map_err(|error| failed("created", &path, error))? {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::ForeignStore, format!("{} is not a directory", path.display()))),
        }
    }

    /// Writes the layout file unless there is one. It appears with its whole text.
    fn write_layout(&self) -> io::Result<()> {
        let prefix = format!("{STAGED_PREFIX}layout-");
        let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(self.path.join(STAGING))?;
        file.write_all(self.layout.to_text().as_bytes())?;
        // Else a loss of power could leave the name without the text, and the directory could not be opened again.
        file.as_file().sync_all()?;
        match file.persist_noclobber(self.path.join(LAYOUT_FILE)) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    }
}

/// The directories above `path`. Each may hold a name that whoever made it did not write out.
fn above(path: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_another_process_made_meanwhile_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let theirs = Layout::new(3).unwrap();
        Root::open(home.path().to_owned(), theirs).unwrap();
        fs::create_dir(home.path().join("0ab")).unwrap();
        let directory = Directory::open(home.path()).unwrap();
        let ours = Layout::new(2).unwrap();
        let root = Root { path: home.path().to_owned(), directory, layout: ours, settled: Settled::new(Vec::new()) };
        assert_eq!(root.record_layout().unwrap(), theirs);
    }
}
