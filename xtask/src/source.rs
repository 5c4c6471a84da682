//! Rust source reduced to what the house rules look at: no comments, no literals, no test code. Line numbers stay true.

mod blank;
mod items;

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// One file of a crate's `src/`.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// The text with comments, insides of literals and test items blanked.
    pub(crate) code: String,
    /// Lines that are not part of a test item.
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        let (code, lines) = items::without_tests(&blank::comments_and_literals(&text));
        Self { path, text, code, lines }
    }

    /// The words of the code (identifiers, keywords, numbers) with the line each stands in, from 1.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().flat_map(|(number, line)| {
            line.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).map(move |word| (number + 1, word))
        })
    }
}

/// The sources of everything below `directory/src`, without files that are test modules.
pub(crate) fn sources(directory: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut tests = Vec::new();
    for path in files(&directory.join("src"))? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = read(&path)?;
            let modules = items::test_modules(&blank::comments_and_literals(&text));
            tests.extend(modules.iter().map(|module| children(&path).join(module)));
            sources.push(Source::new(path, text));
        }
    }
    sources.retain(|source| {
        let module = source.path.with_extension("");
        !tests.iter().any(|test| module == *test || source.path.starts_with(test))
    });
    Ok(sources)
}

/// The sources of all crates of the house.
pub(crate) fn house(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    for package in workspace.crates() {
        all.extend(sources(&package.directory)?);
    }
    Ok(all)
}

/// Whether a letter may be part of an identifier.
pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The directory in which the modules of a file live.
fn children(file: &Path) -> PathBuf {
    let is_root = file.file_stem().is_some_and(|stem| stem == "lib" || stem == "main" || stem == "mod");
    if is_root { file.parent().map(Path::to_path_buf).unwrap_or_default() } else { file.with_extension("") }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", directory.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Failure::while_doing(reading()))? {
        let path = entry.map_err(Failure::while_doing(reading()))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Failure::while_doing(format!("reading {}", path.display())))
}
