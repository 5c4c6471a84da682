//! The examples, run as the README says: what the first run of each computed, later ones find stored.

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;
use std::fs;

/// A run of an example, after those above it.
struct Run {
    example: &'static str,
    arguments: &'static [&'static str],
    /// What its output must contain.
    says: &'static [&'static str],
}

const RUNS: [Run; 12] = [
    Run { example: "quickstart", arguments: &[], says: &[" 0.0 % of 3 gets"] },
    Run { example: "quickstart", arguments: &[], says: &["100.0 % of 3 gets"] },
    Run {
        example: "model_registry",
        arguments: &[],
        says: &["rain: registered 5 versions, 0 were there", "models/rain/002 is now tagged production"],
    },
    Run {
        example: "model_registry",
        arguments: &[],
        says: &["rain: registered 0 versions, 5 were there", "says models/rain/002"],
    },
    Run { example: "pipeline", arguments: &[], says: &[" 0.0 % of 4 gets"] },
    Run { example: "pipeline", arguments: &[], says: &["100.0 % of 4 gets"] },
    Run { example: "pipeline", arguments: &["36"], says: &["25.0 % of 4 gets"] },
    Run { example: "pipeline", arguments: &["36", "10"], says: &["75.0 % of 4 gets"] },
    Run { example: "manage", arguments: &[], says: &["cleared: 0 ", "verified: 74 entries, 0 damaged"] },
    Run { example: "manage", arguments: &[], says: &["cleared: 74 ", "cleaned up: 14 "] },
    Run { example: "checkpoints", arguments: &["35"], says: &["begins after round 0 ", "interrupted after round 35"] },
    Run {
        example: "checkpoints",
        arguments: &[],
        says: &["begins after round 30 ", "verified 3 checkpoints", ": 0 damaged", "swept: "],
    },
];

pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let manifest = workspace.root.join("Cargo.toml").display().to_string();
    // The examples keep their stores below the current directory.
    let place = workspace.target.join("xtask").join("examples");
    let prepare = || format!("emptying {}", place.display());
    if place.exists() {
        fs::remove_dir_all(&place).map_err(Failure::while_doing(prepare()))?;
    }
    fs::create_dir_all(&place).map_err(Failure::while_doing(prepare()))?;
    for Run { example, arguments, says } in RUNS {
        println!("{example} {}", arguments.join(" "));
        let mut line = vec!["run", "--quiet", "--release", "--example", example, "--manifest-path", &manifest, "--"];
        line.extend(arguments);
        let output = process::capture("cargo", &line, &place)?;
        println!("{output}");
        if let Some(unsaid) = says.iter().find(|words| !output.contains(**words)) {
            return Err(Failure::Failed(format!("the example {example} does not say `{unsaid}`")));
        }
    }
    Ok(())
}
