//! What keys are made of, where it takes the privates to see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect by panicking")]

mod decoding;
mod files;
mod namespaces;

use super::{Namespace, canonical_bytes, file};
use crate::{Key, key};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A directory that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cacheness-key-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = env::temp_dir().join(name);
        drop(fs::remove_dir_all(&dir));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of this content, with the directories above it.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn of<K: Serialize>(parameters: K) -> Key {
    Key::of(parameters).unwrap()
}

fn content(path: impl AsRef<Path>) -> Key {
    of(file(path))
}

fn hex(bytes: &[u8]) -> String {
    super::Hex(bytes).to_string()
}

/// The last lines of the golden file: files, and keys in namespaces. The lines before are compared through the public
/// face. New lines may be added; none may ever change.
#[test]
fn golden_vectors_of_files_and_namespaces_never_change() {
    let scratch = Scratch::new();
    let file_path = scratch.write("one.txt", "one");
    scratch.write("data/one.txt", "one");
    scratch.write("data/inner/ß.txt", "");
    scratch.directory("data/none");
    let data = scratch.path("data");
    let mut lines = String::new();
    macro_rules! vectors {
        ($($name:literal in $namespace:expr => $value:expr;)*) => {$(
            let namespace = $namespace.map(|name: &str| Namespace::new(name).unwrap());
            let key = Key::of_in(namespace.as_ref(), $value).unwrap();
            let bytes = canonical_bytes($value).unwrap();
            writeln!(lines, "{}\t{}\t{}", $name, hex(&bytes), hex(&key.full_digest().unwrap())).unwrap();
        )*};
    }
    vectors! {
        "file" in None => file(&file_path);
        "directory" in None => file(&data);
        "key! with a file" in None => key! { input: file(&file_path), model: "xgboost" };
        "namespace a: unit" in Some("a") => ();
        "namespace team-1: key!" in Some("team-1") => key! { model: "xgboost", depth: 3 };
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/keys-v1.tsv");
    let golden = fs::read_to_string(path).unwrap();
    assert!(golden.ends_with(&lines), "the keys of version 1 changed; every stored entry would be lost:\n{lines}");
}
