//! A process that does to a store what a script says and reports every step, for tests that watch its system calls.
//! Its arguments: the directory, `process` or `full`, and the script.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support")]

#[cfg(target_os = "linux")]
fn main() {
    use cacheness::storage::Durability;
    use cacheness::sync::Cache;
    use cacheness_testkit::syscalls::report;
    use cacheness_tests::script::{self, Content, Step};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [directory, durability, script] = words[..] else { panic!("unknown arguments {words:?}") };
    let directory = std::path::Path::new(directory);
    let durability = match durability {
        "full" => Durability::Full,
        "process" => Durability::Process,
        other => panic!("unknown durability {other:?}"),
    };
    let run = |reporter: &str, store, steps: &[Step]| script::run(reporter, store, directory, durability, steps);
    match script {
        "alone" => drop(run("alone", None, &script::alone())),
        "reopened" => {
            script::run("before", None, directory, Durability::Process, &[Step::Open, Step::Close]);
            drop(run("alone", None, &[Step::Open, Step::put("small", 1, 100), Step::put("medium", 2, 60_000)]));
        }
        "together" => {
            let store = run("main", None, &[Step::Open]);
            std::thread::scope(|scope| {
                for name in ["one", "other", "third"] {
                    let store = store.clone();
                    scope.spawn(move || run(name, store, &script::one_of_many(name)));
                }
            });
            run("main", store, &[Step::Close]);
        }
        "cache" => {
            let cache = Cache::builder().dir(directory).durability(durability).open().unwrap();
            for (key, size) in [("small", 100), ("medium", 60_000)] {
                let content = Content { seed: 1, size };
                report(format!("cache begin {}", Step::Put(key.into(), content)));
                cache.put(key, &content.bytes()).unwrap();
                report("cache done ");
            }
        }
        other => panic!("unknown script {other:?}"),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
