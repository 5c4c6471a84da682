//! I/O errors: whichever system call on the store's files fails, once or from then on, nothing acknowledged is lost, and
//! every error says in one line what a caller can decide on.

use cacheness_testkit::SeededRng;
use cacheness_testkit::syscalls::{Ending, Fault, Worker};
use cacheness_tests::script::{Step, Told, alone};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::{env, thread};

/// Set it to try every fault, not a sample.
const ALL: &str = "CACHENESS_ALL_FAULTS";

/// How many faults are in the sample.
const SAMPLE: usize = 200;

/// What one fault did.
struct Struck {
    fault: Fault,
    lines: Vec<String>,
    /// How the worker ended, if not well.
    crash: Option<String>,
    told: Told,
    /// What is wrong with the store afterwards.
    loss: Option<String>,
    /// The calls that failed: the line that their step ended with, and the file.
    calls: Vec<(usize, PathBuf)>,
}

fn strike(worker: &Worker, fault: &Fault) -> Struck {
    let Ending { lines, status, complaints, struck: calls, directory, .. } = &worker.run_with(fault).unwrap();
    // Only a commit that failed can have happened all the same.
    let told = Told::by(lines, |line| calls.iter().any(|(at, path)| *at == line && is_index(path)));
    let loss = told.check(&directory.join("above/store")).err().map(|error| format!("{error:?}"));
    let crash = (!status.success() || !complaints.is_empty()).then(|| format!("{status}: {complaints}"));
    Struck { fault: fault.clone(), lines: lines.clone(), crash, told, loss, calls: calls.clone() }
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("index.db"))
}

/// Every fault, or of each sort at least one.
fn chosen(faults: Vec<Fault>) -> Vec<Fault> {
    if env::var_os(ALL).is_some() {
        return faults;
    }
    let rng = SeededRng::new(1);
    let mut sorts: BTreeMap<_, Vec<Fault>> = BTreeMap::new();
    for fault in faults {
        let ending = fault.path().extension().map(ToOwned::to_owned);
        sorts.entry((fault.call().to_owned(), fault.error(), fault.lasts(), ending)).or_default().push(fault);
    }
    let mut chosen = Vec::new();
    while chosen.len() < SAMPLE.max(sorts.len()) && !sorts.is_empty() {
        for sort in sorts.values_mut() {
            let index = rng.below(sort.len() as u64) as usize;
            chosen.push(sort.swap_remove(index));
        }
        sorts.retain(|_, sort| !sort.is_empty());
    }
    chosen
}

/// What all the faults did; the tests below look at it from different sides.
fn struck() -> &'static [Struck] {
    static STRUCK: OnceLock<Vec<Struck>> = OnceLock::new();
    STRUCK.get_or_init(|| {
        let worker = Worker::new(|directory| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_store-worker"));
            command.arg(directory.join("above/store")).args(["full", "alone"]);
            command
        });
        let faults = chosen(worker.faults().unwrap());
        let (next, struck) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let one = strike(&worker, fault);
                        struck.lock().unwrap().push(one);
                    }
                });
            }
        });
        struck.into_inner().unwrap()
    })
}

/// The faults whose outcome is not as `judge` wants it, with what it says.
fn found(judge: impl Fn(&Struck) -> Option<String>) -> String {
    let found = struck().iter().filter_map(|one| judge(one).map(|problem| format!("{}: {problem}", one.fault)));
    found.collect::<Vec<_>>().join("\n")
}

#[test]
fn whichever_call_fails_the_process_goes_on() {
    let steps = alone().len();
    let problems = found(|Struck { fault, crash, told, calls, .. }| {
        let errors = told.errors.len();
        let is_open = matches!(told.errors.last(), Some((Step::Open, _)));
        match crash {
            Some(crash) => Some(crash.clone()),
            None if calls.is_empty() => Some("it was not met".into()),
            None if !fault.lasts() && errors > 1 => Some(format!("{errors} steps failed")),
            None if !is_open && told.done + errors < steps => Some("not all steps ended".into()),
            None => None,
        }
    });
    assert_eq!(problems, "");
}

#[test]
fn whichever_call_fails_no_value_is_lost_or_torn() {
    assert_eq!(found(|one| one.loss.clone()), "");
}

#[test]
fn a_sync_that_fails_is_not_acknowledged() {
    let problems = found(|Struck { fault, lines, calls, .. }| {
        // What a close could not move into the database stays in the log.
        let is_unseen = |(line, path): &&(usize, PathBuf)| {
            lines[*line].contains(" done") && !lines[*line - 1].ends_with("close") && !is_ignored(path)
        };
        calls
            .iter()
            .find(|call| fault.call().ends_with("sync") && is_unseen(call))
            .map(|(line, path)| format!("{:?} at {} is no error", lines[*line - 1], path.display()))
    });
    assert_eq!(problems, "");
}

/// SQLite looks at no error of syncing its directory.
fn is_ignored(path: &Path) -> bool {
    path.ends_with("above/store")
}

#[test]
fn an_error_says_in_one_line_what_kind_it_is() {
    let problems = found(|Struck { fault, told, calls, .. }| {
        let on_index = calls.iter().any(|(_, path)| is_index(path));
        let unfit = |(_, error): &&(Step, String)| {
            let (kind, message) = error.split_once(": ").unwrap();
            message.is_empty() || !kinds(fault, on_index).contains(&kind)
        };
        told.errors.iter().find(unfit).map(|(step, error)| format!("{step}: {error}"))
    });
    assert_eq!(problems, "");
}

/// The kinds that an error can have. SQLite does not tell why it cannot open, synchronise or extend a file, and takes a
/// read that fails for damage.
fn kinds(fault: &Fault, on_index: bool) -> &'static [&'static str] {
    match (fault.error(), fault.call()) {
        ("EACCES" | "EROFS", _) => &["Permission"],
        (_, "open" | "openat") if on_index => &["OutOfSpace", "Storage", "Permission"],
        ("ENOSPC", _) if on_index => &["OutOfSpace", "Storage"],
        ("ENOSPC", _) => &["OutOfSpace"],
        (_, "read" | "pread64") if on_index => &["Storage", "Corrupt"],
        _ => &["Storage"],
    }
}
