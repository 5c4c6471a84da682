//! Serves memory backends over loopback; the argument is the latency of every answer in milliseconds.
#![allow(clippy::unwrap_used, reason = "test support")]

use std::time::Duration;

fn main() {
    let latency = std::env::args().nth(1).unwrap().parse().unwrap();
    cacheness_tests::remote::serve(Duration::from_millis(latency));
}
