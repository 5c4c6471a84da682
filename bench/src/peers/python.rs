//! Peers in Python: a script on the other end of two pipes that does what a line asks for and answers with a line.

use crate::Result;
use std::cell::RefCell;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The interpreter that has the modules, if `cargo xtask bench` could provide it.
const INTERPRETER: &str = "CACHENESS_BENCH_PYTHON";

/// A running script.
pub(crate) struct Script {
    process: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Script {
    /// Starts a script, which says `ready` when its modules are there.
    pub(crate) fn start(source: &str, arguments: &[&str]) -> Result<Self> {
        let interpreter = env::var_os(INTERPRETER).unwrap_or_else(|| "python3".into());
        let mut command = Command::new(interpreter);
        command.args(["-c", source]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(|error| format!("Python cannot be started: {error}"))?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { return Err("no pipes to Python".into()) };
        let script = Self { process, pipes: RefCell::new((stdin, BufReader::new(stdout))) };
        match script.answer()?.as_str() {
            "ready" => Ok(script),
            "" => Err("a Python module is missing".into()),
            other => Err(other.into()),
        }
    }

    /// Sends a line and waits for the answer.
    pub(crate) fn ask(&self, line: &str) -> Result<String> {
        let mut pipes = self.pipes.borrow_mut();
        pipes.0.write_all(line.as_bytes())?;
        pipes.0.write_all(b"\n")?;
        pipes.0.flush()?;
        drop(pipes);
        let answer = self.answer()?;
        if answer.is_empty() { Err(format!("Python ended at `{line}`").into()) } else { Ok(answer) }
    }

    fn answer(&self) -> Result<String> {
        let mut line = String::new();
        self.pipes.borrow_mut().1.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
