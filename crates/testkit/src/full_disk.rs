//! A disk that is full soon: a test runs itself again in a namespace of its own, on a small file system in memory.
//! Linux only.

use std::env;
use std::path::Path;
use std::process::Command;

/// Where the small disk is, for the test that runs on it.
const DISK: &str = "CACHENESS_TEST_SMALL_DISK";

/// Runs `fill` with a directory on a file system of so many KiB, in another process: the test that calls it, once more.
/// `test` is the test's full name, as the test binary lists it.
///
/// It needs no rights, but the command `unshare` of util-linux and user namespaces.
///
/// ```no_run
/// #[test]
/// # fn none() {}
/// fn a_full_disk_is_told() {
///     cacheness_testkit::full_disk::run("a_full_disk_is_told", 256, |disk| {
///         assert!(std::fs::write(disk.join("large"), vec![0; 300_000]).is_err());
///     });
/// }
/// # a_full_disk_is_told();
/// ```
///
/// # Panics
///
/// When the other process failed, or could not be started on such a disk; the message says what it said.
pub fn run(test: &str, kibibytes: u64, fill: impl FnOnce(&Path)) {
    if let Some(disk) = env::var_os(DISK) {
        return fill(Path::new(&disk));
    }
    let told =
        run_again(test, kibibytes).unwrap_or_else(|error| format!("the command unshare cannot be started: {error}"));
    assert!(
        told.contains("1 passed"),
        "{test} needs a small disk: a test of that full name, the command unshare (package util-linux), and user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1, or run as root):\n{told}"
    );
}

fn run_again(test: &str, kibibytes: u64) -> std::io::Result<String> {
    let place = tempfile::tempdir()?;
    let mount = format!("mount -t tmpfs -o size={kibibytes}k tmpfs \"$2\" && exec \"$0\" --exact \"$1\" --nocapture");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
        .arg(env::current_exe()?)
        .arg(test)
        .arg(place.path())
        .env(DISK, place.path())
        .output()?;
    let (told, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(if output.status.success() { told.into() } else { format!("{told}{complained}").replace("1 passed", "") })
}
