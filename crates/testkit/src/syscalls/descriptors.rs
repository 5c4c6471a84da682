//! Which descriptor of which process means which file.

use super::disk::Inode;
use std::collections::HashMap;

/// An open file, which several descriptors may mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) inode: Inode,
    pub(super) position: usize,
    /// It is opened with `O_APPEND`.
    pub(super) appends: bool,
    /// It is opened with `O_SYNC` or `O_DSYNC`.
    pub(super) syncs: bool,
}

/// The tables of descriptors of all processes. Files that are not followed are in none.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    open: Vec<OpenFile>,
    tables: Vec<HashMap<i32, usize>>,
    /// The table of each thread.
    of_thread: HashMap<u32, usize>,
}

impl Descriptors {
    fn table(&mut self, thread: u32) -> Option<&mut HashMap<i32, usize>> {
        let tables = &mut self.tables;
        let index = *self.of_thread.entry(thread).or_insert_with(|| {
            tables.push(HashMap::new());
            tables.len() - 1
        });
        self.tables.get_mut(index)
    }

    /// Whether a thread did anything yet, or was started.
    pub(super) fn knows(&self, thread: u32) -> bool {
        self.of_thread.contains_key(&thread)
    }

    /// The file that a descriptor means, if it is one that is followed.
    pub(super) fn file(&mut self, thread: u32, descriptor: i32) -> Option<&mut OpenFile> {
        let index = *self.table(thread)?.get(&descriptor)?;
        self.open.get_mut(index)
    }

    /// A file was opened.
    pub(super) fn open(&mut self, thread: u32, descriptor: i32, file: OpenFile) {
        let index = self.open.len();
        self.open.push(file);
        if let Some(table) = self.table(thread) {
            table.insert(descriptor, index);
        }
    }

    /// A descriptor means the same as another from now on.
    pub(super) fn duplicate(&mut self, thread: u32, from: i32, to: i32) {
        if let Some(table) = self.table(thread) {
            match table.get(&from).copied() {
                Some(index) => drop(table.insert(to, index)),
                None => drop(table.remove(&to)),
            }
        }
    }

    /// Some descriptors were closed.
    pub(super) fn close(&mut self, thread: u32, closed: impl Fn(i32) -> bool) {
        if let Some(table) = self.table(thread) {
            table.retain(|descriptor, _| !closed(*descriptor));
        }
    }

    /// A thread starts another, or a process if they do not share descriptors. It may have happened before.
    pub(super) fn start(&mut self, parent: u32, child: u32, shared: bool) {
        if self.knows(child) {
            return;
        }
        let Some(table) = self.table(parent).cloned() else { return };
        let index = match self.of_thread.get(&parent) {
            Some(index) if shared => *index,
            _ => {
                self.tables.push(table);
                self.tables.len() - 1
            }
        };
        self.of_thread.insert(child, index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::disk::Disk;

    const FILE: OpenFile = OpenFile { inode: Disk::ROOT, position: 0, appends: false, syncs: false };

    #[test]
    fn duplicates_share_a_position() {
        let mut descriptors = Descriptors::default();
        descriptors.open(1, 3, FILE);
        descriptors.duplicate(1, 3, 4);
        descriptors.close(1, |descriptor| descriptor == 3);
        descriptors.file(1, 4).unwrap().position = 7;
        assert!(descriptors.file(1, 3).is_none());
        descriptors.duplicate(1, 4, 3);
        assert_eq!(descriptors.file(1, 3).unwrap().position, 7);
        descriptors.duplicate(1, 9, 3);
        assert!(descriptors.file(1, 3).is_none());
    }

    #[test]
    fn threads_share_descriptors_and_processes_copy_them() {
        let mut descriptors = Descriptors::default();
        descriptors.open(1, 3, FILE);
        descriptors.start(1, 2, true);
        descriptors.start(1, 9, false);
        descriptors.start(2, 9, true);
        descriptors.close(2, |descriptor| descriptor == 3);
        assert!(descriptors.file(1, 3).is_none());
        assert!(descriptors.file(9, 3).is_some());
    }
}
