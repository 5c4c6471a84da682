//! A second process that writes to an index when it is told to. The test program starts itself again for it.

use crate::{commit, open, put};
use cacheness_backend_sqlite::SqliteMetadata;
use cacheness_core::runtime::block_on;
use cacheness_storage::{EntryKey, Fields, MetadataBackend, Record};
use cacheness_testkit::records::{sample, version};
use std::env;
use std::io::{self, BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PLACE: &str = "CACHENESS_TEST_WRITER";

/// What the answers of the other process begin with: the test harness writes to the same stream.
const ANSWER: &str = "answer: ";

/// The key that the other process writes.
pub(crate) const KEY: &str = "key";

/// A process that has an index open for writing, and ends, by a kill, with the value.
pub(crate) struct Writer {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    /// Starts the process; when it returns, the index is open.
    pub(crate) fn start(path: &Path) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "other_process::the_writing_process", "--nocapture"])
            .env(PLACE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut writer = Self { process, orders, answers };
        writer.wait_for("open");
        writer
    }

    /// Puts version `n` of the record; when it returns, the commit has been acknowledged.
    pub(crate) fn put(&mut self, n: u64) {
        self.order(&format!("{n}"));
    }

    /// Closes the index and opens it again for the next put.
    pub(crate) fn close(&mut self) {
        self.order("close");
    }

    /// Has it put versions 1, 2, 3, … of a record, each acknowledged, until it is killed.
    pub(crate) fn run(&mut self, key: &str) {
        writeln!(self.orders, "{key}").unwrap();
    }

    /// The next version that [`run`](Self::run) acknowledged; `None` when it was killed and there are no more.
    pub(crate) fn acknowledged(&mut self) -> Option<u64> {
        let line = self.answers.next()?.unwrap();
        Some(line.strip_prefix(ANSWER)?.parse().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.wait_for(order);
    }

    fn wait_for(&mut self, answer: &str) {
        let expected = format!("{ANSWER}{answer}");
        let mut answers = self.answers.by_ref().map(Result::unwrap);
        assert!(answers.any(|line| line.ends_with(&expected)), "the other process ended");
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn the_writing_process() {
    let Some(path) = env::var_os(PLACE) else { return };
    let answer = |text: &str| writeln!(io::stdout(), "{ANSWER}{text}").unwrap();
    let mut index = Some(open(Path::new(&path)).unwrap());
    answer("open");
    for order in io::stdin().lines().map(Result::unwrap) {
        match order.parse() {
            Ok(n) => {
                let index = index.get_or_insert_with(|| open(Path::new(&path)).unwrap());
                put_version(index, n);
            }
            Err(_) if order == "close" => drop(index.take().map(|index| block_on(index.close()))),
            Err(_) => {
                let index = open(Path::new(&path)).unwrap();
                for n in 1.. {
                    put_version_of(&index, &order, n);
                    answer(&n.to_string());
                }
            }
        }
        answer(&order);
    }
}

/// Puts version `n` of the record.
pub(crate) fn put_version(index: &SqliteMetadata, n: u64) {
    put_version_of(index, KEY, n);
}

fn put_version_of(index: &SqliteMetadata, key: &str, n: u64) {
    let record = Record { version: version(n), ..sample(key) };
    assert!(commit(index, vec![put(record)]).unwrap()[0].is_applied());
}

/// Whether the index has version `n` of the record.
pub(crate) fn has_version(index: &SqliteMetadata, n: u64) -> bool {
    let found = block_on(index.get(&[EntryKey::new(KEY)], Fields::LEAST)).unwrap();
    found[0].as_ref().is_some_and(|record| record.version == version(n))
}
