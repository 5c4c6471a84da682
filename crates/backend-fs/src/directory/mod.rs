//! A directory of the store, and what is done to regular files in it. Symbolic links below the root are never
//! followed, and nothing but a regular file is ever read, replaced or removed.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "portable.rs")]
mod system;

use cacheness_storage::{BlobId, BlobInfo, Timestamp};

pub(crate) use system::{Directory, SYNCS_DIRECTORIES, create_private, read_at, sync};

/// What the file system says of a regular file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) size: u64,
    pub(crate) modified_at: Option<Timestamp>,
}

impl Facts {
    pub(crate) fn of(metadata: &std::fs::Metadata) -> Self {
        Self { size: metadata.len(), modified_at: metadata.modified().ok().map(Timestamp::from) }
    }

    pub(crate) fn describe(self, id: &BlobId) -> BlobInfo {
        let mut info = BlobInfo::new(*id, self.size);
        info.modified_at = self.modified_at;
        info
    }
}
