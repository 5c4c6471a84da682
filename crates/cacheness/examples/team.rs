//! Two processes share one cache through PostgreSQL and S3: what Ada computes, Grace finds; what Ada changes, Grace sees.
//!
//! `cargo xtask services up` starts both on this machine and prints, in its last line, the command that runs this on them:
//!
//! `cargo run --example team --features postgres,s3 -- 'postgres://user@host/database' 's3://bucket/team'`
//!
//! Credentials come from the environment (`PGPASSWORD`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`) or from the URLs.
#![allow(clippy::print_stdout)]

use cacheness::{Result, key, sync::Cache};
use serde::{Deserialize, Serialize};
use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const WEATHER: &str = include_str!("data/seattle-weather.csv");

/// Tells a process that it is Grace's.
const MEMBER: &str = "CACHENESS_TEAM_MEMBER";

/// What the team agreed on: small, read often, changed now and then.
#[derive(Debug, Serialize, Deserialize)]
struct Agreement {
    warm_from: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [metadata, blobs] = &arguments[..] else {
        return Err("usage: team postgres://user@host/database s3://bucket/prefix".into());
    };
    let cache = Cache::builder().metadata(metadata).blobs(blobs).open()?;
    if env::var_os(MEMBER).is_some() { grace(&cache) } else { ada(&cache, &arguments) }
}

/// Computes, agrees with herself on something, and changes it while Grace is at work.
fn ada(cache: &Cache, urls: &[String]) -> Result<(), Box<dyn Error>> {
    cache.clear()?;
    let start = Instant::now();
    let similar = similarities(cache)?;
    let took = start.elapsed();
    println!("Ada computed {} similarities in {:.1} ms", similar.len(), took.as_secs_f64() * 1e3);
    cache.put("agreement", &Agreement { warm_from: 20.0 })?;

    let mut grace = Command::new(env::current_exe()?)
        .args(urls)
        .env(MEMBER, "Grace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut answers = BufReader::new(grace.stdout.take().ok_or("Grace is mute")?).lines();
    let mut listen = || answers.next().transpose().map(Option::unwrap_or_default);
    println!("{}\n{}", listen()?, listen()?);
    cache.put("agreement", &Agreement { warm_from: 25.0 })?;
    println!("Ada now calls a day warm from 25 °C on");
    println!("{}", ask(&mut grace, listen)?);
    grace.wait()?;
    cache.close()?;
    Ok(())
}

/// Has Grace look again; gives her answer.
fn ask(grace: &mut Child, mut listen: impl FnMut() -> std::io::Result<String>) -> Result<String, Box<dyn Error>> {
    writeln!(grace.stdin.take().ok_or("Grace is deaf")?, "look again")?;
    Ok(listen()?)
}

/// Finds what was computed, and keeps a copy of the agreement in memory.
fn grace(cache: &Cache) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let similar = similarities(cache)?;
    let (took, stats) = (start.elapsed(), cache.stats()?);
    println!(
        "Grace found {} similarities in {:.1} ms: {} hits, {} misses",
        similar.len(),
        took.as_secs_f64() * 1e3,
        stats.hits,
        stats.misses()
    );
    warm_days(cache)?;
    println!("Grace counts {} warm days", warm_days(cache)?);
    stdin().lock().read_line(&mut String::new())?;
    println!("Grace counts {} warm days", warm_days(cache)?);
    Ok(())
}

/// How like each other all fortnights were: too large for the index, so it rests in S3.
fn similarities(cache: &Cache) -> Result<Vec<f64>> {
    cache.get_or_put(key! { report: "similarities", data: WEATHER }, || {
        let highs = highs();
        let stretches: Vec<&[f64]> = highs.windows(14).collect();
        let distance = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        stretches.iter().flat_map(|one| stretches.iter().map(|other| distance(one, other))).collect()
    })
}

/// By what the team agreed on, read through the memory of this process.
fn warm_days(cache: &Cache) -> Result<usize, Box<dyn Error>> {
    let agreement = cache.get_shared::<Agreement>("agreement")?.ok_or("there is no agreement")?;
    Ok(highs().iter().filter(|high| **high >= agreement.warm_from).count())
}

fn highs() -> Vec<f64> {
    WEATHER.lines().skip(1).filter_map(|line| line.split(',').nth(2)?.parse().ok()).collect()
}
