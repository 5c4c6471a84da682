//! A race: subjects take turns in many rounds, so that what disturbs the machine disturbs all of them.

use crate::Result;
use crate::report::{Report, Row};
use crate::timing::{Stretch, Times};
use crate::workloads::Workload;

/// The name of what is ours.
pub(crate) const OURS: &str = "cacheness";

/// How a race is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Rounds, in each of which every subject has a turn. The first one warms up and does not count.
    pub(crate) rounds: u64,
    /// Calls of a subject in a turn.
    pub(crate) calls: u64,
    /// Calls that are timed together, because one alone takes no longer than looking at the clock.
    pub(crate) batch: u64,
}

impl Pace {
    /// Calls of microseconds, each timed alone.
    pub(crate) const MICROS: Self = Self { rounds: 40, calls: 500, batch: 1 };
    /// Calls of nanoseconds.
    pub(crate) const NANOS: Self = Self { rounds: 60, calls: 20_000, batch: 100 };
    /// Many calls as one.
    pub(crate) const fn bulk(calls: u64, rounds: u64) -> Self {
        Self { rounds, calls, batch: calls }
    }
}

struct Subject<'s> {
    name: String,
    stretch: Stretch<'s>,
    /// Its turn has so many times fewer calls.
    slower: u64,
    next: u64,
    times: Times,
}

/// What takes part, in the order in which it is printed.
pub(crate) struct Race<'s> {
    pace: Pace,
    floor: Option<String>,
    subjects: Vec<Subject<'s>>,
    absent: Vec<(String, String)>,
}

impl<'s> Race<'s> {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, floor: None, subjects: Vec::new(), absent: Vec::new() }
    }

    /// What is compared with all others.
    pub(crate) fn ours(self, stretch: Stretch<'s>) -> Self {
        self.subject(OURS, stretch)
    }

    /// What ratios are ratios to.
    pub(crate) fn floor(mut self, name: &str, stretch: Stretch<'s>) -> Self {
        self.floor = Some(name.into());
        self.subject(name, stretch)
    }

    pub(crate) fn subject(self, name: &str, stretch: Stretch<'s>) -> Self {
        self.slow_subject(name, 1, stretch)
    }

    /// A subject with so many times fewer calls in a turn.
    pub(crate) fn slow_subject(mut self, name: &str, slower: u64, stretch: Stretch<'s>) -> Self {
        self.subjects.push(Subject { name: name.into(), stretch, slower, next: 0, times: Times::default() });
        self
    }

    /// A subject that cannot take part, and why.
    pub(crate) fn absent(mut self, name: &str, reason: &str) -> Self {
        self.absent.push((name.into(), reason.into()));
        self
    }

    /// Lets all of them take turns, each round beginning with another one, and reports their times.
    pub(crate) fn run(self, workload: &Workload, report: &mut Report) -> Result {
        self.run_for_rows(workload, report).map(drop)
    }

    /// As [`run`](Self::run), and returns what was reported, in the order in which the subjects joined.
    pub(crate) fn run_for_rows(mut self, workload: &Workload, report: &mut Report) -> Result<Vec<Row>> {
        for round in 0..=self.pace.rounds {
            let count = self.subjects.len();
            for turn in 0..count {
                let place = (turn + usize::try_from(round)?) % count;
                if let Some(subject) = self.subjects.get_mut(place) {
                    subject.turn(self.pace).map_err(|error| format!("{}, {}: {error}", workload.name, subject.name))?;
                }
            }
            if round == 0 {
                self.subjects.iter_mut().for_each(|subject| subject.times = Times::default());
            }
        }
        let floor = self.subjects.iter().find(|subject| Some(&subject.name) == self.floor.as_ref());
        let row = |subject: &Subject<'_>| Row {
            subject: subject.name.clone(),
            median: subject.times.median(),
            p99: subject.times.p99(),
            mean: subject.times.mean(),
            ratio: floor.map(|floor| subject.times.ratio_to(&floor.times)),
            mean_ratio: floor.map(|floor| subject.times.mean_ratio_to(&floor.times)),
        };
        let rows: Vec<Row> = self.subjects.iter().map(row).collect();
        report.race(workload, self.floor.as_deref(), &rows, &self.absent);
        Ok(rows)
    }
}

impl Subject<'_> {
    fn turn(&mut self, pace: Pace) -> Result {
        self.times.begin_round();
        let end = self.next + (pace.calls / self.slower).max(1);
        while self.next < end {
            let calls = self.next..end.min(self.next + pace.batch);
            self.next = calls.end;
            let count = calls.end - calls.start;
            self.times.note((self.stretch)(calls)?, count);
        }
        Ok(())
    }
}
