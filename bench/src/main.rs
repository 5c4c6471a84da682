//! First numbers, for orientation: what a get and a put of 1 KiB cost beside a prepared statement on the same SQLite,
//! as ratios of medians in one run.
//!
//! `cargo run --release -p cacheness-bench`
#![allow(clippy::print_stdout, reason = "a program that prints")]

mod floor;

use cacheness::{Result, sync::Cache};
use floor::Floor;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Entries in each store while it is measured.
const ENTRIES: u64 = 20_000;
/// Rounds in which ours and the floor take turns, and calls of each in a round.
const ROUNDS: usize = 40;
const CALLS: u64 = 500;

/// About 1 KiB of fields as programs have them.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    name: String,
    tags: Vec<String>,
    weights: Vec<f64>,
    text: String,
}

impl Sample {
    fn numbered(number: u64) -> Self {
        Self {
            name: format!("sample {number}"),
            tags: vec!["one".into(), "two".into()],
            weights: (0..70).map(|weight| (number * 70 + weight) as f64 * 0.37).collect(),
            text: "some words that say something ".repeat(10),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let cache = Cache::open(place.path().join("cache"))?;
    let floor = Floor::open(&place.path().join("floor.db"))?;
    for number in 0..ENTRIES {
        cache.put(number, &Sample::numbered(number))?;
        floor.put(number, &floor::encoded(&Sample::numbered(number))?)?;
    }
    println!("{:<28}{:>12}{:>12}{:>8}", "1 KiB struct", "ours", "floor", "ratio");
    let spread = |call: u64| call.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ENTRIES;
    let key = cache.put(0_u64, &Sample::numbered(0))?;
    row(
        "get_shared, in memory",
        |_| cache.get_shared::<Sample>(key).map(drop),
        |call| floor.get(spread(call)).map(drop),
    )?;
    row("get, in memory", |_| cache.get::<Sample>(key).map(drop), |call| floor.get(spread(call)).map(drop))?;
    row("get", |call| cache.get::<Sample>(spread(call)).map(drop), |call| floor.get(spread(call)).map(drop))?;
    let sample = Sample::numbered(7);
    let payload = floor::encoded(&sample)?;
    row("put, over", |call| cache.put(spread(call), &sample).map(drop), |call| floor.put(spread(call), &payload))?;
    row("put, new", |call| cache.put(ENTRIES + call, &sample).map(drop), |call| floor.put(ENTRIES + call, &payload))?;
    cache.close()?;
    Ok(())
}

/// Measures both in turns, each call with a number of its own, and prints the medians of the rounds.
fn row(
    name: &str,
    ours: impl Fn(u64) -> Result<()>,
    floor: impl Fn(u64) -> Result<(), rusqlite::Error>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (mut our_rounds, mut floor_rounds) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS as u64 {
        let calls = round * CALLS..(round + 1) * CALLS;
        let start = Instant::now();
        calls.clone().try_for_each(&ours)?;
        our_rounds.push(start.elapsed());
        let start = Instant::now();
        calls.into_iter().try_for_each(&floor)?;
        floor_rounds.push(start.elapsed());
    }
    let (ours, floor) = (median(our_rounds), median(floor_rounds));
    println!("{name:<28}{:>9.2} µs{:>9.2} µs{:>8.2}", micros(ours), micros(floor), micros(ours) / micros(floor));
    Ok(())
}

fn median(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort_unstable();
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn micros(round: Duration) -> f64 {
    round.as_secs_f64() * 1e6 / CALLS as f64
}
