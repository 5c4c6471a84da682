//! Four years of Seattle's weather: the first run computes, the second finds everything in the cache.
//!
//! `cargo run --release --example quickstart`
#![allow(clippy::print_stdout)]

use cacheness::handlers::Value;
use cacheness::{KeySpec, Result, key, sync::Cache};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const WEATHER: &str = include_str!("data/seattle-weather.csv");

/// How many days two stretches of weather are compared over.
const WINDOW: usize = 14;

struct Day {
    date: String,
    /// Precipitation (mm), highest and lowest temperature (°C), wind (m/s).
    measures: [f64; 4],
}

#[derive(Serialize, Deserialize)]
struct Month {
    days: u32,
    mean_high: f64,
    wettest_day: String,
    wettest_mm: f64,
}

#[derive(Serialize, Deserialize)]
struct Twins {
    first: String,
    second: String,
    distance: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = Cache::builder().dir("./cache").default_ttl(Duration::from_hours(24)).open()?;
    let days = parse(WEATHER)?;
    println!("{} days of weather in Seattle", days.len());

    let months: BTreeMap<String, Month> =
        remember(&cache, "monthly summaries", key! { report: "months", data: WEATHER }, || months(&days))?;
    let wettest = months.iter().max_by(|one, other| one.1.wettest_mm.total_cmp(&other.1.wettest_mm));
    if let Some((name, month)) = wettest {
        println!(
            "    the wettest of {} months is {name}: {} mm on {}",
            months.len(),
            month.wettest_mm,
            month.wettest_day
        );
    }

    let question = key! { report: "distances", window: WINDOW, data: WEATHER };
    let start = Instant::now();
    let distances: Array2<f64> = match cache.get_typed(&question)? {
        Some(array) => told("hit", "distances between all stretches", start, array),
        None => {
            let array = distances(&days);
            cache.put_typed(&question, &array)?;
            told("miss", "distances between all stretches", start, array)
        }
    };
    println!("    an array of {} × {}", distances.nrows(), distances.ncols());

    let question = key! { report: "twins", window: WINDOW, data: WEATHER };
    let twins: Vec<Twins> = remember(&cache, "most similar fortnights", question, || twins(&days, &distances))?;
    for Twins { first, second, distance } in &twins {
        println!("    {first} was like {second} (distance {distance:.2})");
    }

    println!("{}", cache.stats()?);
    cache.close()?;
    Ok(())
}

/// The value from the cache, or computed and put there.
fn remember<T: Value>(cache: &Cache, what: &str, question: KeySpec, compute: impl FnOnce() -> T) -> Result<T> {
    let start = Instant::now();
    if let Some(value) = cache.get(&question)? {
        return Ok(told("hit", what, start, value));
    }
    let value = compute();
    cache.put(&question, &value)?;
    Ok(told("miss", what, start, value))
}

fn told<T>(outcome: &str, what: &str, start: Instant, value: T) -> T {
    println!("{outcome:>5}  {:>10.3} ms  {what}", start.elapsed().as_secs_f64() * 1e3);
    value
}

fn parse(text: &str) -> Result<Vec<Day>, Box<dyn std::error::Error>> {
    let day = |line: &str| {
        let mut fields = line.split(',');
        let mut next = || fields.next().ok_or("a line of the data set is too short");
        let date = next()?.to_owned();
        let mut measures = [0.0; 4];
        for measure in &mut measures {
            *measure = next()?.parse()?;
        }
        Ok(Day { date, measures })
    };
    text.lines().skip(1).map(day).collect()
}

fn months(days: &[Day]) -> BTreeMap<String, Month> {
    let mut months = BTreeMap::new();
    for Day { date, measures: [rain, high, ..] } in days {
        let month = months.entry(date.get(..7).unwrap_or(date).to_owned()).or_insert_with(|| Month {
            days: 0,
            mean_high: 0.0,
            wettest_day: date.clone(),
            wettest_mm: *rain,
        });
        month.days += 1;
        month.mean_high += (high - month.mean_high) / f64::from(month.days);
        if *rain > month.wettest_mm {
            (month.wettest_day, month.wettest_mm) = (date.clone(), *rain);
        }
    }
    months
}

/// Dynamic time warping between every two stretches of `WINDOW` days (Sakoe and Chiba, 1978).
fn distances(days: &[Day]) -> Array2<f64> {
    let stretches: Vec<_> = days.windows(WINDOW).collect();
    let mut distances = Array2::zeros((stretches.len(), stretches.len()));
    for (row, one) in stretches.iter().enumerate() {
        for (column, other) in stretches.iter().enumerate().skip(row + 1) {
            let distance = warp(one, other);
            distances[(row, column)] = distance;
            distances[(column, row)] = distance;
        }
    }
    distances
}

fn warp(one: &[Day], other: &[Day]) -> f64 {
    let mut costs = [[f64::INFINITY; WINDOW + 1]; WINDOW + 1];
    costs[0][0] = 0.0;
    for (row, a) in one.iter().enumerate() {
        for (column, b) in other.iter().enumerate() {
            let difference: f64 = a.measures.iter().zip(&b.measures).map(|(a, b)| (a - b) * (a - b)).sum();
            let best = costs[row][column].min(costs[row][column + 1]).min(costs[row + 1][column]);
            costs[row + 1][column + 1] = best + difference.sqrt();
        }
    }
    costs[WINDOW][WINDOW]
}

/// The three pairs of stretches, at least a season apart, that are most alike.
fn twins(days: &[Day], distances: &Array2<f64>) -> Vec<Twins> {
    let mut pairs: Vec<_> = distances
        .indexed_iter()
        .filter(|((row, column), _)| row + 90 < *column)
        .map(|((row, column), distance)| (row, column, *distance))
        .collect();
    pairs.sort_by(|one, other| one.2.total_cmp(&other.2));
    let name = |stretch: usize| days.get(stretch).map(|day| day.date.clone()).unwrap_or_default();
    pairs
        .into_iter()
        .take(3)
        .map(|(row, column, distance)| Twins { first: name(row), second: name(column), distance })
        .collect()
}
