//! The rounds: processes are started, killed, and the store is checked.

use super::crew::{Crew, broken};
use super::history::{History, State};
use super::operation::{Operation, Repertoire};
use super::orders::{Line, Orders, Told, points};
use super::place::Place;
use super::{Pair, Plan, SEED, check};
use crate::SeededRng;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::OpenContext;
use cacheness_storage::engine::{Failpoints, Point};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// After so many rounds a new store is begun.
const LIFE: u64 = 20;

/// At which passings of a point a process is killed.
const PASSINGS: [u64; 3] = [1, 2, 5];

/// When the processes of a round are killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// While they open a new store.
    Opening,
    /// At this passing of this point.
    Point(Point, u64),
    /// Some lines after it was held at this point while another process swept.
    Held(Point),
    /// Soon after so many lines.
    Lines,
    /// After some time.
    Time,
}

/// Kills as often as the plan says.
pub(super) fn survive<F>(test: &str, plan: &Plan, open: &impl Fn(PathBuf, OpenContext) -> F) -> Result<()>
where
    F: Future<Output = Result<Pair>>,
{
    let mut home = temporary_directory()?;
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
        lines: Vec::new(),
        state: State::new(),
        tally: Tally::default(),
    };
    let result = run.all();
    let Run { lines, tally, .. } = run;
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
            let message = format!("seed {}, round {}, store {}: {error}", plan.seed, tally.rounds, tally.stores);
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
struct Tally {
    kills: u64,
    rounds: u64,
    stores: u64,
    points: u64,
    done: u64,
    failed: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, rounds, stores, points, done, failed } = self;
        write!(
            f,
            "{kills} kills in {rounds} rounds on {stores} stores, {points} at points; {done} operations, {failed} failed beside sweeps"
        )
    }
}

struct Run<'a> {
    test: &'a str,
    plan: &'a Plan,
    temporary: &'a Path,
    place: &'a dyn Fn(String) -> Place<'a>,
    repertoire: Repertoire,
    chance: SeededRng,
    /// How long opening a new store takes.
    opening: Duration,
    processes: u64,
    points: u64,
    /// What the processes told since the store was checked.
    lines: Vec<Line>,
    /// What the store held then.
    state: State,
    tally: Tally,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        while self.tally.kills < self.plan.kills {
            self.life_of_a_store()?;
        }
        Ok(())
    }

    fn life_of_a_store(&mut self) -> Result<()> {
        self.tally.stores += 1;
        self.state.clear();
        let place = (self.place)(format!("store-{}", self.tally.stores));
        fs::create_dir_all(place.directory())?;
        for age in 0..LIFE {
            self.tally.rounds += 1;
            self.round(&place, age)?;
            let is_last = self.tally.kills >= self.plan.kills || age == LIFE - 1;
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
        let mut crowded = [3, 7].contains(&(age % 10));
        let (moment, times) = match age % 10 {
            _ if age == 0 => {
                crowded = self.chance.below(2) == 0;
                (Moment::Opening, 1 + self.chance.below(3))
            }
            1 | 4 | 6 | 8 => (self.next_point()?, 1),
            5 | 7 => (Moment::Time, 1 + self.chance.below(4) / 3),
            _ => (Moment::Lines, 1 + self.chance.below(4) / 3),
        };
        for _ in 0..times {
            self.crash(place, moment, crowded && !self.plan.is_alone)?;
        }
        Ok(())
    }

    /// The points in their order: all at their first passing, then all at the next.
    fn next_point(&mut self) -> Result<Moment> {
        let all = points().count();
        let number = usize::try_from(self.points).unwrap_or(0);
        let (passing, point) = (PASSINGS.get(number / all % PASSINGS.len()), points().nth(number % all));
        self.points += 1;
        let (passing, point) = passing.zip(point).ok_or_else(|| broken("there are no points"))?;
        Ok(Moment::Point(point, *passing))
    }

    fn crash(&mut self, place: &Place<'_>, moment: Moment, crowded: bool) -> Result<()> {
        let mut crew = Crew::new(self.test, place.directory(), self.temporary)?;
        let halt = match moment {
            Moment::Point(point, passing) => Some((point, passing)),
            _ => None,
        };
        // The first to open a store writes files that are young and not locked yet.
        let sweeps = moment != Moment::Opening;
        let count = 1 + usize::from(crowded);
        for process in 0..count {
            self.processes += 1;
            let recurring = self.chance.below(3) == 0 || halt.is_some_and(|(point, _)| point == Point::ContentFound);
            let (seed, fresh) = (self.chance.next_u64(), self.processes << 32);
            crew.add(&Orders { process, seed, fresh, recurring, sweeps, halt })?;
        }
        // One after the other, or at once.
        let one_survives = crowded && self.chance.below(2) == 0;
        let result = self.kill_at(&mut crew, moment, one_survives);
        let failed = result.is_err();
        self.tally.kills += count as u64;
        self.lines.extend(crew.finish()?);
        self.check_failures(crowded && sweeps)?;
        if !failed && halt.is_some() {
            self.tally.points += 1;
        }
        result
    }

    /// Kills process 0 at its moment, and lets process 1 work on for a while when it survives that. Who is left ends with
    /// the crew.
    fn kill_at(&self, crew: &mut Crew<'_>, moment: Moment, one_survives: bool) -> Result<()> {
        let random = |below: Duration| {
            Duration::from_nanos(self.chance.below(u64::try_from(below.as_nanos()).unwrap_or(u64::MAX)))
        };
        let is_open = |told: &Told| matches!(told, Told::Done(_));
        match moment {
            Moment::Opening => {
                crew.wait_for(0, |told| *told == Told::Begin(Operation::Open))?;
                thread::sleep(random(self.opening * 3 / 2));
            }
            Moment::Point(..) => crew.wait_for(0, |told| *told == Told::Halted)?,
            Moment::Held(_) => {
                crew.wait_for(0, |told| *told == Told::Halted)?;
                crew.wait_for(1, |told| *told == Told::Begin(Operation::Sweep))?;
                crew.wait_for(1, |told| matches!(told, Told::Done(_)))?;
                crew.resume(0)?;
                crew.wait_for(0, |told| matches!(told, Told::Done(_) | Told::Failed(_)))?;
                for _ in 0..self.chance.below(20) {
                    crew.next()?;
                }
            }
            Moment::Lines => {
                crew.wait_for(0, is_open)?;
                for _ in 0..self.chance.below(60) {
                    crew.next()?;
                }
                thread::sleep(random(Duration::from_micros(700)));
            }
            Moment::Time => {
                crew.wait_for(0, is_open)?;
                thread::sleep(random(Duration::from_millis(40)));
            }
        }
        crew.kill(0)?;
        if one_survives {
            crew.wait_for(1, |told| matches!(told, Told::Done(_)))?;
            for _ in 0..self.chance.below(40) {
                crew.next()?;
            }
        }
        Ok(())
    }

    /// Nothing may fail, except that a sweep without any grace takes what another process is about to commit.
    fn check_failures(&self, beside_sweeps: bool) -> Result<()> {
        let mut begun: [Option<&Operation>; 2] = [None; 2];
        for line in &self.lines {
            let Some(begun) = begun.get_mut(line.process) else { continue };
            match &line.told {
                Told::Begin(operation) => *begun = Some(operation),
                Told::Failed(error) => {
                    let is_put = matches!(begun, Some(Operation::Put(..)));
                    let is_taken = error.starts_with("Conflict ") || error.starts_with("Storage ");
                    if !(beside_sweeps && is_put && is_taken) {
                        let operation = begun.map_or_else(String::new, ToString::to_string);
                        return Err(Error::new(ErrorKind::Corrupt, format!("{operation} failed: {error}")));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check(&mut self, place: &Place<'_>, sweep: bool) -> Result<()> {
        let history = History::of(&self.state, &self.lines, &self.repertoire)?;
        (self.tally.done, self.tally.failed) = (self.tally.done + history.done, self.tally.failed + history.failed);
        let recurring = self.chance.below(2) == 0;
        let state = check::check(place, &history, &self.repertoire, recurring, sweep)?;
        self.lines.clear();
        self.state = state;
        Ok(())
    }
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

/// In memory where there is room for that: nothing waits for a device then.
fn temporary_directory() -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("cacheness-crash-");
    builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())
        .map_err(|error| Error::io(ErrorKind::Storage, "a temporary directory could not be made", error))
}
