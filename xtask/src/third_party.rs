//! The crate of `tests/third-party`: a backend as a stranger writes it, a workspace of its own. `cargo xtask test` runs its
//! tests with the others; here is what else must be true of it.

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::{Package, Workspace};

const DIRECTORY: &str = "tests/third-party";

/// What of ours a stranger needs, and whether for tests only.
const OURS: [(&str, bool); 2] = [("cacheness-storage", false), ("cacheness-testkit", true)];

/// How it is built: as it is locked, since nothing is written into the checkout.
pub(crate) const OPTIONS: &[&str] = &["--locked"];

pub(crate) fn load(workspace: &Workspace) -> Result<Workspace> {
    workspace.nested(DIRECTORY)
}

/// Whether it is formatted, lints clean and depends on no more of ours than a stranger needs.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let stranger = load(workspace)?;
    for package in &stranger.packages {
        let beyond = beyond(package);
        if !beyond.is_empty() {
            return Err(Failure::Failed(format!(
                "{} depends on {}: what a backend needs, cacheness-storage exports",
                package.name,
                beyond.join(", ")
            )));
        }
    }
    lint(&stranger, &[])
}

/// Whether a workspace of its own is formatted and lints clean, with some features.
pub(crate) fn lint(nested: &Workspace, features: &[&str]) -> Result<()> {
    cargo(nested, &["fmt", "--check"])?;
    let features = features.join(",");
    let mut clippy = vec!["clippy", "--all-targets", "--features", &features];
    clippy.extend(OPTIONS);
    clippy.extend(["--", "-D", "warnings"]);
    cargo(nested, &clippy)
}

/// Crates of ours that a package depends on beyond those it needs.
fn beyond(package: &Package) -> Vec<&str> {
    let ours = package.dependencies.iter().filter(|on| on.name.starts_with("cacheness"));
    ours.filter(|on| !OURS.contains(&(on.name.as_str(), on.is_dev))).map(|on| on.name.as_str()).collect()
}

/// Runs cargo in a workspace of its own.
pub(crate) fn cargo(nested: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut command = process::command("cargo", arguments, &nested.root);
    command.env("CARGO_TARGET_DIR", &nested.target);
    match process::watch(command, |_| {})? {
        status if status.success() => Ok(()),
        status => {
            let line = process::command_line("cargo", arguments);
            Err(Failure::Failed(format!("`{line}` failed in {} ({status})", nested.root.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;
    use std::path::PathBuf;

    #[test]
    fn a_stranger_needs_storage_and_for_tests_the_testkit() {
        let on =
            |name: &str, is_dev| Dependency { name: name.into(), is_dev, requirement: "^0.1.0".into(), has_path: true };
        let mut package = Package {
            id: String::new(),
            name: "acme".into(),
            version: String::new(),
            directory: PathBuf::new(),
            readme: None,
            is_library: true,
            publishes: false,
            dependencies: vec![on("cacheness-storage", false), on("cacheness-testkit", true), on("redb", false)],
        };
        assert!(beyond(&package).is_empty());
        package.dependencies.extend([on("cacheness-core", true), on("cacheness-testkit", false)]);
        assert_eq!(beyond(&package), ["cacheness-core", "cacheness-testkit"]);
    }
}
