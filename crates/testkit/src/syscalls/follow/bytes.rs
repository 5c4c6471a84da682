//! What calls do to the bytes of files.

use super::Follower;
use crate::syscalls::call::Call;
use crate::syscalls::descriptors::OpenFile;
use crate::syscalls::disk::Operation;
use cacheness_core::Result;

/// No file that is followed may be larger, in bytes: it is held in memory.
const LARGEST: u64 = 1 << 30;

impl Follower<'_> {
    pub(super) fn skip(&mut self, call: &Call, returned: u64) -> Result<()> {
        if let Some(file) = self.file(call, 0)? {
            file.position = file.position.saturating_add(bounded(call, returned)?);
        }
        Ok(())
    }

    pub(super) fn seek(&mut self, call: &Call, returned: u64) -> Result<()> {
        if let Some(file) = self.file(call, 0)? {
            file.position = bounded(call, returned)?;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, call: &Call, at: Option<u64>, returned: u64) -> Result<()> {
        if call.descriptor_path(0).is_some_and(|path| path == self.stdout) {
            let text = String::from_utf8_lossy(&call.bytes(1)?).into_owned();
            text.lines().for_each(|line| self.push(Operation::Say(line.to_owned())));
            return Ok(());
        }
        if self.file(call, 0)?.is_none() {
            return Ok(());
        }
        let mut bytes = call.bytes(1)?;
        bytes.truncate(bounded(call, returned)?);
        self.write_bytes(call, 0, at, bytes)
    }

    /// Writes at an offset, or where the file stands.
    fn write_bytes(&mut self, call: &Call, index: usize, at: Option<u64>, bytes: Vec<u8>) -> Result<()> {
        let Some(file) = self.file(call, index)?.copied() else { return Ok(()) };
        let moves = at.is_none();
        let at = match at {
            Some(at) => bounded(call, at)?,
            None if file.appends => self.disk.contents(file.inode).len(),
            None => file.position,
        };
        let end = at.saturating_add(bytes.len());
        bounded(call, end as u64)?;
        self.push(Operation::Write { file: file.inode, at, bytes });
        if file.syncs {
            self.push(Operation::Sync { inode: file.inode, before: self.disk.operations() });
        }
        self.advance(call, index, moves, end)
    }

    /// Sets the position of a file, after a call that moves it.
    fn advance(&mut self, call: &Call, index: usize, moves: bool, position: usize) -> Result<()> {
        if let Some(file) = self.file(call, index)?.filter(|_| moves) {
            file.position = position;
        }
        Ok(())
    }

    pub(super) fn copy(
        &mut self,
        call: &Call,
        [from, to]: [usize; 2],
        [from_at, to_at]: [usize; 2],
        count: u64,
    ) -> Result<()> {
        let source = self.file(call, from)?.copied();
        if self.file(call, to)?.is_none() {
            return Ok(());
        }
        let source = source.ok_or_else(|| call.not_understood())?;
        let offset =
            |index| call.argument(index).strip_prefix('[').and_then(|text| text.split(']').next()?.parse().ok());
        let start = bounded(call, offset(from_at).unwrap_or(source.position as u64))?;
        let end = start.saturating_add(bounded(call, count)?);
        let bytes = self.disk.contents(source.inode).get(start..end).ok_or_else(|| call.not_understood())?.to_vec();
        self.advance(call, from, offset(from_at).is_none(), end)?;
        self.write_bytes(call, to, offset(to_at), bytes)
    }

    pub(super) fn resize(&mut self, call: &Call, size: u64, only_grows: bool) -> Result<()> {
        if let Some(&mut OpenFile { inode, .. }) = self.file(call, 0)? {
            let size = bounded(call, size)?;
            if !only_grows || size > self.disk.contents(inode).len() {
                self.push(Operation::Resize { file: inode, size });
            }
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, call: &Call, before: usize) -> Result<()> {
        if let Some(&mut OpenFile { inode, .. }) = self.file(call, 0)? {
            self.push(Operation::Sync { inode, before });
        }
        Ok(())
    }
}

/// A number of bytes, if a file of so many can be followed.
fn bounded(call: &Call, bytes: u64) -> Result<usize> {
    match usize::try_from(bytes) {
        Ok(size) if bytes <= LARGEST => Ok(size),
        _ => Err(call.not_understood()),
    }
}
