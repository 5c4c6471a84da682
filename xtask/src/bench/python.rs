//! Python modules that are peers, in an environment of their own below the target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is installed. Without it, the peers among them are printed as missing.
const MODULES: [&str; 2] = ["diskcache", "blosc2"];

/// The interpreter of an environment that has the modules, made at the first time; says on standard error why there is
/// none.
pub(super) fn provide(place: &Path) -> Option<PathBuf> {
    let interpreter = place.join("bin/python3");
    let has_modules = || {
        let import = format!("import {}", MODULES.join(", "));
        succeeds(Command::new(&interpreter).args(["-c", &import]))
    };
    if has_modules() {
        return Some(interpreter);
    }
    eprintln!("installing {} in {}", MODULES.join(" and "), place.display());
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(place)) {
        eprintln!("`python3 -m venv` failed: the peers in Python will be missing");
        return None;
    }
    for module in MODULES {
        if !succeeds(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", module])) {
            eprintln!("`pip install {module}` failed: it will be missing");
        }
    }
    Some(interpreter)
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
