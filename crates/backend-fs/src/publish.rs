//! How bytes become a blob: written under their final name, or linked there from the staging directory. Nothing is
//! ever renamed or written over an existing file.

use crate::directory::{Directory, Facts};
use crate::layout::file_name;
use crate::root::{Root, Shard, failed};
use cacheness_storage::{BlobId, BlobInfo, Durability, Error, ErrorKind, Result, Staged};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

impl Root {
    /// Makes a blob of what is staged.
    pub(crate) fn publish(&self, id: &BlobId, payload: Staged, durability: Durability) -> Result<BlobInfo> {
        let facts = match payload {
            Staged::Bytes(bytes) => self.write(id, durability, |file| file.write_all(&bytes))?,
            Staged::File(staged) => {
                let size = staged.len();
                let (file, path) = staged.into_parts();
                match self.link(id, durability, &file, &path, size)? {
                    Some(facts) => facts,
                    None => self.write(id, durability, |file| copy(&path, file, size))?,
                }
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, "payloads are taken from memory and from files only")),
        };
        Ok(facts.describe(id))
    }

    /// Writes a blob under its final name. What is left of a failure, or of a crash, no record names.
    fn write(
        &self,
        id: &BlobId,
        durability: Durability,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<Facts> {
        // Whose name must be made to last needs the directory anyway.
        if durability != Durability::Full
            && let Some(mut file) = self.create_at_once(id)
        {
            let written = fill(&mut file).and_then(|()| finish(&file, durability));
            return written.map_err(|error| {
                let _ = self.delete(id);
                failed("written", &self.blob_path(id), error)
            });
        }
        let (shard, mut file) = self.place(id, Directory::create_file).map_err(|error| self.not_created(id, error))?;
        self.complete(id, durability, &shard, || {
            fill(&mut file)?;
            finish(&file, durability)
        })
    }

    /// Creates a blob's file in its shard, if that is there, without opening the shard.
    fn create_at_once(&self, id: &BlobId) -> Option<File> {
        let shard = self.layout.directory(self.layout.shard(id))?;
        self.directory.create_file_below(&shard, &file_name(id))
    }

    /// Gives a staged file the blob's name; `None` when that cannot be done, and it must be copied.
    fn link(&self, id: &BlobId, durability: Durability, file: &File, path: &Path, size: u64) -> Result<Option<Facts>> {
        match self.place(id, |directory, name| directory.link_file(path, name)) {
            Ok((shard, ())) => self
                .complete(id, durability, &shard, || {
                    let facts = finish(file, durability)?;
                    if facts.size == size { Ok(facts) } else { Err(wrong_size(path, facts.size, size)) }
                })
                .map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Ends what began with a new name; takes the name back when that fails.
    fn complete(
        &self,
        id: &BlobId,
        durability: Durability,
        shard: &Shard<'_>,
        end: impl FnOnce() -> io::Result<Facts>,
    ) -> Result<Facts> {
        let completed = end().map_err(|error| failed("written", &self.blob_path(id), error)).and_then(|facts| {
            if durability == Durability::Full {
                self.settle_shard(self.layout.shard(id), shard)?;
            }
            Ok(facts)
        });
        if completed.is_err() {
            let _ = shard.remove_file(&file_name(id));
        }
        completed
    }

    /// Does what makes a new name in the directory of the blob's shard, which is made when it is missing.
    fn place<T>(&self, id: &BlobId, make: impl Fn(&Directory, &str) -> io::Result<T>) -> io::Result<(Shard<'_>, T)> {
        let name = file_name(id);
        let mut deleted_meanwhile = false;
        loop {
            let shard = self.shard_for_writing(self.layout.shard(id))?;
            match make(&shard, &name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !deleted_meanwhile => deleted_meanwhile = true,
                made => return made.map(|made| (shard, made)),
            }
        }
    }

    fn shard_for_writing(&self, shard: u32) -> io::Result<Shard<'_>> {
        if let Some(found) = self.shard(shard)? {
            return Ok(found);
        }
        if let Some(name) = self.layout.directory(shard)
            && self.directory.create_child(&name)?
        {
            self.settled.forget(shard);
        }
        self.shard(shard)?.ok_or_else(|| {
            let message = format!("{} is in the way: it is not a directory", self.shard_path(shard).display());
            Error::new(ErrorKind::ForeignStore, message).advice("move it elsewhere").into()
        })
    }

    fn not_created(&self, id: &BlobId, error: io::Error) -> Error {
        let path = self.blob_path(id);
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Error::new(ErrorKind::AlreadyExists, format!("{} exists already", path.display()));
        }
        failed("created", &path, error)
    }
}

fn finish(file: &File, durability: Durability) -> io::Result<Facts> {
    if durability == Durability::Full {
        file.sync_all()?;
    }
    Ok(Facts::of(&file.metadata()?))
}

fn copy(from: &Path, to: &mut File, size: u64) -> io::Result<()> {
    let copied = io::copy(&mut File::open(from)?, to)?;
    if copied == size { Ok(()) } else { Err(wrong_size(from, copied, size)) }
}

fn wrong_size(path: &Path, found: u64, staged: u64) -> io::Error {
    io::Error::other(format!("{} has {found} bytes, but {staged} were staged", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use std::cell::Cell;
    use std::fs;

    #[test]
    fn a_shard_that_is_deleted_under_a_put_is_made_again_once() {
        let home = tempfile::tempdir().unwrap();
        let root = Root::open(home.path().to_owned(), Layout::new(2).unwrap()).unwrap();
        for (deletions, succeeds) in [(1, true), (2, false)] {
            let left = Cell::new(deletions);
            let placed = root.place(&BlobId::from_bytes([deletions; 16]), |shard, name| {
                if left.replace(left.get().saturating_sub(1)) > 0 {
                    fs::remove_dir(home.path().join(format!("{deletions:02x}")))?;
                }
                shard.create_file(name)
            });
            assert_eq!(placed.is_ok(), succeeds);
        }
    }
}
