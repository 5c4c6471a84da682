//! The README's first command, run twice: the first run computes, the second finds everything in the cache.

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;
use std::fs;

/// How the report of each run ends, in order.
const ENDS: [&str; 2] = ["0 hits, 3 misses", "3 hits, 0 misses"];

pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let manifest = workspace.root.join("Cargo.toml").display().to_string();
    // The example keeps its cache in the current directory.
    let place = workspace.target.join("xtask").join("quickstart");
    let prepare = || format!("emptying {}", place.display());
    if place.exists() {
        fs::remove_dir_all(&place).map_err(Failure::while_doing(prepare()))?;
    }
    fs::create_dir_all(&place).map_err(Failure::while_doing(prepare()))?;
    for end in ENDS {
        let arguments = ["run", "--release", "--example", "quickstart", "--manifest-path", &manifest];
        let output = process::capture("cargo", &arguments, &place)?;
        println!("{output}");
        if !output.contains(end) {
            return Err(Failure::Failed(format!("the quickstart does not say `{end}`")));
        }
    }
    Ok(())
}
