//! The ordered listing: shard after shard, the smallest names first, in memory bounded by the limit.

use crate::directory::Directory;
use crate::layout::{file_name, parse_file_name};
use crate::root::{Root, failed};
use cacheness_storage::{BlobId, BlobInfo, Result};
use std::collections::BinaryHeap;
use std::io;

impl Root {
    /// The next blobs after a name, at most `limit`. What is not a blob of its shard is passed over.
    pub(crate) fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        for shard in after.map_or(0, |id| self.layout.shard(&id))..self.layout.shards() {
            if found.len() >= limit {
                break;
            }
            self.list_shard(shard, after, limit, &mut found)
                .map_err(|error| failed("listed", &self.shard_path(shard), error))?;
        }
        Ok(found)
    }

    fn list_shard(
        &self,
        shard: u32,
        mut after: Option<BlobId>,
        limit: usize,
        found: &mut Vec<BlobInfo>,
    ) -> io::Result<()> {
        let Some(directory) = self.shard(shard)? else { return Ok(()) };
        while found.len() < limit {
            let room = limit - found.len();
            let ids = self.next_names(&directory, shard, after, room)?;
            for id in &ids {
                // Deleted meanwhile, perhaps.
                if let Some(facts) = directory.facts(&file_name(id))? {
                    found.push(facts.describe(id));
                }
            }
            if ids.len() < room {
                break;
            }
            after = ids.last().copied();
        }
        Ok(())
    }

    fn next_names(
        &self,
        directory: &Directory,
        shard: u32,
        after: Option<BlobId>,
        limit: usize,
    ) -> io::Result<Vec<BlobId>> {
        let mut smallest = BinaryHeap::new();
        for name in directory.file_names()? {
            let Some(id) = parse_file_name(&name?) else { continue };
            if self.layout.shard(&id) != shard || after.is_some_and(|after| id <= after) {
                continue;
            }
            if smallest.len() < limit {
                smallest.push(id);
            } else if let Some(mut largest) = smallest.peek_mut()
                && id < *largest
            {
                *largest = id;
            }
        }
        Ok(smallest.into_sorted_vec())
    }
}
