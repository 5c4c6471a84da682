//! The account a server runs in: PostgreSQL refuses root.

use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Whom root becomes, the first there is.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Nobody in particular, or the user and group that root gives its rights up for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    other: Option<(u32, u32)>,
}

impl Account {
    /// That of this process.
    pub(crate) fn own() -> Self {
        Self { other: None }
    }

    /// That of this process, unless it is root's.
    pub(crate) fn unprivileged() -> io::Result<Self> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self::own());
        }
        let other = UNPRIVILEGED.iter().find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)));
        let other =
            other.ok_or_else(|| io::Error::other("root has nobody to become: no user postgres, no user nobody"))?;
        Ok(Self { other: Some(other) })
    }

    /// Lets a command run in this account.
    pub(crate) fn run(self, command: &mut Command) -> &mut Command {
        match self.other {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }

    /// Gives a file or directory to this account.
    pub(crate) fn own_path(self, path: &Path) -> io::Result<()> {
        match self.other {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
