//! The processes that work on a store, what they tell, and their end.

use super::orders::{Line, Orders, Told};
use cacheness_core::{Error, ErrorKind, Result};
use std::env;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may tell nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a process that tells nothing is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Processes that work on one store. They tell their lines through one pipe, which keeps them in their order.
pub(super) struct Crew<'a> {
    test: &'a str,
    directory: &'a Path,
    temporary: &'a Path,
    writer: PipeWriter,
    receiver: Receiver<Line>,
    lines: Vec<Line>,
    members: Vec<Option<Child>>,
}

impl<'a> Crew<'a> {
    /// A crew without members. They run the test `test` for the store in `directory`, with another directory for what is
    /// temporary.
    pub(super) fn new(test: &'a str, directory: &'a Path, temporary: &'a Path) -> Result<Self> {
        let (reader, writer) = io::pipe()?;
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().name("crash-lines".into()).spawn(move || pass_on(reader, &sender))?;
        Ok(Self { test, directory, temporary, writer, receiver, lines: Vec::new(), members: Vec::new() })
    }

    /// Starts a process, whose number must be the next one.
    pub(super) fn add(&mut self, orders: &Orders) -> Result<()> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--exact", self.test, "--nocapture", "--test-threads=1"]);
        // An end of this pipe is held here: the process ends when this one does.
        command.stdin(Stdio::piped()).stdout(self.writer.try_clone()?);
        // A pair that lends no staging directory makes its files elsewhere, where nobody would remove them.
        command.env("TMPDIR", self.temporary);
        orders.give(&mut command, self.directory);
        self.members.push(Some(command.spawn()?));
        Ok(())
    }

    /// The next line of a living process.
    fn next(&mut self) -> Result<Line> {
        let start = Instant::now();
        loop {
            match self.receiver.recv_timeout(LOOK) {
                Ok(line) => {
                    self.lines.push(line.clone());
                    return Ok(line);
                }
                Err(RecvTimeoutError::Timeout) => self.check_alive()?,
                Err(RecvTimeoutError::Disconnected) => return Err(broken("nothing is told any more")),
            }
            if start.elapsed() > PATIENCE {
                return Err(broken(format!("no process told anything for {PATIENCE:?}")));
            }
        }
    }

    /// Waits until a process tells what `is_meant` means; an error when it comes to its end before.
    pub(super) fn wait_for(&mut self, process: usize, is_meant: impl Fn(&Told) -> bool) -> Result<()> {
        loop {
            let line = self.next()?;
            if line.process == process {
                if is_meant(&line.told) {
                    return Ok(());
                }
                if line.told == Told::End {
                    return Err(broken("a process came to its end before what was waited for"));
                }
            }
        }
    }

    /// Passes over so many lines.
    pub(super) fn skip(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            self.next()?;
        }
        Ok(())
    }

    /// Lets a process go on that waits.
    pub(super) fn resume(&mut self, process: usize) -> Result<()> {
        let member = self.members.get_mut(process).and_then(Option::as_mut);
        let stdin = member.and_then(|member| member.stdin.as_mut()).ok_or_else(|| broken("nobody waits"))?;
        Ok(stdin.write_all(b"\n")?)
    }

    fn check_alive(&mut self) -> Result<()> {
        for member in self.members.iter_mut().flatten() {
            if let Some(status) = member.try_wait()? {
                return Err(self.ended_by_itself(status));
            }
        }
        Ok(())
    }

    /// Ends a process with `SIGKILL`, if it was not killed before, and tells so in its place among the lines.
    pub(super) fn kill(&mut self, process: usize) -> Result<()> {
        if let Some(mut member) = self.members.get_mut(process).and_then(Option::take) {
            member.kill()?;
            let status = member.wait()?;
            if status.signal().is_none() {
                return Err(self.ended_by_itself(status));
            }
            let dead = Line { process, told: Told::Dead };
            self.writer.write_all(dead.text().as_bytes())?;
        }
        Ok(())
    }

    fn ended_by_itself(&self, status: ExitStatus) -> Error {
        if self.lines.is_empty() {
            let message = format!("a process did nothing and ended ({status}): is there a test named {:?}?", self.test);
            return Error::new(ErrorKind::Config, message).advice("give the name that `cargo test -- --list` shows");
        }
        let message = format!("a process ended by itself ({status}); what it said stands above");
        Error::new(ErrorKind::Corrupt, message)
    }

    /// Ends who is still alive; returns all lines.
    pub(super) fn finish(mut self) -> Result<Vec<Line>> {
        for process in 0..self.members.len() {
            self.kill(process)?;
        }
        let mut lines = std::mem::take(&mut self.lines);
        // The pipe ends with its last writer.
        let receiver = std::mem::replace(&mut self.receiver, mpsc::channel().1);
        drop(self);
        lines.extend(receiver);
        Ok(lines)
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        for member in self.members.iter_mut().flatten() {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

fn pass_on(reader: PipeReader, sender: &Sender<Line>) {
    for text in BufReader::new(reader).lines().map_while(io::Result::ok) {
        if let Some(line) = Line::parse(&text)
            && sender.send(line).is_err()
        {
            return;
        }
    }
}

pub(super) fn broken(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, message.into())
}
