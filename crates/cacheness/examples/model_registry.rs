//! A registry of models in a `BlobStore`: versions with their accuracy, the best one found and promoted.
//!
//! The models are trained on three years of Seattle's weather and judged by the fourth. The first run trains and
//! registers them, the second finds them there: `cargo run --release --example model_registry`
#![allow(clippy::print_stdout)]

use cacheness::storage::PutOptions;
use cacheness::{Entry, Field, Filter, Query, sync::BlobStore};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const WEATHER: &str = include_str!("data/seattle-weather.csv");
/// Days up to the end of 2014: what the models learn from.
const LEARNED: usize = 1096;
/// How many days back each version looks.
const HISTORIES: [usize; 5] = [1, 2, 3, 5, 14];
const PRODUCTION: &str = "production";

/// Precipitation (mm), highest and lowest temperature (°C), wind (m/s).
type Day = [f64; 4];

/// Tells from some days whether the next one will be of a kind: Gaussian naive Bayes.
#[derive(Serialize, Deserialize)]
struct Model {
    history: usize,
    classes: [Class; 2],
}

#[derive(Serialize, Deserialize)]
struct Class {
    share: f64,
    means: Vec<f64>,
    variances: Vec<f64>,
}

/// What the registry knows of a version without reading the model.
#[derive(Serialize, Deserialize)]
struct Card {
    history: usize,
    accuracy: f64,
    /// The accuracy of always saying no.
    baseline: f64,
}

fn main() -> Result<()> {
    run(Path::new("./cache/models"))
}

pub(crate) fn run(dir: &Path) -> Result<()> {
    let store = BlobStore::open(dir)?; // an SQLite index and a folder of blobs, created when they are missing
    let days = parse(WEATHER)?;
    register(&store, &days, "rain", |[rain, ..]| *rain > 0.0)?;
    register(&store, &days, "warmth", |[_, high, ..]| *high >= 20.0)?;
    list(&store)?;
    for name in ["rain", "warmth"] {
        promote_best(&store, name)?;
        predict(&store, name, &days)?;
    }
    Ok(store.close()?)
}

/// Trains and stores the versions that are missing.
fn register(store: &BlobStore, days: &[Day], name: &str, is_so: fn(&Day) -> bool) -> Result<()> {
    let mut registered = 0;
    for (version, history) in (1..).zip(HISTORIES) {
        let key = format!("models/{name}/{version:03}"); // keys are listed in the order of their bytes
        if store.exists(&key)? {
            continue;
        }
        let (known, unknown) = days.split_at(LEARNED);
        let model = Model::train(known, history, is_so);
        let (accuracy, baseline) = model.judge(unknown, is_so);
        let options = PutOptions::new()
            .metadata(Card { history, accuracy, baseline })
            .tags(["candidate"])
            .description(format!("looks {history} days back"));
        store.put_with(&key, &model, options)?;
        registered += 1;
    }
    println!("{name}: registered {registered} versions, {} were there", HISTORIES.len() - registered);
    Ok(())
}

/// Every version of every model, four a page.
fn list(store: &BlobStore) -> Result<()> {
    let mut query = Query::new().prefix("models/").limit(4);
    for number in 1.. {
        let page = store.list(&query)?;
        println!("page {number}");
        for entry in &page.entries {
            let (accuracy, tags) = (percent(card(entry)?.accuracy), entry.tags().join(", "));
            println!("  {}  {accuracy}  {} bytes  {tags}", entry.key(), entry.stored_size());
        }
        match page.next {
            Some(next) => query = query.after(next),
            None => break,
        }
    }
    Ok(())
}

/// The most accurate version goes into production, and the one that was there leaves.
fn promote_best(store: &BlobStore, name: &str) -> Result<()> {
    let is_worthy = Filter::ge(Field::metadata("accuracy"), 0.65) & Filter::le(Field::metadata("history"), 5);
    let mut worthy = Vec::new();
    for entry in store.list(&versions(name).filter(is_worthy))?.entries {
        worthy.push((card(&entry)?, entry));
    }
    let best = worthy.into_iter().max_by(|(one, _), (other, _)| one.accuracy.total_cmp(&other.accuracy));
    let Some((Card { accuracy, baseline, .. }, best)) = best else { return Ok(()) };
    println!("{} is the best: right on {} of the days, `no` on {}", best.key(), percent(accuracy), percent(baseline));
    if best.tags().iter().any(|tag| tag == PRODUCTION) {
        return Ok(());
    }
    for old in store.list(&versions(name).filter(Filter::eq(Field::Tag, PRODUCTION)))?.entries {
        tag(store, &old, "retired")?;
    }
    tag(store, &best, PRODUCTION)
}

/// `update_metadata` sets metadata, tags and description together: what shall stay is given again.
fn tag(store: &BlobStore, entry: &Entry, tag: &str) -> Result<()> {
    let mut options = PutOptions::new().metadata(entry.metadata()).tags([tag]);
    if let Some(description) = entry.description() {
        options = options.description(description);
    }
    if store.update_metadata(entry.key(), options)? {
        println!("    {} is now tagged {tag}", entry.key());
    }
    Ok(())
}

/// What the version in production says of the day after the last one.
fn predict(store: &BlobStore, name: &str, days: &[Day]) -> Result<()> {
    for entry in store.list(&versions(name).filter(Filter::eq(Field::Tag, PRODUCTION)))?.entries {
        if let Some(model) = store.get::<Model>(entry.key())? {
            let answer = if model.says(days) { "yes" } else { "no" };
            println!("    {name} on New Year's Day 2016? {answer}, says {}", entry.key());
        }
    }
    Ok(())
}

fn versions(name: &str) -> Query {
    Query::new().prefix(format!("models/{name}/"))
}

fn card(entry: &Entry) -> Result<Card> {
    Ok(serde_json::from_value(Json::Object(entry.metadata().clone()))?)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

impl Model {
    fn train(days: &[Day], history: usize, is_so: fn(&Day) -> bool) -> Self {
        let class = |wanted: bool| {
            let examples = || days.windows(history + 1).filter_map(|window| window.split_last());
            let chosen: Vec<_> = examples().filter(|(next, _)| is_so(next) == wanted).map(|(_, past)| past).collect();
            let count = chosen.len() as f64;
            let mean = |of: &dyn Fn(&[Day]) -> f64| chosen.iter().map(|past| of(past)).sum::<f64>() / count;
            let (mut means, mut variances) = (Vec::new(), Vec::new());
            for measure in 0..history * 4 {
                let value = |past: &[Day]| past.as_flattened()[measure];
                let middle = mean(&value);
                variances.push(mean(&|past| (value(past) - middle).powi(2)));
                means.push(middle);
            }
            Class { share: count / examples().count() as f64, means, variances }
        };
        Self { history, classes: [class(false), class(true)] }
    }

    /// Whether the day after these will be so.
    fn says(&self, days: &[Day]) -> bool {
        let (_, past) = days.split_at(days.len().saturating_sub(self.history));
        let [no, yes] = self.classes.each_ref().map(|class| class.likelihood(past));
        yes > no
    }

    /// How often the model is right, and how often it would be by always saying no.
    fn judge(&self, days: &[Day], is_so: fn(&Day) -> bool) -> (f64, f64) {
        let examples: Vec<_> = days.windows(self.history + 1).filter_map(|window| window.split_last()).collect();
        let share = |count: usize| count as f64 / examples.len() as f64;
        let right = examples.iter().filter(|(next, past)| self.says(past) == is_so(next)).count();
        (share(right), share(examples.iter().filter(|(next, _)| !is_so(next)).count()))
    }
}

impl Class {
    /// The logarithm of how likely a day of this class follows these.
    fn likelihood(&self, past: &[Day]) -> f64 {
        let measures = past.as_flattened().iter().zip(self.means.iter().zip(&self.variances));
        self.share.ln()
            - measures.map(|(value, (mean, var))| (value - mean).powi(2) / var + var.ln()).sum::<f64>() / 2.0
    }
}

fn parse(text: &str) -> Result<Vec<Day>> {
    let day = |line: &str| {
        let mut fields = line.split(',').skip(1);
        let mut day = Day::default();
        for measure in &mut day {
            *measure = fields.next().ok_or("a line of the data set is too short")?.parse()?;
        }
        Ok(day)
    };
    text.lines().skip(1).map(day).collect()
}
