//! From system calls to what they do to the disk.

mod bytes;

use crate::syscalls::call::{Call, Event};
use crate::syscalls::descriptors::{Descriptors, OpenFile};
use crate::syscalls::disk::{Disk, Inode, Operation};
use cacheness_core::Result;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The calls that are followed, for `strace -e trace`. Which of them there are depends on the architecture.
pub(super) const FOLLOWED: &str = "?open,?openat,?openat2,?creat,?close,?close_range,?dup,?dup2,?dup3,?fcntl,?ioctl,\
    ?mmap,?read,?readv,?lseek,?write,?writev,?pwrite64,?pwritev,?pwritev2,?copy_file_range,?sendfile,?splice,\
    ?truncate,?ftruncate,?fallocate,?link,?linkat,?symlink,?symlinkat,?unlink,?unlinkat,?rename,?renameat,?renameat2,\
    ?mkdir,?mkdirat,?rmdir,?fsync,?fdatasync,?sync,?syncfs,?clone,?clone3,?fork,?vfork,?io_uring_setup";

/// Follows calls.
pub(super) struct Follower<'a> {
    root: &'a Path,
    stdout: &'a Path,
    /// Names of files that do not matter end so.
    ignored: &'a [String],
    disk: Disk,
    descriptors: Descriptors,
    /// When each thread began the call that it is in.
    begun: HashMap<u32, usize>,
    /// Who is just starting a thread or process, and whether it will share descriptors.
    starting: Vec<(u32, bool)>,
    operations: Vec<Operation>,
}

impl<'a> Follower<'a> {
    /// Follows what is done below `root`, and what is written to the file `stdout`.
    pub(super) fn new(root: &'a Path, stdout: &'a Path, ignored: &'a [String]) -> Self {
        Self {
            root,
            stdout,
            ignored,
            disk: Disk::new(),
            descriptors: Descriptors::default(),
            begun: HashMap::new(),
            starting: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// What was done.
    pub(super) fn finish(self) -> Vec<Operation> {
        self.operations
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<()> {
        let (Event::Begins(call) | Event::Ends(call)) = event;
        // Whoever is started can be faster than the call that starts it.
        if let Some((parent, shared)) = self.starting.first().copied()
            && !self.descriptors.knows(call.thread)
        {
            self.descriptors.start(parent, call.thread, shared);
        }
        match event {
            Event::Begins(call) => {
                self.begun.insert(call.thread, self.disk.operations());
                if is_start(call) {
                    self.starting.push((call.thread, shares_descriptors(call)));
                }
                // Before it ends, another thread can be given the number.
                if call.name == "close" {
                    self.close(call)?;
                }
                Ok(())
            }
            Event::Ends(call) => {
                let begun = self.begun.remove(&call.thread);
                if is_start(call) {
                    self.starting.retain(|(parent, _)| *parent != call.thread);
                }
                if call.name == "close" && begun.is_none() {
                    self.close(call)?;
                }
                match call.returned() {
                    Some(returned) => self.call(call, returned, begun.unwrap_or(self.disk.operations())),
                    None => Ok(()),
                }
            }
        }
    }

    fn call(&mut self, call: &Call, returned: u64, begun: usize) -> Result<()> {
        match call.name.as_str() {
            "open" | "openat" | "openat2" => self.open(call, returned),
            "dup" | "dup2" | "dup3" => self.duplicate(call, returned),
            "fcntl" if call.argument(1).starts_with("F_DUPFD") => self.duplicate(call, returned),
            "close_range" => self.close_range(call),
            _ if is_start(call) => {
                if let Ok(child) = u32::try_from(returned) {
                    self.descriptors.start(call.thread, child, shares_descriptors(call));
                }
                Ok(())
            }
            "read" | "readv" => self.skip(call, returned),
            "lseek" => self.seek(call, returned),
            "write" | "writev" => self.write(call, None, returned),
            "pwrite64" | "pwritev" => self.write(call, Some(call.number(3)?), returned),
            "copy_file_range" => self.copy(call, [0, 2], [1, 3], returned),
            "sendfile" => self.copy(call, [1, 0], [2, usize::MAX], returned),
            "ftruncate" => self.resize(call, call.number(1)?, false),
            "fallocate" if matches!(call.argument(1), "0" | "0x0") => {
                self.resize(call, call.number(2)?.saturating_add(call.number(3)?), true)
            }
            "fallocate" if call.argument(1) == "FALLOC_FL_KEEP_SIZE" => Ok(()),
            "mkdir" => self.make_directory(&call.path(0)?),
            "mkdirat" => self.make_directory(&call.path(1)?),
            "link" => self.link(call, &call.path(0)?, &call.path(1)?),
            "linkat" => self.link(call, &call.path(1)?, &call.path(3)?),
            "unlink" | "rmdir" => self.forget(&call.path(0)?),
            "unlinkat" => self.forget(&call.path(1)?),
            "rename" => self.rename(call, &call.path(0)?, &call.path(1)?),
            "renameat" | "renameat2" => self.rename(call, &call.path(1)?, &call.path(3)?),
            "fsync" | "fdatasync" => self.sync(call, begun),
            "sync" | "syncfs" => {
                self.disk.inodes().for_each(|inode| self.push(Operation::Sync { inode, before: begun }));
                Ok(())
            }
            "mmap" if !(call.argument(2).contains("PROT_WRITE") && call.argument(3).contains("MAP_SHARED")) => Ok(()),
            "ioctl" if !call.argument(1).contains("CLONE") => Ok(()),
            "io_uring_setup" => Err(call.not_understood()),
            "close" | "fcntl" => Ok(()),
            _ => self.must_be_elsewhere(call),
        }
    }

    fn push(&mut self, operation: Operation) {
        self.disk.apply(&operation);
        self.operations.push(operation);
    }

    /// A path below the root, relative to it; `None` for all others, and for files that do not matter.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(self.root).ok()?;
        let name = below.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (!self.ignored.iter().any(|end| name.ends_with(end))).then(|| below.to_owned())
    }

    /// The directory and the name of what a path names.
    fn place(&self, path: &Path) -> Option<(Inode, OsString)> {
        let below = self.below(path)?;
        Some((self.disk.find(below.parent()?)?, below.file_name()?.to_owned()))
    }

    /// Refuses a call that would have to be followed if it touched the root.
    fn must_be_elsewhere(&mut self, call: &Call) -> Result<()> {
        let is_followed = |path: PathBuf| self.below(&path).is_some();
        for index in 0..call.arguments.len() {
            let named = call.argument(index).starts_with('"').then(|| call.path(index)).transpose()?;
            if named.is_some_and(is_followed) || call.descriptor_path(index).is_some_and(is_followed) {
                return Err(call.not_understood());
            }
        }
        Ok(())
    }

    /// The open file that an argument means, if it is followed.
    fn file(&mut self, call: &Call, index: usize) -> Result<Option<&mut OpenFile>> {
        let descriptor = call.descriptor(index)?;
        if self.descriptors.file(call.thread, descriptor).is_none() {
            let deleted = call.argument(index).ends_with("(deleted)");
            if !deleted && call.descriptor_path(index).is_some_and(|path| self.below(&path).is_some()) {
                return Err(call.not_understood());
            }
        }
        Ok(self.descriptors.file(call.thread, descriptor))
    }

    /// What a path names; it is made if that was not seen yet, because the call that makes it has not ended.
    fn find_or_make(&mut self, path: &Path, is_directory: bool) -> Option<Inode> {
        let below = self.below(path)?;
        if let Some(found) = self.disk.find(&below) {
            return Some(found);
        }
        let (directory, name) = self.place(path)?;
        let inode = self.make(is_directory);
        self.push(Operation::Name { directory, name, inode });
        Some(inode)
    }

    fn make(&mut self, is_directory: bool) -> Inode {
        let inode = self.disk.next_inode();
        self.push(Operation::Make { is_directory });
        inode
    }

    fn make_directory(&mut self, path: &Path) -> Result<()> {
        self.find_or_make(path, true);
        Ok(())
    }

    fn open(&mut self, call: &Call, returned: u64) -> Result<()> {
        let (Some(path), Ok(descriptor)) = (call.returned_path(), i32::try_from(returned)) else { return Ok(()) };
        let flags: Vec<&str> = call.open_flags().split('|').collect();
        let has = |flag| flags.contains(&flag);
        let inode = match has("O_TMPFILE") {
            true if self.below(&path).is_some() => Some(self.make(false)),
            true => None,
            false => self.find_or_make(&path, has("O_DIRECTORY")),
        };
        let Some(inode) = inode else {
            return if self.below(&path).is_some() { Err(call.not_understood()) } else { Ok(()) };
        };
        if has("O_TRUNC") {
            self.push(Operation::Resize { file: inode, size: 0 });
        }
        let syncs = has("O_SYNC") || has("O_DSYNC");
        let file = OpenFile { inode, position: 0, appends: has("O_APPEND"), syncs };
        self.descriptors.open(call.thread, descriptor, file);
        Ok(())
    }

    fn close(&mut self, call: &Call) -> Result<()> {
        let descriptor = call.descriptor(0)?;
        self.descriptors.close(call.thread, |open| open == descriptor);
        Ok(())
    }

    fn close_range(&mut self, call: &Call) -> Result<()> {
        let range = call.number(0)?..=call.number(1)?;
        if !call.argument(2).contains("CLOSE_RANGE_CLOEXEC") {
            self.descriptors.close(call.thread, |open| u64::try_from(open).is_ok_and(|open| range.contains(&open)));
        }
        Ok(())
    }

    fn duplicate(&mut self, call: &Call, returned: u64) -> Result<()> {
        if let Ok(descriptor) = i32::try_from(returned) {
            self.descriptors.duplicate(call.thread, call.descriptor(0)?, descriptor);
        }
        Ok(())
    }

    fn link(&mut self, call: &Call, from: &Path, to: &Path) -> Result<()> {
        let Some((directory, name)) = self.place(to) else { return self.must_be_elsewhere(call) };
        let descriptor = from.strip_prefix("/proc/self/fd").ok().and_then(|rest| rest.to_str()?.parse().ok());
        let inode = match descriptor {
            Some(descriptor) => self.descriptors.file(call.thread, descriptor).map(|file| file.inode),
            None => self.below(from).and_then(|below| self.disk.find(&below)),
        };
        let inode = inode.ok_or_else(|| call.not_understood())?;
        self.push(Operation::Name { directory, name, inode });
        Ok(())
    }

    fn forget(&mut self, path: &Path) -> Result<()> {
        if let Some((directory, name)) = self.place(path) {
            self.push(Operation::Forget { directory, name });
        }
        Ok(())
    }

    fn rename(&mut self, call: &Call, from: &Path, to: &Path) -> Result<()> {
        match (self.place(from), self.place(to)) {
            (None, None) => self.must_be_elsewhere(call),
            _ if call.argument(4).contains("EXCHANGE") => Err(call.not_understood()),
            (Some((directory, from)), Some((to_directory, to))) if directory == to_directory => {
                self.push(Operation::Rename { directory, from, to });
                Ok(())
            }
            (Some((from_directory, from_name)), Some((directory, name))) => {
                let found = self.below(from).and_then(|below| self.disk.find(&below));
                let inode = found.ok_or_else(|| call.not_understood())?;
                self.push(Operation::Name { directory, name, inode });
                self.push(Operation::Forget { directory: from_directory, name: from_name });
                Ok(())
            }
            _ => Err(call.not_understood()),
        }
    }
}

/// Whether a call starts a thread or a process.
fn is_start(call: &Call) -> bool {
    matches!(call.name.as_str(), "clone" | "clone3" | "fork" | "vfork")
}

fn shares_descriptors(call: &Call) -> bool {
    call.arguments.iter().any(|argument| argument.contains("CLONE_FILES"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::call::events;
    use crate::syscalls::disk::Tree;
    use cacheness_core::{Error, ErrorKind};

    /// Follows a trace whose root is `/d`, and returns what programs see at the end, or what is certain.
    fn follow(trace: &str, certain: bool) -> Result<Vec<(String, String)>> {
        let ignored = ["-shm".to_owned()];
        let mut follower = Follower::new(Path::new("/d"), Path::new("/out"), &ignored);
        for event in events(trace)? {
            follower.event(&event)?;
        }
        let mut disk = follower.disk;
        if !certain {
            disk.inodes().for_each(|inode| disk.apply(&Operation::Sync { inode, before: usize::MAX }));
        }
        let mut found = Vec::new();
        list(&disk.certain(), String::new(), &mut found);
        Ok(found)
    }

    fn list(tree: &Tree, path: String, found: &mut Vec<(String, String)>) {
        match tree {
            Tree::File(_, bytes) => found.push((path, String::from_utf8_lossy(bytes).into_owned())),
            Tree::Directory(names) => {
                names.iter().for_each(|(name, tree)| list(tree, format!("{path}/{}", name.display()), found));
            }
        }
    }

    fn seen(trace: &str) -> Vec<(String, String)> {
        follow(trace, false).unwrap()
    }

    fn files<const N: usize>(files: [(&str, &str); N]) -> Vec<(String, String)> {
        files.map(|(path, contents)| (path.to_owned(), contents.to_owned())).to_vec()
    }

    const OPEN: &str = "1 openat(AT_FDCWD</x>, \"/d/a\", O_RDWR|O_CREAT, 0600) = 3</d/a>\n";

    #[test]
    fn writes_go_where_the_file_stands() {
        let trace = "1 write(3</d/a>, \"one\", 3) = 3\n1 dup(3</d/a>) = 4</d/a>\n1 write(4</d/a>, \"two\", 3) = 2\n\
            1 read(0x3, 0x7ff, 0x9) = 0x1\n1 write(3</d/a>, \"!\", 1) = 1\n1 pwrite64(3</d/a>, \"O\", 1, 0) = 1\n\
            1 lseek(3</d/a>, 1, SEEK_SET) = 1\n1 writev(3</d/a>, [{iov_base=\"N\", iov_len=1}], 1) = 1\n\
            1 write(3</d/a>, \"never\", 5) = -1 ENOSPC (No space left on device)\n1 ftruncate(3</d/a>, 8) = 0\n\
            1 openat(AT_FDCWD</x>, \"/d/a\", O_WRONLY|O_APPEND) = 5</d/a>\n1 write(5</d/a>, \"end\", 3) = 3";
        assert_eq!(seen(&format!("{OPEN}{trace}")), files([("/a", "ONetw\0!\0end")]));
    }

    #[test]
    fn names_are_made_linked_moved_and_removed() {
        let trace = "1 mkdir(\"/d/b\", 0700) = 0\n1 openat(AT_FDCWD</x>, \"/d/b\", O_RDONLY|O_DIRECTORY) = 4</d/b>\n\
            1 write(3</d/a>, \"text\", 4) = 4\n1 linkat(AT_FDCWD</x>, \"../d/a\", 4</d/b>, \"c\", 0) = 0\n\
            1 renameat2(4</d/b>, \"c\", 4</d/b>, \"e\", RENAME_NOREPLACE) = 0\n1 rename(\"/d/a\", \"/d/b/f\") = 0\n\
            1 unlinkat(4</d/b>, \"e\", 0) = 0\n1 mkdirat(4</d/b>, \"empty\", 0700) = 0";
        assert_eq!(seen(&format!("{OPEN}{trace}")), files([("/b/f", "text")]));
    }

    #[test]
    fn a_file_without_a_name_gets_one() {
        let trace = "1 openat2(5</d>, \".\", {flags=O_RDWR|O_TMPFILE, mode=0600, resolve=RESOLVE_BENEATH}, 24) = 3</d/#7>(deleted)\n\
            1 write(3</d/#7>(deleted), \"text\", 4) = 4\n\
            1 linkat(AT_FDCWD</x>, \"/proc/self/fd/3\", AT_FDCWD</x>, \"/d/a\", AT_SYMLINK_FOLLOW) = 0";
        assert_eq!(seen(trace), files([("/a", "text")]));
    }

    #[test]
    fn bytes_are_copied_between_files() {
        let trace = "1 write(3</d/a>, \"text\", 4) = 4\n1 lseek(3</d/a>, 0, SEEK_SET) = 0\n\
            1 openat(AT_FDCWD</x>, \"/d/b\", O_WRONLY|O_CREAT, 0600) = 4</d/b>\n\
            1 copy_file_range(3</d/a>, NULL, 4</d/b>, NULL, 9, 0) = 2\n\
            1 sendfile(4</d/b>, 3</d/a>, NULL, 9) = 2\n1 sendfile(4</d/b>, 3</d/a>, [1] => [4], 9) = 3";
        assert_eq!(seen(&format!("{OPEN}{trace}")), files([("/a", "text"), ("/b", "textext")]));
    }

    #[test]
    fn a_sync_counts_from_its_begin_and_a_close_too() {
        let trace = "1 write(3</d/a>, \"one\", 3) = 3\n1 fsync(3</d/a> <unfinished ...>\n2 write(3</d/a>, \"two\", 3) = 3\n\
            1 <... fsync resumed>) = 0\n1 openat(AT_FDCWD</x>, \"/d\", O_RDONLY) = 4</d>\n1 fsync(4</d>) = 0\n\
            1 close(4</d> <unfinished ...>\n2 openat(AT_FDCWD</x>, \"/d/a\", O_WRONLY) = 4</d/a>\n\
            1 <... close resumed>) = 0\n2 pwrite64(4</d/a>, \"1\", 1, 0) = 1\n\
            1 close(4</d/a> <unfinished ...>\n2 openat(AT_FDCWD</x>, \"/x/y\", O_WRONLY) = 4</x/y>\n\
            2 pwrite64(4</x/y>, \"2\", 1, 0) = 1\n1 <... close resumed>) = 0\n2 fsync(3</d/a>) = 0";
        let start = "1 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD) = 2\n";
        assert_eq!(follow(&format!("{OPEN}{start}{trace}"), true).unwrap(), files([("/a", "1netwo")]));
        let until = trace.split("1 close").next().unwrap_or(trace);
        assert_eq!(follow(&format!("{OPEN}{start}{until}"), true).unwrap(), files([("/a", "one")]));
    }

    #[test]
    fn a_thread_can_begin_before_the_call_that_starts_it_ends() {
        let trace = "1 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD} <unfinished ...>\n\
            2 write(3</d/a>, \"text\", 4) = 4\n1 <... clone3 resumed>, 88) = 2\n\
            2 pwrite64(3</d/a>, \"T\", 1, 0) = 1";
        assert_eq!(seen(&format!("{OPEN}{trace}")), files([("/a", "Text")]));
    }

    #[test]
    fn what_is_elsewhere_or_does_not_matter_is_passed_over() {
        let trace = "1 openat(AT_FDCWD</x>, \"/d/a-shm\", O_RDWR|O_CREAT, 0600) = 4</d/a-shm>\n\
            1 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 4</d/a-shm>, 0) = 0x7ff\n\
            1 openat(AT_FDCWD</x>, \"y\", O_WRONLY|O_CREAT, 0600) = 5</x/y>\n1 write(5</x/y>, \"text\", 4) = 4\n\
            1 splice(5</x/y>, NULL, 6<pipe:[1]>, NULL, 9, 0) = 4\n1 unlink(\"/d/a-shm\") = 0";
        assert_eq!(seen(trace), []);
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let calls = [
            "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3</d/a>, 0) = 0x7ff",
            "io_uring_setup(8, {flags=0}) = 9",
            "splice(6<pipe:[1]>, NULL, 3</d/a>, NULL, 9, 0) = 9",
            "symlink(\"a\", \"/d/b\") = 0",
            "pwrite64(8</d/b>, \"text\", 4, 0) = 4",
            "ftruncate(3</d/a>, 99999999999) = 0",
            "renameat2(AT_FDCWD</x>, \"/d/a\", AT_FDCWD</x>, \"/d/b\", RENAME_EXCHANGE) = 0",
            "copy_file_range(8</x/y>, NULL, 3</d/a>, NULL, 9, 0) = 9",
            "fallocate(3</d/a>, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 9) = 0",
        ];
        for call in calls {
            let error: Error = follow(&format!("{OPEN}1 {call}"), false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
    }
}
