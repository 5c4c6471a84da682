//! `cargo xtask package`: shows that every published crate packs with all that belongs in it and compiles as packed.

mod unpacked;

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::process;
use crate::tidy::PACKED;
use crate::workspace::{Package, Workspace};

pub(crate) const HELP: &str = "\
Usage: cargo xtask package

Packs every crate that is meant for publication, checks that each archive holds a README and both licences as files,
unpacks all archives side by side and checks that they compile there, without anything from outside.

`cargo package` alone would compile all dependencies anew for each crate; here they come from the build directory.";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        return Err(Failure::Usage(HELP.into()));
    }
    let mut run = vec!["package", "--workspace", "--no-verify", "--allow-dirty", "--quiet"];
    let (packed, private): (Vec<_>, Vec<_>) = workspace.packages.iter().partition(|package| package.publishes);
    run.extend(private.iter().flat_map(|package| ["--exclude", package.name.as_str()]));
    if !process::watch(process::command("cargo", &run, &workspace.root), |_| {})?.success() {
        return Err(Failure::Failed("`cargo package` failed".into()));
    }
    let mut incomplete = Vec::new();
    for package in &packed {
        let absent = absent(workspace, package)?;
        incomplete.extend(absent.iter().map(|file| format!("  {}: {file}", package.name)));
    }
    if !incomplete.is_empty() {
        return Err(Failure::Failed(format!("files missing from packed crates:\n{}", incomplete.join("\n"))));
    }
    println!("{} crates packed, each with {}", packed.len(), PACKED.join(", "));
    unpacked::check(workspace, &packed)
}

/// Files that the archive of a package lacks, or holds as something else than a file.
fn absent(workspace: &Workspace, package: &Package) -> Result<Vec<&'static str>> {
    let archive = archive(workspace, package);
    let listing = process::capture("tar", &["-tvzf", &archive.to_string_lossy()], &workspace.root)?;
    let is_there = |file: &str| {
        let end = format!(" {}/{file}", stem(package));
        listing.lines().any(|line| line.starts_with('-') && line.ends_with(&end))
    };
    Ok(PACKED.into_iter().filter(|file| !is_there(file)).collect())
}

fn archive(workspace: &Workspace, package: &Package) -> PathBuf {
    workspace.target.join("package").join(format!("{}.crate", stem(package)))
}

/// The name of the archive and of the directory inside it.
fn stem(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}
