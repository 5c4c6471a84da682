//! Reads what `cargo test` prints and remembers which tests ran and how they ended.

use std::collections::BTreeMap;

/// How one test ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Passed,
    Ignored,
    Failed,
}

/// Which `crate::binary` an executable or a documented library is.
#[derive(Default)]
pub(crate) struct Binaries {
    /// By the file name of the executable, hash included.
    pub(crate) executables: BTreeMap<String, String>,
    /// By the library's name in Rust.
    pub(crate) documented: BTreeMap<String, String>,
}

/// Everything known about one run of `cargo test`, fed line by line.
pub(crate) struct Transcript {
    binaries: Binaries,
    current: String,
    announced: bool,
    unclosed: Option<String>,
    pub(crate) verdicts: BTreeMap<String, Verdict>,
    /// Binaries that began to test and never gave a result: they were killed or aborted.
    pub(crate) unfinished: Vec<String>,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Transcript {
    pub(crate) fn new(binaries: Binaries) -> Self {
        Self {
            binaries,
            current: String::new(),
            announced: false,
            unclosed: None,
            verdicts: BTreeMap::new(),
            unfinished: Vec::new(),
            passed: 0,
            failed: 0,
            ignored: 0,
        }
    }

    /// Takes in one line of output, of either stream.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(binary) = self.header(line) {
            self.close();
            self.current = binary;
        } else if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            self.announced = true;
        } else if let Some(summary) = line.strip_prefix("test result: ") {
            self.summary(summary);
        } else if let Some((name, end)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ...")) {
            match verdict(end) {
                Some(verdict) => self.record(name, verdict),
                None => self.unclosed = Some(name.to_owned()),
            }
        } else if let Some(verdict) = verdict(line)
            && let Some(name) = self.unclosed.take()
        {
            self.record(&name, verdict);
        }
    }

    /// To be called after the last line.
    pub(crate) fn close(&mut self) {
        self.unclosed = None;
        if std::mem::take(&mut self.announced) {
            self.unfinished.push(self.current.clone());
        }
    }

    fn header(&self, line: &str) -> Option<String> {
        if let Some(library) = line.strip_prefix("Doc-tests ") {
            let known = self.binaries.documented.get(library);
            return Some(known.cloned().unwrap_or_else(|| format!("{library}::doc")));
        }
        let (_, path) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once(" (")?;
        let file = path.rsplit(['/', '\\']).next()?;
        Some(self.binaries.executables.get(file).cloned().unwrap_or_else(|| file.to_owned()))
    }

    fn summary(&mut self, summary: &str) {
        self.announced = false;
        for part in summary.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) = (words.next().and_then(|word| word.parse::<u64>().ok()), words.next())
            else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// Of tests that share a name the worst verdict counts.
    fn record(&mut self, name: &str, verdict: Verdict) {
        let known = self.verdicts.entry(format!("{}::{}", self.current, plain_name(name))).or_insert(verdict);
        *known = verdict.max(*known);
    }
}

/// The verdict at the end of a line; whatever a test's children wrote may stand before it.
fn verdict(end: &str) -> Option<Verdict> {
    let last = end.trim();
    if last.ends_with("FAILED") {
        Some(Verdict::Failed)
    } else if last.starts_with("ignored") {
        Some(Verdict::Ignored)
    } else if last.ends_with("ok") {
        Some(Verdict::Passed)
    } else {
        None
    }
}

/// A name that survives edits of the file: of a documentation test the item, or else the file, without line numbers.
fn plain_name(name: &str) -> String {
    let Some((head, _)) = name.split_once("(line ") else {
        return name.strip_suffix(" - should panic").unwrap_or(name).to_owned();
    };
    let (file, item) = head.split_once(" - ").unwrap_or((head, ""));
    let plain = if item.trim().is_empty() { file.rsplit(['/', '\\']).next().unwrap_or(file) } else { item };
    plain.trim().replace(' ', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str) -> Transcript {
        let mut binaries = Binaries::default();
        binaries.executables.insert("keys-0a1b".into(), "cacheness-tests::keys".into());
        binaries.documented.insert("cacheness_core".into(), "cacheness-core::doc".into());
        let mut transcript = Transcript::new(binaries);
        output.lines().for_each(|line| transcript.line(line));
        transcript.close();
        transcript
    }

    const TWO_BINARIES: &str = "
     Running tests/keys.rs (target/debug/deps/keys-0a1b)

running 4 tests
test order_never_matters ... ok
test too_deep - should panic ... ok
test slow ... ignored, takes an hour
test broken ... FAILED

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests cacheness_core

running 2 tests
test crates/core/src/time.rs - time::Clock (line 12) - compile ... ok
test crates/core/src/../README.md - (line 18) ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

    #[test]
    fn tests_are_named_by_crate_binary_and_function() {
        let transcript = read(TWO_BINARIES);
        let names: Vec<_> = transcript.verdicts.iter().map(|(name, verdict)| (name.as_str(), *verdict)).collect();
        assert_eq!(
            names,
            [
                ("cacheness-core::doc::README.md", Verdict::Passed),
                ("cacheness-core::doc::time::Clock", Verdict::Passed),
                ("cacheness-tests::keys::broken", Verdict::Failed),
                ("cacheness-tests::keys::order_never_matters", Verdict::Passed),
                ("cacheness-tests::keys::slow", Verdict::Ignored),
                ("cacheness-tests::keys::too_deep", Verdict::Passed),
            ]
        );
    }

    #[test]
    fn counts_are_the_sums_of_the_summaries() {
        let transcript = read(TWO_BINARIES);
        assert_eq!((transcript.passed, transcript.failed, transcript.ignored), (4, 1, 1));
        assert!(transcript.unfinished.is_empty());
    }

    #[test]
    fn a_verdict_is_found_behind_what_a_child_process_wrote() {
        let transcript = read("Running x (d/keys-0a1b)\nrunning 1 test\ntest noisy ... child speaks\nok\n");
        assert_eq!(transcript.verdicts.get("cacheness-tests::keys::noisy"), Some(&Verdict::Passed));
    }

    #[test]
    fn a_binary_without_a_summary_is_unfinished() {
        let transcript = read("Running x (d/keys-0a1b)\nrunning 2 tests\ntest one ... ok\n");
        assert_eq!(transcript.unfinished, ["cacheness-tests::keys"]);
    }

    #[test]
    fn of_tests_with_one_name_the_worst_verdict_counts() {
        let one = |end: &str| format!("Doc-tests cacheness_core\ntest a.rs - A (line 1) ... {end}\n");
        let worst = |first: &str, second: &str| {
            read(&(one(first) + &one(second))).verdicts.get("cacheness-core::doc::A").copied()
        };
        assert_eq!(worst("FAILED", "ok"), Some(Verdict::Failed));
        assert_eq!(worst("ok", "FAILED"), Some(Verdict::Failed));
        assert_eq!(worst("ok", "ignored"), Some(Verdict::Ignored));
    }
}
