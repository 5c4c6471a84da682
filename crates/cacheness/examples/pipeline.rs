//! A pipeline whose steps are cached by their parameters and inputs: a change recomputes only what depends on it.
//!
//! From the CO₂ measured at Mauna Loa since 1958 (Scripps CO₂ Program, CC BY 4.0) it makes a trend, a season and a
//! forecast. Run it twice, then with another window, in months, for the trend, then with more years for the forecast:
//! `cargo run --release --example pipeline -- 36 10`
#![allow(clippy::print_stdout)]

use cacheness::{Key, KeySpec, PutOptions, key, sync::Cache};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const CO2: &str = include_str!("data/co2-concentration.csv");
const FIRST_YEAR: usize = 1958;
/// How many futures a forecast is made of.
const FUTURES: usize = 20_000;

/// What a user may change.
pub(crate) struct Settings {
    /// Months that the trend looks at, a multiple of 12.
    pub(crate) window: usize,
    /// Years to forecast.
    pub(crate) years: usize,
}

#[derive(Serialize, Deserialize)]
struct Forecast {
    year: usize,
    /// The 5th, 50th and 95th percentile of what May, the month of the maximum, will bring (ppm).
    may: [f64; 3],
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise| arguments.next().map_or(Ok(otherwise), |text| text.parse());
    run(Path::new("./cache/pipeline"), &Settings { window: number(24)?, years: number(5)? }).map(drop)
}

/// Runs the pipeline; returns the names of the steps that had to be computed.
pub(crate) fn run(dir: &Path, settings: &Settings) -> Result<Vec<&'static str>> {
    let Settings { window, years } = *settings;
    let mut pipeline = Pipeline { cache: Cache::open(dir)?, computed: Vec::new() };

    // A version stands for the code of a step: whoever changes the code raises it.
    let series = pipeline.step("series", key! { version: 1, data: CO2 }, &[], || parse(CO2))?;
    let trend =
        pipeline.step("trend", key! { version: 1, window }, &[series.key], || Ok(trend(&series.value, window)))?;
    let season = pipeline
        .step("season", key! { version: 1 }, &[series.key, trend.key], || Ok(season(&series.value, &trend.value)))?;
    let forecast = pipeline.step("forecast", key! { version: 1, years }, &[trend.key, season.key], || {
        forecast(&trend.value, &season.value, years)
    })?;

    for Forecast { year, may: [low, middle, high] } in &forecast.value {
        println!("    May {year}: {middle:.1} ppm ({low:.1} to {high:.1})");
    }
    pipeline.print_lineage(forecast.key, 1)?;
    println!("{}", pipeline.cache.stats()?);
    pipeline.cache.close()?;
    Ok(pipeline.computed)
}

struct Pipeline {
    cache: Cache,
    computed: Vec<&'static str>,
}

/// What a step made, and the key it rests under.
struct Artifact<T> {
    key: Key,
    value: T,
}

impl Pipeline {
    /// The artifact of a step from the cache, or computed and put there. Its key is made of the step's name, its
    /// parameters and the keys of its inputs, and so of everything that those were made of.
    fn step<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        parameters: KeySpec,
        inputs: &[Key],
        compute: impl FnOnce() -> Result<T>,
    ) -> Result<Artifact<T>> {
        let start = Instant::now();
        let key = Key::of(parameters.with("step", name).with("inputs", inputs))?;
        let (outcome, value) = match self.cache.get(key)? {
            Some(value) => ("hit", value),
            None => {
                let value = compute()?;
                let options = PutOptions::new().description(name).metadata(json!({ "depends_on": inputs }));
                self.cache.put_with(key, &value, options)?;
                self.computed.push(name);
                ("computed", value)
            }
        };
        println!("{outcome:>9}  {:>8.3} ms  {name}", start.elapsed().as_secs_f64() * 1e3);
        Ok(Artifact { key, value })
    }

    /// What an artifact was made of, as the metadata of each tell it.
    fn print_lineage(&self, key: Key, depth: usize) -> Result<()> {
        let Some(entry) = self.cache.metadata(key)? else { return Ok(()) };
        println!("{}{key}  {}", "    ".repeat(depth), entry.description().unwrap_or_default());
        let inputs = entry.metadata().get("depends_on").and_then(|inputs| inputs.as_array());
        for input in inputs.into_iter().flatten().filter_map(|input| input.as_str()) {
            self.print_lineage(input.parse()?, depth + 1)?;
        }
        Ok(())
    }
}

/// The concentration of every month from January 1958 (ppm); what was not measured lies on the line between its
/// neighbours.
fn parse(text: &str) -> Result<Vec<f64>> {
    let mut series: Vec<f64> = Vec::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split([',', '-']);
        let mut next = || fields.next().ok_or("a line of the data set is too short");
        let (year, month, _day): (usize, usize, _) = (next()?.parse()?, next()?.parse()?, next()?);
        let value: f64 = next()?.parse()?;
        let before = series.last().copied().unwrap_or(value);
        let gap =
            (year * 12 + month).checked_sub(FIRST_YEAR * 12 + series.len()).ok_or("the months are out of order")?;
        series.extend((1..=gap).map(|step| before + (value - before) * step as f64 / gap as f64));
    }
    Ok(series)
}

/// At each month the line through its neighbours, as many before as after where there are (Cleveland 1979, unweighted).
fn trend(series: &[f64], window: usize) -> Vec<f64> {
    let smooth = |month: usize| {
        let begin = month.saturating_sub(window / 2).min(series.len().saturating_sub(window + 1));
        let near: Vec<_> = series.iter().enumerate().skip(begin).take(window + 1).collect();
        let count = near.len() as f64;
        let middle = near.iter().map(|(at, _)| *at as f64).sum::<f64>() / count;
        let mean = near.iter().map(|(_, value)| **value).sum::<f64>() / count;
        let (mut above, mut below) = (0.0, 0.0);
        for (at, value) in near {
            above += (at as f64 - middle) * (value - mean);
            below += (at as f64 - middle).powi(2);
        }
        mean + (month as f64 - middle) * if below > 0.0 { above / below } else { 0.0 }
    };
    (0..series.len()).map(smooth).collect()
}

/// How far each month of the year is from the trend on average (ppm).
fn season(series: &[f64], trend: &[f64]) -> Vec<f64> {
    let distances: Vec<_> = series.iter().zip(trend).map(|(value, trend)| value - trend).collect();
    (0..12)
        .map(|month| {
            let of_month: Vec<_> = distances.iter().skip(month).step_by(12).collect();
            of_month.iter().copied().sum::<f64>() / of_month.len() as f64
        })
        .collect()
}

/// Many futures, each year of which grows like one of the last twenty, drawn at random (Efron 1979).
fn forecast(trend: &[f64], season: &[f64], years: usize) -> Result<Vec<Forecast>> {
    let mays: Vec<_> = trend.iter().skip(4).step_by(12).collect();
    let (Some(may), Some(last)) = (season.get(4), mays.last()) else { return Err("a forecast needs a May".into()) };
    let yearly: Vec<_> =
        trend.windows(13).rev().take(240).filter_map(|year| Some(year.last()? - year.first()?)).collect();
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        yearly.get((chance % yearly.len().max(1) as u64) as usize).copied().unwrap_or_default()
    };
    let mut futures = vec![**last + may; FUTURES];
    let mut forecast = Vec::new();
    for year in (FIRST_YEAR + mays.len()..).take(years) {
        futures.iter_mut().for_each(|level| *level += draw());
        futures.sort_by(f64::total_cmp);
        let at = |percent: usize| futures.get(FUTURES * percent / 100).copied().unwrap_or_default();
        forecast.push(Forecast { year, may: [at(5), at(50), at(95)] });
    }
    Ok(forecast)
}
