//! Several processes on one file. The test program starts itself again as the other processes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_generations::Generations;
use common::*;
use std::env;
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const PLACE: &str = "CACHENESS_TEST_GENERATIONS";
/// What the lines of the other process begin with, to be told from those of the test harness.
const SAYS: &str = "other process: ";
const PATIENCE: Duration = Duration::from_secs(60);

/// The other process, which ends with this handle.
struct Other {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(test: &str, path: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PLACE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { input: process.stdin.take(), process, output }
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.input.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Waits for its next line. The end of its output is a failure, so that its death is noticed.
    #[track_caller]
    fn expect(&mut self, what: &str) {
        let said = self.output.by_ref().map(Result::unwrap).find_map(|line| Some(line.split_once(SAYS)?.1.to_owned()));
        assert_eq!(said.as_deref(), Some(what));
    }

    fn succeeds(mut self) {
        drop(self.input.take());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path, if this is the other process.
fn other() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

fn say(what: &str) {
    let mut output = io::stdout();
    writeln!(output, "\n{SAYS}{what}").unwrap();
    output.flush().unwrap();
}

/// Waits for the next line; `false` when there is none any more.
fn hears(what: &str) -> bool {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    assert!(line.is_empty() || line.trim_end() == what, "{line}");
    !line.is_empty()
}

/// Opens until a look succeeds. A process that another test is starting holds our lock for a moment.
fn open_until<T>(path: &Path, look: impl Fn(&Generations) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look(&Generations::open(path).unwrap()) {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "nobody was ever alone");
    }
}

#[test]
fn processes_see_each_others_changes() {
    if let Some(path) = other() {
        return watch(&path);
    }
    let (_directory, path) = place();
    let generations = Generations::open(&path).unwrap();
    let mut watching = Other::start("processes_see_each_others_changes", &path);
    for _ in 0..500 {
        watching.expect("stamped");
        let changing = generations.change([&b"key"[..]]);
        watching.tell("begun");
        watching.expect("stale");
        drop(changing);
        watching.tell("ended");
    }
    watching.expect("stamped");
    let before = generations.stamp(b"theirs");
    watching.succeeds();
    let after = generations.stamp(b"theirs");
    assert!(before.is_some() && after.is_some() && before != after);
}

fn watch(path: &Path) {
    let generations = Generations::open(path).unwrap();
    loop {
        let taken = stamp(&generations, b"key");
        assert!(generations.is_fresh(taken));
        say("stamped");
        if !hears("begun") {
            return change(&generations, b"theirs");
        }
        assert!(!generations.is_fresh(taken));
        assert_eq!(generations.stamp(b"key"), None);
        say("stale");
        assert!(hears("ended"));
        assert!(!generations.is_fresh(taken));
    }
}

#[test]
fn a_process_killed_in_a_change_leaves_the_stripe_busy_until_somebody_is_alone() {
    if let Some(path) = other() {
        let _changing = Generations::open(path).unwrap().change([&b"key"[..]]);
        say("begun");
        hears("nothing, and then the end");
        return;
    }
    let (_directory, path) = place();
    let living = Generations::open(&path).unwrap();
    change(&living, b"key");
    let taken = stamp(&living, b"key");
    assert_eq!(word(&path, b"key"), made(1, 0));

    let mut killed = Other::start("a_process_killed_in_a_change_leaves_the_stripe_busy_until_somebody_is_alone", &path);
    killed.expect("begun");
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();

    assert_eq!(living.stamp(b"key"), None);
    assert!(!living.is_fresh(taken));
    assert_eq!(Generations::open(&path).unwrap().stamp(b"key"), None);
    change(&living, b"key");
    assert_eq!(living.stamp(b"key"), None);
    assert_eq!(word(&path, b"key"), made(2, 1));
    drop(living);

    open_until(&path, |alone| alone.stamp(b"key"));
    assert_eq!(word(&path, b"key"), made(3, 0), "a generation that no stamp was taken in");
}

#[test]
fn racing_first_openings_of_processes_lose_no_change() {
    const FILES: usize = 40;
    const CHANGES: u64 = 20;
    let file = |directory: &Path, n: usize| directory.join(n.to_string());
    if let Some(directory) = other() {
        say("ready");
        hears("go");
        for n in 0..FILES {
            let generations = Generations::open(file(&directory, n)).unwrap();
            for _ in 0..CHANGES {
                change(&generations, b"key");
            }
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let start = || Other::start("racing_first_openings_of_processes_lose_no_change", directory.path());
    let mut racing = [start(), start(), start(), start()];
    racing.iter_mut().for_each(|process| process.expect("ready"));
    racing.iter_mut().for_each(|process| process.tell("go"));
    racing.into_iter().for_each(Other::succeeds);
    for n in 0..FILES {
        assert_eq!(word(&file(directory.path(), n), b"key"), made(4 * CHANGES, 0));
    }
}
