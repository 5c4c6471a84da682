//! The rounds: processes are killed, and the store is checked.

use super::check::Sweep;
use super::crew::broken;
use super::history::{History, State};
use super::kill::Moment;
use super::operation::Repertoire;
use super::orders::{Line, points};
use super::place::Place;
use super::{Pair, Plan, SEED, check};
use crate::SeededRng;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::OpenContext;
use cacheness_storage::engine::{Failpoints, Point};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many rounds a store lives through, the first while it is opened for the first time; and one of how many stores:
/// the others have no second round.
const LIFE: u64 = 20;
const STORES: u64 = 4;

/// At which passings of a point a process is killed.
const PASSINGS: [u64; 3] = [1, 2, 5];

/// Kills as often as the plan says.
pub(super) fn survive<F>(test: &str, plan: &Plan, open: &impl Fn(PathBuf, OpenContext) -> F) -> Result<()>
where
    F: Future<Output = Result<Pair>>,
{
    let mut home = temporary_directory(plan.directory.as_deref())?;
    let place = |name: String| Place::new(home.path().join(name), &plan.runtime, open);
    let opening = measure(&place("measured".into()))?;
    let mut run = Run {
        test,
        plan,
        temporary: home.path(),
        place: &place,
        repertoire: Repertoire::new()?,
        chance: SeededRng::new(plan.seed),
        opening,
        processes: 0,
        points: 0,
        holds: 0,
        moment: Moment::Opening,
        lines: Vec::new(),
        state: State::new(),
        tally: Tally::default(),
    };
    let result = run.all();
    let Run { lines, moment, tally, .. } = run;
    #[expect(clippy::print_stdout, reason = "shown when the test fails, or on demand")]
    match result {
        Ok(()) => {
            println!("seed {}: {tally}", plan.seed);
            Ok(())
        }
        Err(error) => {
            home.disable_cleanup(true);
            let text: String = lines.iter().map(Line::text).collect();
            let told = home.path().join("lines");
            fs::write(&told, text)?;
            let message = format!("seed {}, round {}, {moment:?}: {error}", plan.seed, tally.rounds);
            println!("{message}");
            Err(Error::new(error.kind(), message).advice(format!(
                "the store and the lines of the round are kept in {}; {SEED}={} does the same again",
                home.path().display(),
                plan.seed
            )))
        }
    }
}

/// What was done so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) kills: u64,
    rounds: u64,
    stores: u64,
    pub(super) at_points: u64,
    done: u64,
    failed: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, rounds, stores, at_points, done, failed } = self;
        write!(
            f,
            "{kills} kills in {rounds} rounds on {stores} stores, {at_points} at points; {done} operations, {failed} failed beside sweeps"
        )
    }
}

/// What goes on from round to round.
pub(super) struct Run<'a> {
    pub(super) test: &'a str,
    plan: &'a Plan,
    pub(super) temporary: &'a Path,
    place: &'a dyn Fn(String) -> Place<'a>,
    repertoire: Repertoire,
    pub(super) chance: SeededRng,
    /// How long opening a new store takes.
    pub(super) opening: Duration,
    pub(super) processes: u64,
    points: u64,
    holds: u64,
    moment: Moment,
    /// What the processes told since the store was checked.
    pub(super) lines: Vec<Line>,
    /// What the store held then.
    state: State,
    pub(super) tally: Tally,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        while self.tally.kills < self.plan.kills {
            let rounds = if self.tally.stores.is_multiple_of(STORES) { LIFE } else { 1 };
            self.life_of_a_store(rounds)?;
        }
        Ok(())
    }

    fn life_of_a_store(&mut self, rounds: u64) -> Result<()> {
        self.tally.stores += 1;
        self.state.clear();
        let place = (self.place)(format!("store-{}", self.tally.stores));
        fs::create_dir_all(place.directory())?;
        for age in 0..rounds {
            self.tally.rounds += 1;
            self.round(&place, age)?;
            let is_last = self.tally.kills >= self.plan.kills || age == rounds - 1;
            self.check(&place, is_last || age % 4 == 3)?;
            if is_last {
                break;
            }
        }
        fs::remove_dir_all(place.directory())?;
        Ok(())
    }

    /// Kills a process, or two, once or a few times in a row.
    fn round(&mut self, place: &Place<'_>, age: u64) -> Result<()> {
        let in_a_row = 1 + self.chance.below(4) / 3;
        let (moment, times, crowded) = match age % 10 {
            _ if age == 0 => (Moment::Opening, 1 + self.chance.below(3), self.chance.below(2) == 0),
            1 | 4 | 6 | 8 => (self.next_point()?, 1, false),
            2 | 9 if !self.plan.is_alone => (self.next_hold()?, 1, true),
            5 => (Moment::Time, in_a_row, false),
            7 => (Moment::Time, in_a_row, true),
            3 => (Moment::Lines, in_a_row, true),
            _ => (Moment::Lines, in_a_row, false),
        };
        self.moment = moment;
        for _ in 0..times {
            self.crash(place, moment, crowded && !self.plan.is_alone)?;
        }
        Ok(())
    }

    /// The points in their order: all at their first passing, then all at the next.
    fn next_point(&mut self) -> Result<Moment> {
        let number = usize::try_from(self.points).unwrap_or(0);
        self.points += 1;
        let passing = PASSINGS.get(number / points().count() % PASSINGS.len()).copied().unwrap_or(1);
        Ok(Moment::Point(point(number)?, passing))
    }

    fn next_hold(&mut self) -> Result<Moment> {
        let number = usize::try_from(self.holds).unwrap_or(0);
        self.holds += 1;
        Ok(Moment::Held(point(number)?, 1 + self.chance.below(3)))
    }

    fn check(&mut self, place: &Place<'_>, sweep: bool) -> Result<()> {
        (self.plan.settling.0)(place.directory());
        let history = History::of(&self.state, &self.lines, &self.repertoire)?;
        (self.tally.done, self.tally.failed) = (self.tally.done + history.done, self.tally.failed + history.failed);
        let recurring = self.chance.below(2) == 0;
        let sweep = sweep.then_some(Sweep { lateness: self.plan.lateness });
        let state = check::check(place, &history, &self.repertoire, recurring, sweep)?;
        self.lines.clear();
        self.state = state;
        Ok(())
    }
}

/// One point after the other, again and again.
fn point(number: usize) -> Result<Point> {
    points().nth(number % points().count()).ok_or_else(|| broken("there are no points"))
}

/// How long opening a new store takes here.
fn measure(place: &Place<'_>) -> Result<Duration> {
    fs::create_dir_all(place.directory())?;
    let start = Instant::now();
    let (_, store) = place.open(false, Failpoints::default())?;
    let taken = start.elapsed();
    store.close()?;
    fs::remove_dir_all(place.directory())?;
    Ok(taken)
}

/// Below the given directory, otherwise in memory where there is room for that: nothing waits for a device then.
fn temporary_directory(given: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("cacheness-crash-");
    let made = match given {
        Some(directory) => builder.tempdir_in(directory),
        None => builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()),
    };
    made.map_err(|error| Error::io(ErrorKind::Storage, "a temporary directory could not be made", error))
}
