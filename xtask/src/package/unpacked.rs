//! The packed crates, unpacked into a workspace of their own and compiled there.

use std::fmt::Write;
use std::fs;

use super::{archive, stem};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::{Package, Workspace};

pub(super) fn check(workspace: &Workspace, packages: &[&Package]) -> Result<()> {
    let place = workspace.reports()?.join("packed");
    let doing = |what: &str| format!("{what} {}", place.display());
    if place.exists() {
        fs::remove_dir_all(&place).map_err(Failure::while_doing(doing("clearing")))?;
    }
    fs::create_dir_all(&place).map_err(Failure::while_doing(doing("creating")))?;
    for package in packages {
        // -m: archives carry one date for all versions, by which cargo would take changed files for compiled ones.
        process::capture("tar", &["-xzmf", &archive(workspace, package).to_string_lossy()], &place)?;
    }
    let root =
        fs::read_to_string(workspace.root.join("Cargo.toml")).map_err(Failure::while_doing("reading Cargo.toml"))?;
    fs::write(place.join("Cargo.toml"), manifest(packages, &profiles(&root)))
        .and_then(|()| fs::copy(workspace.root.join("Cargo.lock"), place.join("Cargo.lock")))
        .map_err(Failure::while_doing(doing("writing")))?;
    let mut command = process::command("cargo", &["check", "--workspace", "--all-features"], &place);
    command.env("CARGO_TARGET_DIR", &workspace.target);
    match process::watch(command, |_| {})?.success() {
        true => Ok(()),
        false => Err(Failure::Failed("packed crates do not compile: do they need a file from outside?".into())),
    }
}

/// A workspace of the unpacked crates in which they find each other instead of asking crates.io.
fn manifest(packages: &[&Package], profiles: &str) -> String {
    let mut text = String::from("[workspace]\nresolver = \"3\"\nmembers = [\"cacheness*\"]\n\n[patch.crates-io]\n");
    for package in packages {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} = {{ path = \"{}\" }}", package.name, stem(package));
    }
    format!("{text}\n{profiles}")
}

/// The profiles of a manifest. With the same ones, cargo takes compiled dependencies from the build directory.
fn profiles(manifest: &str) -> String {
    let mut is_profile = false;
    let lines = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            is_profile = line.starts_with("[profile.");
        }
        is_profile
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::profiles;

    #[test]
    fn profiles_are_taken_over_and_nothing_else() {
        let manifest =
            "[workspace]\nmembers = []\n[profile.dev]\ndebug = 1\n\n[lints]\na = 1\n[profile.release]\nlto = true\n";
        assert_eq!(profiles(manifest), "[profile.dev]\ndebug = 1\n\n[profile.release]\nlto = true\n");
    }
}
