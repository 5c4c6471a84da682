//! The programs that tests need besides cargo: found, or installed where that takes no more than being root.

use std::env;
use std::process::{Command, Stdio};

/// The environment variable with the path of a `strace`, as the testkit knows it.
const STRACE: &str = "CACHENESS_STRACE";

/// Installs `strace` if it is missing. Where that cannot be done, the tests that need it fail and say how to provide it.
pub(crate) fn provide() {
    if env::var_os(STRACE).is_none() && !is_there("strace") {
        install("strace");
    }
}

/// Installs a package, if root runs this on Debian or Ubuntu.
pub(crate) fn install(package: &str) {
    if !is_root() || !is_there("apt-get") {
        return;
    }
    // Standard output is for what a task answers.
    eprintln!("installing the package {package}");
    let install = || apt_get(&["install", "--no-install-recommends", package]);
    let is_installed = install() || apt_get(&["update"]) && install();
    eprintln!("{package} is {}", if is_installed { "installed" } else { "not installed: apt-get failed" });
}

/// Whether a program is in the search path.
fn is_there(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&paths).any(|directory| directory.join(program).is_file())
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.args(["--quiet", "--yes"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
