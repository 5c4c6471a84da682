//! Rules about the written record: decisions and the feature list.

use std::collections::BTreeSet;

use super::Problem;
use crate::failure::{Failure, Result};
use crate::features;
use crate::workspace::Workspace;

const DECISIONS: &str = "docs/decisions";
const HEADINGS: [&str; 3] = ["## Context", "## Decision", "## Consequences"];

pub(crate) fn decisions(workspace: &Workspace) -> Result<Vec<Problem>> {
    let reading = || format!("reading {DECISIONS}");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(workspace.root.join(DECISIONS)).map_err(Failure::while_doing(reading()))? {
        names.insert(entry.map_err(Failure::while_doing(reading()))?.file_name().to_string_lossy().into_owned());
    }
    let mut problems = Vec::new();
    let mut numbers = BTreeSet::new();
    for name in &names {
        let place = format!("{DECISIONS}/{name}");
        let text = std::fs::read_to_string(workspace.root.join(&place)).unwrap_or_default();
        match number(name) {
            None => problems.push(Problem::new(&place, "is not named NNNN-title.md")),
            Some(number) if !numbers.insert(number) => problems.push(Problem::new(&place, "shares its number")),
            Some(_) => {}
        }
        let absent = HEADINGS.iter().filter(|heading| !text.lines().any(|line| line.trim_end() == **heading));
        problems.extend(absent.map(|heading| Problem::new(&place, format!("has no heading `{heading}`"))));
    }
    Ok(problems)
}

pub(crate) fn features(workspace: &Workspace) -> Result<Vec<Problem>> {
    let known = std::fs::read_to_string(workspace.root.join(features::PAGE)).unwrap_or_default();
    let stale = features::page(workspace)? != known;
    Ok(stale
        .then(|| Problem::new(features::PAGE, "is not up to date: run `cargo xtask features`"))
        .into_iter()
        .collect())
}

/// The number of a decision, from `NNNN-title.md` with a title of lower-case words.
fn number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let is_title = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let is_valid = number.len() == 4 && number.chars().all(|digit| digit.is_ascii_digit());
    (is_valid && !title.is_empty() && title.chars().all(is_title)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn decisions_are_numbered_and_titled() {
        assert_eq!(number("0012-one-core-two-faces.md"), Some("0012"));
        for wrong in
            ["12-title.md", "0012.md", "0012-.md", "0012-Title.md", "0012-title.txt", "000a-title.md", "README.md"]
        {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
