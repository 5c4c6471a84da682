//! What every crate brings to its users: a README, which is a library's front page, and both licences.

use super::Problem;
use crate::failure::Result;
use crate::workspace::{Package, Workspace};

/// Files that stand in every crate and in every packed crate.
pub(crate) const PACKED: [&str; 3] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"];
const FRONT_PAGE: &str = "#![doc = include_str!(\"../README.md\")]";

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let problems = workspace.crates().flat_map(|package| {
        let place = workspace.relative(&package.directory);
        missing(package).into_iter().map(move |what| Problem::new(place.clone(), what))
    });
    Ok(problems.collect())
}

fn missing(package: &Package) -> Vec<String> {
    let absent = PACKED.iter().filter(|file| !package.directory.join(file).is_file());
    let mut problems: Vec<String> = absent.map(|file| format!("has no {file}")).collect();
    if package.readme.as_deref() != Some("README.md") {
        problems.push("does not say `readme = \"README.md\"` in its manifest".into());
    }
    let root = std::fs::read_to_string(package.directory.join("src/lib.rs")).unwrap_or_default();
    if package.is_library && !root.lines().any(|line| line == FRONT_PAGE) {
        problems.push(format!("src/lib.rs does not say `{FRONT_PAGE}`"));
    }
    problems
}
