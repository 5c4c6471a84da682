//! What clears up behind a server, even when whoever started it was killed.

use super::Account;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which the end of its owner brings too; then stops the server and removes the directory.
const SCRIPT: &str = r#"home=$1; shift
read -r _
"$@"
rm -rf "$home" || { sleep 1; rm -rf "$home"; }"#;

/// A process that outlives its owner just as long as it takes to clear up. Dropped, it does so at once.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Guards a directory and the server in it, which the command stops, if it needs to be told.
    pub(crate) fn over(home: &Path, account: Account, stop: Option<&Command>) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard"]).arg(home).current_dir("/");
        if let Some(stop) = stop {
            command.arg(stop.get_program()).args(stop.get_args());
        }
        // In a group of its own, Ctrl-C does not reach it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let shell = account.run(&mut command).spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
