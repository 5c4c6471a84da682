//! One crash: processes are started, and killed at their moment.

use super::crew::Crew;
use super::operation::Operation;
use super::orders::{Orders, Told};
use super::place::Place;
use super::round::Run;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::engine::Point;
use std::thread;
use std::time::Duration;

/// When the processes of a round are killed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// While they open a new store.
    Opening,
    /// At this passing of this point.
    Point(Point, u64),
    /// Some lines after one was held at this passing of this point while another cleared and swept the store.
    Held(Point, u64),
    /// Soon after so many lines.
    Lines,
    /// After some time.
    Time,
}

impl Run<'_> {
    /// Starts processes and kills them.
    pub(super) fn crash(&mut self, place: &Place<'_>, moment: Moment, crowded: bool) -> Result<()> {
        let mut crew = Crew::new(self.test, place.directory(), self.temporary)?;
        crew.add(&self.orders(0, moment))?;
        if crowded && !matches!(moment, Moment::Held(..)) {
            crew.add(&self.orders(1, moment))?;
        }
        let result = self.kill_at(&mut crew, moment, crowded);
        self.tally.kills += 1 + u64::from(crowded);
        self.tally.at_points += u64::from(result.is_ok() && matches!(moment, Moment::Point(..)));
        self.lines.extend(crew.finish()?);
        // What failed says more than what was waited for in vain.
        self.check_failures(crowded && moment != Moment::Opening)?;
        result
    }

    fn orders(&mut self, process: usize, moment: Moment) -> Orders {
        self.processes += 1;
        let (halt, clears) = match moment {
            Moment::Point(point, passing) => (Some((point, passing)), false),
            Moment::Held(point, passing) if process == 0 => (Some((point, passing)), false),
            Moment::Held(..) => (None, true),
            _ => (None, false),
        };
        // What recurs is shared, and is almost always in a blob.
        let recurs = halt.is_some_and(|(point, _)| [Point::ContentFound, Point::RecordRead].contains(&point));
        Orders {
            process,
            seed: self.chance.next_u64(),
            fresh: self.processes << 32,
            recurring: self.chance.below(3) == 0 || recurs,
            clears,
            // The first to open a store makes files that are young and not locked yet.
            sweeps: moment != Moment::Opening,
            halt,
        }
    }

    /// Kills process 0 at its moment. Process 1 may survive that for a while; who is left ends with the crew.
    fn kill_at(&mut self, crew: &mut Crew<'_>, moment: Moment, crowded: bool) -> Result<()> {
        let is_done = |told: &Told| matches!(told, Told::Done(_));
        match moment {
            Moment::Opening => {
                crew.wait_for(0, |told| *told == Told::Begin(Operation::Open))?;
                thread::sleep(self.random(self.opening * 3 / 2));
            }
            Moment::Point(..) => crew.wait_for(0, |told| *told == Told::Halted)?,
            Moment::Held(..) => {
                crew.wait_for(0, |told| *told == Told::Halted)?;
                crew.add(&self.orders(1, moment))?;
                for _ in ["open", "clear", "sweep", "sweep"] {
                    crew.wait_for(1, is_done)?;
                }
                crew.resume(0)?;
                crew.wait_for(0, |told| matches!(told, Told::Done(_) | Told::Failed(_)))?;
                // Soon, before it is replaced.
                return crew.skip(self.chance.below(4));
            }
            Moment::Lines => {
                crew.wait_for(0, is_done)?;
                crew.skip(self.chance.below(120))?;
                thread::sleep(self.random(Duration::from_micros(700)));
            }
            Moment::Time => {
                crew.wait_for(0, is_done)?;
                thread::sleep(self.random(Duration::from_millis(40)));
            }
        }
        crew.kill(0)?;
        if crowded && self.chance.below(2) == 0 {
            crew.wait_for(1, is_done)?;
            crew.skip(self.chance.below(40))?;
        }
        Ok(())
    }

    fn random(&self, below: Duration) -> Duration {
        Duration::from_nanos(self.chance.below(u64::try_from(below.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Nothing may fail, except that a sweep without any grace takes what another process is about to commit: its blob, at
    /// any time, and its staging file before that is locked.
    fn check_failures(&self, beside_sweeps: bool) -> Result<()> {
        let mut running: [(Option<&Operation>, bool); 2] = Default::default();
        for line in &self.lines {
            let Some((begun, was_held)) = running.get_mut(line.process) else { continue };
            match &line.told {
                Told::Begin(operation) => (*begun, *was_held) = (Some(operation), false),
                Told::Halted => *was_held = true,
                Told::Failed(error) => {
                    let is_put = matches!(begun, Some(Operation::Put(..)));
                    let is_taken = error.starts_with("Conflict ") || error.starts_with("Storage ") && !*was_held;
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
}
