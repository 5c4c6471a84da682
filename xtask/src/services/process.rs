//! A process told from another that has its number later.

use std::fs;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process by its number and the moment it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    pub(crate) began: String,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn of(id: u32) -> Option<Self> {
        Some(Self { id, began: began(id)? })
    }

    pub(crate) fn is_alive(&self) -> bool {
        began(self.id).as_ref() == Some(&self.began)
    }

    /// Sends a signal, if it is still the same, and waits until it is over.
    pub(crate) fn end(&self, signal: &str) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.id.to_string()]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.is_alive() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("process {} did not end", self.id)));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// When a process began, in the words of the system; nothing when it is over.
fn began(id: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold spaces. Behind it come the state and, 19 fields later, the start (proc(5)).
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        return fields.nth(18).filter(|_| state != "Z").map(str::to_owned);
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &id.to_string()]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}
