//! Looking after a cache: four years of Seattle's weather, an entry a month, read and changed together, renewed, renamed,
//! and removed by what is known of them.
//!
//! `cargo run --release --example manage`
#![allow(clippy::print_stdout)]

use cacheness::{Field, Filter, PutOptions, Query, Ttl, sync::Cache};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const WEATHER: &str = include_str!("data/seattle-weather.csv");
const DAY: Duration = Duration::from_hours(24);

fn main() -> Result<()> {
    run(Path::new("./cache/manage"))
}

/// Begins with an empty cache, and leaves what it says at its end.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let cache = Cache::builder().dir(dir).default_ttl(7 * DAY).open()?;
    println!("cleared: {} entries of an earlier run", cache.clear()?);
    let months = months(WEATHER)?;
    store(&cache, &months)?;
    change(&cache)?;
    renew(&cache, &months)?;
    remove(&cache)?;
    inspect(&cache)?;
    cache.close()?;
    Ok(())
}

/// One at a time where each has something of its own to be known by; many at once in one commit.
fn store(cache: &Cache, months: &BTreeMap<String, Vec<f64>>) -> Result<()> {
    for (month, highs) in months {
        let year = month.get(..4).unwrap_or(month);
        let warm = highs.iter().filter(|high| **high >= 25.0).count();
        let options = PutOptions::new().tags([year]).metadata(json!({ "warm_days": warm })).description(month);
        cache.put_with(("highs", month), highs, options)?;
    }
    let means: Vec<_> = months.iter().map(|(month, highs)| (("mean", month), mean(highs))).collect();
    let together = cache.put_many(&means)?;
    println!("stored: {} months, {} means in one commit", months.len(), together.len());

    let summer = ["2015-06", "2015-07", "2015-08"];
    let found = cache.get_many::<f64, _>(summer.map(|month| ("mean", month)))?;
    println!("the summer of 2015: {:.1?} °C in one read", found.into_iter().flatten().collect::<Vec<_>>());
    Ok(())
}

/// An update is a put that only replaces; a copy and a rename move no bytes.
fn change(cache: &Cache) -> Result<()> {
    let corrected = cache.update(("mean", "2012-01"), &7.1)?;
    let unknown = cache.update(("mean", "2011-12"), &5.0)?;
    println!("updated: January 2012 {corrected}, December 2011 {unknown}");
    let copied = cache.copy(("highs", "2012-07"), ("archive", "a july"))?;
    let renamed = cache.rename(("archive", "a july"), ("archive", "july 2012"))?;
    println!("copied: {copied}, renamed: {renamed}");
    Ok(())
}

/// Touching moves the expiry and nothing else.
fn renew(cache: &Cache, months: &BTreeMap<String, Vec<f64>>) -> Result<()> {
    let latest = months.keys().filter(|month| month.starts_with("2015")).map(|month| ("highs", month));
    println!("renewed: {} months of 2015", cache.touch_many(latest, Some(30 * DAY))?);
    for month in ["2014-12", "2015-12"] {
        if let Some(Ttl::Expires { left, .. }) = cache.ttl(("highs", month))? {
            println!("    {month} expires in {:.0} days", left.as_secs_f64() / DAY.as_secs_f64());
        }
    }
    Ok(())
}

/// By key, by what a filter says, by tag, by predicate, by time.
fn remove(cache: &Cache) -> Result<()> {
    let keys = cache.invalidate_many([("mean", "2012-02"), ("mean", "2012-03"), ("mean", "1912-03")])?;
    let cold = Filter::eq(Field::metadata("warm_days"), 0) & Filter::eq(Field::Tag, "2013");
    let filtered = cache.invalidate_where(&cold)?;
    let short = cache.invalidate_if(|entry| entry.description().is_some_and(|month| month == "2014-02"))?;
    println!("removed: {keys} by their keys, {filtered} cold months of 2013, {short} by a predicate");
    cache.invalidate_tag("2012")?; // one small commit, however many entries have the tag
    cache.put_with("fleeting", "soon gone", PutOptions::new().ttl(Duration::from_micros(1)))?;
    println!("cleaned up: {} that are expired or have a tag that was invalidated", cache.cleanup_expired()?);
    Ok(())
}

/// What is left, whether it is whole, and what crashes left behind.
fn inspect(cache: &Cache) -> Result<()> {
    let warmest = cache.entries(&Query::new().filter(Filter::ge(Field::metadata("warm_days"), 20)))?;
    let warmest: Vec<_> = warmest.entries.iter().filter_map(|entry| entry.description()).collect();
    println!("months with 20 warm days: {}", warmest.len());
    let verified = cache.verify()?;
    println!("verified: {} entries, {} damaged", verified.entries, verified.damaged);
    println!("swept: {} blobs", cache.sweep()?.deleted);
    println!("{}", cache.stats()?);
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The highest temperature (°C) of each day, by month.
fn months(text: &str) -> Result<BTreeMap<String, Vec<f64>>> {
    let mut months = BTreeMap::<_, Vec<f64>>::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(',');
        let (Some(date), _, Some(high)) = (fields.next(), fields.next(), fields.next()) else {
            return Err("a line of the data set is too short".into());
        };
        months.entry(date.get(..7).unwrap_or(date).to_owned()).or_default().push(high.parse()?);
    }
    Ok(months)
}
