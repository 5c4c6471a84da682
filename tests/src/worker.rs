//! A second process with a cache that does what it is told line by line, and answers each line.

use crate::pairs::Pair;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running `cache-worker`. It ends when this is dropped.
#[derive(Debug)]
pub struct CacheWorker {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl CacheWorker {
    /// Starts one, by the path of its program, with a cache over a pair in a directory and with options as the program
    /// reads them.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(program: &str, pair: Pair, dir: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.arg(dir).arg(pair.name()).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines() }
    }

    /// Tells it to do something, without waiting for the answer.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// Waits for the next answer.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn answer(&mut self) -> String {
        self.output.next().expect("the worker ended").unwrap()
    }

    /// Tells it to do something; returns the answer.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.answer()
    }
}

impl Drop for CacheWorker {
    fn drop(&mut self) {
        drop(self.input.take());
        // A worker that does not end by itself when nobody tells it anything any more is ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
