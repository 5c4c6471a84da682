//! Namespaces: the same parameters, other keys, and all keys of one namespace side by side.

use super::Key;
use cacheness_core::hex::Hex;
use cacheness_core::{Error, ErrorKind, Result};

/// The context of what begins the keys of a namespace.
const CONTEXT: &str = "cacheness 2026-11-20 namespace version 1";

const LONGEST_NAME: usize = 64;

/// Names that a person could take for something that is always there.
const RESERVED: [&str; 2] = ["default", "system"];

/// The name of a part of a cache whose keys are its own and begin with the same eight digits.
///
/// Two namespaces share these digits once in 2³², their keys never: the digest covers the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    name: String,
    prefix: [u8; 4],
}

impl Namespace {
    /// The namespace of this name: 1 to 64 of the characters `A-Z`, `a-z`, `0-9`, `.`, `_`, `-`, not beginning with
    /// `.` or `_`, and neither `default` nor `system`. Upper and lower case are different.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else.
    pub(crate) fn new(name: &str) -> Result<Self> {
        check(name).map_err(|problem| {
            let shown: String = name.chars().take(LONGEST_NAME).collect();
            Error::new(ErrorKind::Config, format!("the namespace {shown:?} {problem}"))
                .advice("use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter, a digit or '-'")
        })?;
        let hash_key = blake3::derive_key(CONTEXT, &[]);
        let digest = *blake3::keyed_hash(&hash_key, name.as_bytes()).as_bytes();
        let [one, two, three, four, ..] = digest;
        Ok(Self { name: name.to_owned(), prefix: [one, two, three, four] })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The eight hexadecimal digits that all its keys begin with.
    pub(crate) fn prefix(&self) -> String {
        Hex(&self.prefix).to_string()
    }

    /// Whether a key was made in this namespace, as far as its first digits tell.
    pub(crate) fn may_own(&self, key: Key) -> bool {
        key.id.starts_with(&self.prefix)
    }

    pub(super) fn prefix_bytes(&self) -> [u8; 4] {
        self.prefix
    }
}

fn check(name: &str) -> std::result::Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > LONGEST_NAME {
        return Err("is longer than 64 characters");
    }
    if name.starts_with(['_', '.']) {
        return Err("begins with a reserved character");
    }
    if RESERVED.contains(&name) {
        return Err("is a reserved word");
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.bytes().all(is_allowed).then_some(()).ok_or("has a character that no namespace has")
}
