//! A disk that may lose power: what is on it for certain, and what was done to it since and may be lost.
//!
//! Stricter than any file system: nothing is certain without a sync of its own. The bytes and the size of a file are
//! certain once the file was synced, a name once its directory was.

use crate::SeededRng;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

/// A write reaches the disk in pieces of so many bytes.
const PAGE: usize = 4096;

/// The number of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Inode(usize);

/// Something that is done to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// Makes a file or directory, without a name. They are numbered in the order in which they are made.
    Make {
        is_directory: bool,
    },
    /// Adds a name to a directory, or gives it to another file.
    Name {
        directory: Inode,
        name: OsString,
        inode: Inode,
    },
    /// Takes a name away.
    Forget {
        directory: Inode,
        name: OsString,
    },
    /// Gives a file another name in the same directory, at once.
    Rename {
        directory: Inode,
        from: OsString,
        to: OsString,
    },
    Write {
        file: Inode,
        at: usize,
        bytes: Vec<u8>,
    },
    Resize {
        file: Inode,
        size: usize,
    },
    /// Makes certain what was done to a file or directory before the operation of that number.
    Sync {
        inode: Inode,
        before: usize,
    },
    /// The worker wrote a line to its standard output.
    Say(String),
}

/// A state, known in two versions: for certain, and as programs see it.
#[derive(Debug)]
struct Versions<S: State> {
    certain: S,
    seen: S,
    /// What leads from the one to the other, each with the number of its operation.
    pending: Vec<(usize, S::Change)>,
}

trait State: Default {
    type Change;

    fn apply(&mut self, change: &Self::Change);
}

impl<S: State> Versions<S> {
    fn new() -> Self {
        Self { certain: S::default(), seen: S::default(), pending: Vec::new() }
    }

    fn change(&mut self, number: usize, change: S::Change) {
        self.seen.apply(&change);
        self.pending.push((number, change));
    }

    fn sync(&mut self, before: usize) {
        let end = self.pending.partition_point(|(number, _)| *number < before);
        for (_, change) in self.pending.drain(..end) {
            self.certain.apply(&change);
        }
    }
}

type Names = BTreeMap<OsString, Inode>;

#[derive(Debug)]
enum NameChange {
    Add(OsString, Inode),
    Remove(OsString),
    Move(OsString, OsString),
}

impl State for Names {
    type Change = NameChange;

    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Add(name, inode) => drop(self.insert(name.clone(), *inode)),
            NameChange::Remove(name) => drop(self.remove(name)),
            NameChange::Move(from, to) => {
                if let Some(inode) = self.remove(from) {
                    self.insert(to.clone(), inode);
                }
            }
        }
    }
}

#[derive(Debug)]
enum ByteChange {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl State for Vec<u8> {
    type Change = ByteChange;

    fn apply(&mut self, change: &ByteChange) {
        match change {
            ByteChange::Write { at, bytes } => write(self, *at, bytes),
            ByteChange::Resize(size) => self.resize(*size, 0),
        }
    }
}

fn write(contents: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if contents.len() < end {
        contents.resize(end, 0);
    }
    if let Some(place) = contents.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

#[derive(Debug)]
enum Node {
    File(Versions<Vec<u8>>),
    Directory(Versions<Names>),
}

/// What is on the disk after the loss of power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    /// The contents, and which of the disk's files it is: one can have several names.
    File(Inode, Vec<u8>),
    Directory(BTreeMap<OsString, Tree>),
}

/// The disk.
#[derive(Debug)]
pub(super) struct Disk {
    nodes: Vec<Node>,
    /// How many operations there were.
    operations: usize,
}

impl Disk {
    /// The directory that is there from the beginning.
    pub(super) const ROOT: Inode = Inode(0);

    /// An empty disk.
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Directory(Versions::new())], operations: 0 }
    }

    /// How many operations there were.
    pub(super) fn operations(&self) -> usize {
        self.operations
    }

    pub(super) fn apply(&mut self, operation: &Operation) {
        let number = self.operations;
        self.operations += 1;
        match operation {
            Operation::Make { is_directory: true } => self.nodes.push(Node::Directory(Versions::new())),
            Operation::Make { is_directory: false } => self.nodes.push(Node::File(Versions::new())),
            Operation::Name { directory, name, inode } => {
                self.rename(number, *directory, NameChange::Add(name.clone(), *inode));
            }
            Operation::Forget { directory, name } => self.rename(number, *directory, NameChange::Remove(name.clone())),
            Operation::Rename { directory, from, to } => {
                self.rename(number, *directory, NameChange::Move(from.clone(), to.clone()));
            }
            Operation::Write { file, at, bytes } => {
                self.rewrite(number, *file, ByteChange::Write { at: *at, bytes: bytes.clone() });
            }
            Operation::Resize { file, size } => self.rewrite(number, *file, ByteChange::Resize(*size)),
            Operation::Sync { inode, before } => match self.nodes.get_mut(inode.0) {
                Some(Node::File(bytes)) => bytes.sync(*before),
                Some(Node::Directory(names)) => names.sync(*before),
                None => {}
            },
            Operation::Say(_) => {}
        }
    }

    fn rename(&mut self, number: usize, directory: Inode, change: NameChange) {
        if let Some(Node::Directory(names)) = self.nodes.get_mut(directory.0) {
            names.change(number, change);
        }
    }

    fn rewrite(&mut self, number: usize, file: Inode, change: ByteChange) {
        if let Some(Node::File(bytes)) = self.nodes.get_mut(file.0) {
            bytes.change(number, change);
        }
    }

    /// The number of the file or directory that is made next.
    pub(super) fn next_inode(&self) -> Inode {
        Inode(self.nodes.len())
    }

    /// Every file and directory, also those without a name.
    pub(super) fn inodes(&self) -> impl Iterator<Item = Inode> + use<> {
        (0..self.nodes.len()).map(Inode)
    }

    /// What a path names, relative to the root, as programs see it.
    pub(super) fn find(&self, path: &Path) -> Option<Inode> {
        path.components().try_fold(Self::ROOT, |at, component| match component {
            Component::Normal(name) => self.child(at, name),
            _ => None,
        })
    }

    fn child(&self, directory: Inode, name: &OsStr) -> Option<Inode> {
        match self.nodes.get(directory.0)? {
            Node::Directory(names) => names.seen.get(name).copied(),
            Node::File(_) => None,
        }
    }

    /// What programs read in a file.
    pub(super) fn contents(&self, file: Inode) -> &[u8] {
        match self.nodes.get(file.0) {
            Some(Node::File(bytes)) => &bytes.seen,
            _ => &[],
        }
    }

    /// What is certain.
    pub(super) fn certain(&self) -> Tree {
        self.tree(Self::ROOT, &mut Leftovers { keep: &mut || false })
    }

    /// What is certain, and of the rest what chance kept: some names, some pages, some sizes.
    pub(super) fn with_leftovers(&self, rng: &SeededRng) -> Tree {
        let likely = rng.below(9);
        self.tree(Self::ROOT, &mut Leftovers { keep: &mut || rng.below(8) < likely })
    }

    fn tree(&self, inode: Inode, leftovers: &mut Leftovers<'_>) -> Tree {
        match self.nodes.get(inode.0) {
            Some(Node::File(bytes)) => Tree::File(inode, leftovers.contents(bytes)),
            Some(Node::Directory(names)) => {
                let names = leftovers.names(names);
                Tree::Directory(names.into_iter().map(|(name, inode)| (name, self.tree(inode, leftovers))).collect())
            }
            None => Tree::Directory(BTreeMap::new()),
        }
    }
}

/// Decides what is kept of what is not certain.
struct Leftovers<'a> {
    keep: &'a mut dyn FnMut() -> bool,
}

impl Leftovers<'_> {
    fn names(&mut self, names: &Versions<Names>) -> Names {
        let mut kept = names.certain.clone();
        for (_, change) in &names.pending {
            if (self.keep)() {
                kept.apply(change);
            }
        }
        kept
    }

    fn contents(&mut self, bytes: &Versions<Vec<u8>>) -> Vec<u8> {
        let mut kept = bytes.certain.clone();
        for (_, change) in &bytes.pending {
            match change {
                ByteChange::Resize(size) if (self.keep)() => kept.resize(*size, 0),
                ByteChange::Resize(_) => {}
                ByteChange::Write { at, bytes } => {
                    let mut at = *at;
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        let (piece, after) = rest.split_at(rest.len().min(PAGE - at % PAGE));
                        if (self.keep)() {
                            write(&mut kept, at, piece);
                        }
                        at += piece.len();
                        rest = after;
                    }
                }
            }
        }
        // A size can be there before the bytes are.
        if kept.len() < bytes.seen.len() && (self.keep)() {
            kept.resize(bytes.seen.len(), 0);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{Forget, Make, Name, Rename, Resize, Say, Sync, Write};

    const FILE: Inode = Inode(1);

    fn disk(operations: &[Operation]) -> Disk {
        let mut disk = Disk::new();
        operations.iter().for_each(|operation| disk.apply(operation));
        disk
    }

    fn name(name: &str, inode: Inode) -> Operation {
        Name { directory: Disk::ROOT, name: name.into(), inode }
    }

    fn write_at(at: usize, text: &str) -> Operation {
        Write { file: FILE, at, bytes: text.into() }
    }

    fn sync(inode: Inode) -> Operation {
        Sync { inode, before: usize::MAX }
    }

    /// A certain name of a certain, empty file.
    fn file() -> Vec<Operation> {
        vec![Make { is_directory: false }, name("a", FILE), sync(Disk::ROOT)]
    }

    /// The certain files, as `name=contents`.
    fn certain(operations: &[Operation]) -> Vec<String> {
        files(&disk(operations).certain())
    }

    fn files(tree: &Tree) -> Vec<String> {
        match tree {
            Tree::File(_, bytes) => vec![format!("={}", String::from_utf8_lossy(bytes))],
            Tree::Directory(names) => names
                .iter()
                .flat_map(|(name, tree)| {
                    let name = name.to_string_lossy().into_owned();
                    let nested = matches!(tree, Tree::Directory(_));
                    files(tree).into_iter().map(move |rest| format!("{name}{}{rest}", if nested { "/" } else { "" }))
                })
                .collect(),
        }
    }

    #[test]
    fn a_write_without_a_sync_is_lost() {
        let with = |more: &[Operation]| certain(&[&file()[..], more].concat());
        assert_eq!(with(&[write_at(0, "text")]), ["a="]);
        assert_eq!(with(&[write_at(0, "text"), sync(FILE)]), ["a=text"]);
        assert_eq!(with(&[write_at(0, "text"), sync(FILE), write_at(1, "other")]), ["a=text"]);
        assert_eq!(with(&[write_at(0, "text"), sync(FILE), Resize { file: FILE, size: 2 }]), ["a=text"]);
        assert_eq!(with(&[write_at(2, "text"), Resize { file: FILE, size: 3 }, sync(FILE)]), ["a=\0\0t"]);
    }

    #[test]
    fn a_name_without_a_sync_of_its_directory_is_lost() {
        let made = [Make { is_directory: false }, name("a", FILE), write_at(0, "text"), sync(FILE)];
        assert!(certain(&made).is_empty());
        assert_eq!(certain(&[&made[..], &[sync(Disk::ROOT)]].concat()), ["a=text"]);
    }

    #[test]
    fn a_directory_without_a_certain_name_takes_its_files_with_it() {
        let (directory, file) = (Inode(1), Inode(2));
        let made = [
            Make { is_directory: true },
            name("d", directory),
            Make { is_directory: false },
            Name { directory, name: "a".into(), inode: file },
            sync(directory),
        ];
        assert!(certain(&made).is_empty());
        assert_eq!(certain(&[&made[..], &[sync(Disk::ROOT)]].concat()), ["d/a="]);
    }

    #[test]
    fn a_removed_name_is_back_unless_the_directory_was_synced() {
        let removed = [&file()[..], &[Forget { directory: Disk::ROOT, name: "a".into() }]].concat();
        assert_eq!(certain(&removed), ["a="]);
        assert!(certain(&[&removed[..], &[sync(Disk::ROOT)]].concat()).is_empty());
    }

    #[test]
    fn a_second_name_shows_the_same_bytes() {
        let linked = [&file()[..], &[name("b", FILE), write_at(0, "text"), sync(FILE)]].concat();
        assert_eq!(certain(&linked), ["a=text"]);
        assert_eq!(certain(&[&linked[..], &[sync(Disk::ROOT)]].concat()), ["a=text", "b=text"]);
    }

    #[test]
    fn a_rename_happens_wholly_or_not_at_all() {
        let rename = Rename { directory: Disk::ROOT, from: "a".into(), to: "b".into() };
        let renamed = [&file()[..], &[rename]].concat();
        assert_eq!(certain(&renamed), ["a="]);
        assert_eq!(certain(&[&renamed[..], &[sync(Disk::ROOT)]].concat()), ["b="]);
        for seed in 0..100 {
            let left = files(&disk(&renamed).with_leftovers(&SeededRng::new(seed)));
            assert!(left == ["a="] || left == ["b="], "{left:?}");
        }
    }

    #[test]
    fn a_sync_covers_only_what_was_done_before_it_began() {
        let operations = [&file()[..], &[write_at(0, "one"), Say(String::new()), write_at(0, "two")]].concat();
        let sync = |before| [&operations[..], &[Sync { inode: FILE, before }]].concat();
        assert_eq!(certain(&sync(3)), ["a="]);
        assert_eq!(certain(&sync(4)), ["a=one"]);
        assert_eq!(certain(&sync(6)), ["a=two"]);
    }

    #[test]
    fn leftovers_are_any_of_what_is_pending_and_all_of_what_is_certain() {
        let pages = "x".repeat(3 * PAGE);
        let operations = [&file()[..], &[write_at(0, "text"), sync(FILE), write_at(PAGE / 2, &pages), name("b", FILE)]];
        let disk = disk(&operations.concat());
        let mut seen = [false; 4];
        for seed in 0..200 {
            let Tree::Directory(names) = disk.with_leftovers(&SeededRng::new(seed)) else { panic!() };
            let Some(Tree::File(_, bytes)) = names.get(OsStr::new("a")) else { panic!("the certain name is lost") };
            assert!(bytes.starts_with(b"text"));
            let has = |at: usize| bytes.get(at) == Some(&b'x');
            assert!(!has(PAGE) || has(2 * PAGE - 1), "a page is torn");
            seen = [
                seen[0] || names.len() == 2,
                seen[1] || has(PAGE / 2) && !has(PAGE),
                seen[2] || has(PAGE) && !has(PAGE - 1),
                seen[3] || bytes.len() == 7 * PAGE / 2 && !has(3 * PAGE),
            ];
        }
        assert_eq!(seen, [true; 4]);
    }

    #[test]
    fn programs_see_what_is_not_certain() {
        let disk = disk(&[Make { is_directory: false }, name("a", FILE), write_at(0, "text")]);
        assert_eq!((disk.find(Path::new("a")), disk.find(Path::new("a/b"))), (Some(FILE), None));
        assert_eq!(disk.contents(FILE), b"text");
    }
}
