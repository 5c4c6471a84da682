//! A process that computes a key of a cache when it is told to, and says what it does. Its arguments: the directory, the
//! pair, and the time of a lease in milliseconds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test support")]

use cacheness_tests::pairs::Pair;
use std::io::stdin;
use std::path::Path;
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, pair, lease] = &arguments[..] else { panic!("unknown arguments {arguments:?}") };
    let builder = Pair::named(pair).builder(Path::new(dir));
    let cache = builder.lease(Duration::from_millis(lease.parse().unwrap())).open().unwrap();
    println!("open");
    while let Some(line) = line() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["compute", value] => println!("value {}", cache.get_or_put("key", || held(value)).unwrap()),
            ["fail"] => println!("{:?}", cache.try_get_or_put("key", || Err::<String, _>(held("failure"))).unwrap()),
            ["invalidate"] => println!("{}", cache.invalidate("key").unwrap()),
            ["clear"] => println!("{}", cache.clear().unwrap()),
            ["exists"] => println!("{}", cache.exists("key").unwrap()),
            _ => panic!("unknown order {line:?}"),
        }
    }
}

fn line() -> Option<String> {
    stdin().lines().next().map(Result::unwrap)
}

/// A computation that goes on when it is told to.
fn held(value: &str) -> String {
    println!("computing");
    assert_eq!(line().as_deref(), Some("finish"));
    value.to_owned()
}
