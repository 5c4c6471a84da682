//! A long computation that saves its state every few steps and goes on from there when it was interrupted.
//!
//! A small neural network learns to tell tomorrow's highest temperature in Seattle. Pull the plug after 35 of the 100
//! rounds, `cargo run --release --example checkpoints -- 35`, and run it again without a number; Ctrl-C and `kill -9`
//! will do, too.
#![allow(clippy::print_stdout)]

use cacheness::storage::PutOptions;
use cacheness::{ErrorKind, Query, sync::BlobStore};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const WEATHER: &str = include_str!("data/seattle-weather.csv");
/// Days up to the end of 2014: what the network learns from.
const LEARNED: usize = 1096;
/// How many days the network looks back.
const HISTORY: usize = 14;
/// Four measures a day, and a one.
const INPUTS: usize = 4 * HISTORY + 1;
const HIDDEN: usize = 48;
const RATE: f64 = 0.002;
const PREFIX: &str = "checkpoints/";

pub(crate) struct Plan {
    /// How many times to learn from all days.
    pub(crate) rounds: u32,
    /// After how many rounds the state is saved.
    pub(crate) every: u32,
    /// How many checkpoints to keep.
    pub(crate) keep: usize,
    /// The round after which the plug is pulled.
    pub(crate) interrupt: Option<u32>,
}

/// Everything that the next round depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) round: u32,
    chance: u64,
    /// The weights of each hidden neuron, one after the other.
    hidden: Vec<f64>,
    output: Vec<f64>,
}

struct Example {
    inputs: Vec<f64>,
    /// Tomorrow's highest temperature (10 °C).
    target: f64,
}

fn main() -> Result<()> {
    let interrupt = std::env::args().nth(1).map(|round| round.parse()).transpose()?;
    run(Path::new("./cache/checkpoints"), &Plan { rounds: 100, every: 10, keep: 3, interrupt }).map(drop)
}

/// Computes until the last round, or until it is interrupted: what came after the last checkpoint is lost then.
pub(crate) fn run(dir: &Path, plan: &Plan) -> Result<State> {
    let store = BlobStore::open(dir)?; // an SQLite index and a folder of blobs, created when they are missing
    let examples = examples(&parse(WEATHER)?);
    let (known, unknown) = examples.split_at(LEARNED - HISTORY);
    let mut state = newest(&store)?.unwrap_or_else(State::new);
    println!("begins after round {} of {}", state.round, plan.rounds);
    while state.round < plan.rounds {
        state.learn(known);
        if state.round.is_multiple_of(plan.every) || state.round == plan.rounds {
            save(&store, &state, state.error(unknown))?;
            remove_all_but(&store, plan.keep)?;
        }
        if plan.interrupt == Some(state.round) {
            println!("interrupted after round {}", state.round);
            return Ok(state);
        }
    }
    println!("done: the network is off by {:.2} °C on average", state.error(unknown));
    inspect(&store)?;
    store.close()?;
    Ok(state)
}

/// A checkpoint is there as a whole once `put_with` returned, and before that not at all.
fn save(store: &BlobStore, state: &State, error: f64) -> Result<()> {
    let key = format!("{PREFIX}{:06}", state.round); // keys are listed in the order of their bytes
    store.put_with(&key, state, PutOptions::new().metadata(json!({ "round": state.round, "error": error })))?;
    println!("    saved {key}, off by {error:.2} °C");
    Ok(())
}

/// The keys of all checkpoints, the oldest first.
fn saved(store: &BlobStore) -> Result<Vec<String>> {
    let page = store.list(&Query::new().prefix(PREFIX))?;
    Ok(page.entries.iter().map(|entry| entry.key().to_owned()).collect())
}

/// The newest checkpoint that is whole. One that the disk damaged is an error when it is read, never another value.
fn newest(store: &BlobStore) -> Result<Option<State>> {
    for key in saved(store)?.iter().rev() {
        match store.get(key) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                println!("    removed {key}: {error}");
                store.delete(key)?;
            }
            found => return Ok(found?),
        }
    }
    Ok(None)
}

fn remove_all_but(store: &BlobStore, keep: usize) -> Result<()> {
    let keys = saved(store)?;
    for key in keys.iter().take(keys.len().saturating_sub(keep)) {
        store.delete(key)?;
    }
    Ok(())
}

/// Reads everything, and removes what interrupted runs left: half-written files, an hour after they were begun.
fn inspect(store: &BlobStore) -> Result<()> {
    let verified = store.verify()?;
    println!("verified {} checkpoints, {} bytes: {} damaged", verified.entries, verified.bytes, verified.damaged);
    for problem in &verified.problems {
        println!("    {}: {}", problem.key, problem.error);
    }
    let swept = store.sweep()?;
    println!("swept: {} blobs and {} unfinished files removed", swept.deleted, swept.staging_files);
    Ok(())
}

impl State {
    fn new() -> Self {
        let mut state = Self { round: 0, chance: 0x9e37_79b9_7f4a_7c15, hidden: Vec::new(), output: vec![0.0; HIDDEN] };
        state.hidden = (0..HIDDEN * INPUTS).map(|_| (state.draw(2001) as f64 - 1000.0) / 5000.0).collect();
        state
    }

    /// A number below `bound`.
    fn draw(&mut self, bound: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance % bound as u64) as usize
    }

    /// One round of stochastic gradient descent.
    fn learn(&mut self, examples: &[Example]) {
        for _ in examples {
            let Some(Example { inputs, target }) = examples.get(self.draw(examples.len())) else { continue };
            let active = self.activations(inputs);
            let error = dot(&self.output, &active) - target;
            for ((weights, output), active) in self.hidden.chunks_mut(INPUTS).zip(&mut self.output).zip(active) {
                let slope = RATE * error * *output * (1.0 - active * active);
                *output -= RATE * error * active;
                weights.iter_mut().zip(inputs).for_each(|(weight, input)| *weight -= slope * input);
            }
        }
        self.round += 1;
    }

    fn activations(&self, inputs: &[f64]) -> Vec<f64> {
        self.hidden.chunks(INPUTS).map(|weights| dot(weights, inputs).tanh()).collect()
    }

    /// How far the network is off on average (°C).
    fn error(&self, examples: &[Example]) -> f64 {
        let off =
            |example: &Example| 10.0 * (dot(&self.output, &self.activations(&example.inputs)) - example.target).abs();
        examples.iter().map(off).sum::<f64>() / examples.len() as f64
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Each stretch of days with the highest temperature of the day after it.
fn examples(days: &[[f64; 4]]) -> Vec<Example> {
    let example = |window: &[[f64; 4]]| {
        let ([_, target, ..], past) = window.split_last()?;
        let inputs = past.as_flattened().iter().map(|measure| measure / 10.0).chain([1.0]).collect();
        Some(Example { inputs, target: target / 10.0 })
    };
    days.windows(HISTORY + 1).filter_map(example).collect()
}

/// Precipitation (mm), highest and lowest temperature (°C) and wind (m/s) of each day.
fn parse(text: &str) -> Result<Vec<[f64; 4]>> {
    let day = |line: &str| {
        let mut fields = line.split(',').skip(1);
        let mut day = [0.0; 4];
        for measure in &mut day {
            *measure = fields.next().ok_or("a line of the data set is too short")?.parse()?;
        }
        Ok(day)
    };
    text.lines().skip(1).map(day).collect()
}
