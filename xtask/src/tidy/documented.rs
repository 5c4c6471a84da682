//! What is public is documented: the lints that see to it are on in every crate, and nothing switches them off.

use super::Problem;
use crate::failure::{Failure, Result};
use crate::source;
use crate::workspace::Workspace;

/// Lints that the gate makes errors: of public items without documentation, and without a word about their errors.
const LINTS: [&str; 2] = ["missing_docs", "missing_errors_doc"];
const LEVELS: [&str; 3] = ["\"warn\"", "\"deny\"", "\"forbid\""];

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let shared = manifest(&workspace.root)?;
    let mut problems = Vec::new();
    for package in workspace.crates() {
        let off = off(&manifest(&package.directory)?, &shared);
        let place = format!("{}/Cargo.toml", workspace.relative(&package.directory));
        problems.extend(off.into_iter().map(|lint| Problem::new(&place, format!("the lint `{lint}` is not on"))));
    }
    for source in source::house(workspace)? {
        for (line, lint) in source.words().filter(|(_, word)| LINTS.contains(word)) {
            let place = format!("{}:{line}", workspace.relative(&source.path));
            problems.push(Problem::new(place, format!("`{lint}` is set in its manifest, and nowhere else")));
        }
    }
    Ok(problems)
}

fn manifest(directory: &std::path::Path) -> Result<String> {
    let file = directory.join("Cargo.toml");
    std::fs::read_to_string(&file).map_err(Failure::while_doing(format!("reading {}", file.display())))
}

/// The lints that are not on under a manifest, which may take those of the workspace.
fn off(manifest: &str, workspace: &str) -> Vec<&'static str> {
    let inherits = lines(manifest, &["[lints]"]).any(|line| line == "workspace = true");
    let (text, tables) = match inherits {
        true => (workspace, ["[workspace.lints.rust]", "[workspace.lints.clippy]"]),
        false => (manifest, ["[lints.rust]", "[lints.clippy]"]),
    };
    let is_on = |lint: &str| {
        lines(text, &tables)
            .any(|line| line.split_once(" = ").is_some_and(|(name, level)| name == lint && LEVELS.contains(&level)))
    };
    LINTS.into_iter().filter(|lint| !is_on(lint)).collect()
}

/// The lines of some tables of a manifest.
fn lines<'a>(manifest: &'a str, tables: &[&'a str]) -> impl Iterator<Item = &'a str> {
    let mut is_in = false;
    manifest.lines().map(str::trim).filter(move |line| {
        if line.starts_with('[') {
            is_in = tables.contains(line);
        }
        is_in
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str =
        "[workspace.lints.rust]\nmissing_docs = \"warn\"\n[workspace.lints.clippy]\nmissing_errors_doc = \"deny\"";

    #[test]
    fn a_crate_takes_the_lints_of_the_workspace_or_has_them_itself() {
        assert_eq!(off("[lints]\nworkspace = true", SHARED), [""; 0]);
        assert_eq!(
            off("[lints.rust]\nmissing_docs = \"deny\"\n[lints.clippy]\nmissing_errors_doc = \"warn\"", ""),
            [""; 0]
        );
    }

    #[test]
    fn a_lint_that_is_off_is_found() {
        assert_eq!(off("[dependencies]\nworkspace = true", SHARED), LINTS);
        assert_eq!(off("[lints]\nworkspace = true", &SHARED.replace("deny", "allow")), ["missing_errors_doc"]);
        assert_eq!(
            off("[lints]\nworkspace = true", &SHARED.replace("missing_docs", "# missing_docs")),
            ["missing_docs"]
        );
        assert_eq!(off("[package.metadata]\nmissing_docs = \"warn\"\nmissing_errors_doc = \"warn\"", SHARED), LINTS);
    }
}
