//! Other programs, started from the workspace root with their output shown, watched or captured.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, Result};

/// A command with plain output and no input, whatever the terminal is.
pub(crate) fn command(program: &str, arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("CARGO_TERM_COLOR", "never").stdin(Stdio::null());
    command
}

/// Runs to the end and returns what was written to standard output; errors go through to the terminal.
pub(crate) fn capture(program: &str, arguments: &[&str], directory: &Path) -> Result<String> {
    let line = command_line(program, arguments);
    let output = command(program, arguments, directory)
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::while_doing(format!("starting `{line}`")))?;
    if !output.status.success() {
        return Err(Failure::Failed(format!("`{line}` failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(Failure::while_doing(format!("reading the output of `{line}`")))
}

/// Runs to the end, passes both streams on in the order they were written, and shows `watch` every line of them.
pub(crate) fn watch(mut command: Command, mut watch: impl FnMut(&str)) -> Result<ExitStatus> {
    let line = format!("{command:?}");
    let failed = |error: io::Error| Failure::Failed(format!("running {line}: {error}"));
    let (reader, writer) = io::pipe().map_err(failed)?;
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // The command holds the writing ends; while one is open the reader below would wait forever.
    drop(command);
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).map_err(failed)? > 0 {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&bytes).and_then(|()| stdout.flush()).map_err(failed)?;
        watch(String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
    child.wait().map_err(failed)
}

pub(crate) fn command_line(program: &str, arguments: &[&str]) -> String {
    std::iter::once(program).chain(arguments.iter().copied()).collect::<Vec<_>>().join(" ")
}
