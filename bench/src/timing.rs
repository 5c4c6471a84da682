//! What a subject does, in stretches of calls that are timed; and what its times come to.

use crate::Result;
use std::hint::black_box;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

/// Makes the calls of a range and returns how long they took together, without what had to be made ready for them.
pub(crate) type Stretch<'s> = Box<dyn FnMut(Range<u64>) -> Result<Duration> + 's>;

/// One call after the other, each with its number.
pub(crate) fn each<'s, T>(mut call: impl FnMut(u64) -> Result<T> + 's) -> Stretch<'s> {
    Box::new(move |calls| {
        let start = Instant::now();
        for number in calls {
            black_box(call(number)?);
        }
        Ok(start.elapsed())
    })
}

/// All calls of a stretch as one, of which the input is made ready outside the time.
pub(crate) fn all<'s, I, T>(
    mut ready: impl FnMut(Range<u64>) -> Result<I> + 's,
    mut call: impl FnMut(&mut I) -> Result<T> + 's,
) -> Stretch<'s> {
    Box::new(move |calls| {
        let mut input = ready(calls)?;
        let start = Instant::now();
        let output = black_box(call(&mut input)?);
        let elapsed = start.elapsed();
        drop(output);
        Ok(elapsed)
    })
}

/// The calls of a stretch, dealt out to threads, each of which makes them in its own way.
pub(crate) fn threads<'s, T, C: FnMut(u64) -> Result<T>>(count: u64, way: impl Fn() -> C + Sync + 's) -> Stretch<'s> {
    Box::new(move |calls| {
        let share = (calls.end - calls.start).div_ceil(count.max(1));
        let way = &way;
        let start = Instant::now();
        thread::scope(|scope| {
            let share_of = |thread| calls.start + thread * share..calls.end.min(calls.start + (thread + 1) * share);
            let started: Vec<_> = (0..count)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut call = way();
                        share_of(thread).try_for_each(|number| call(number).map(|output| drop(black_box(output))))
                    })
                })
                .collect();
            started.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into())))
        })?;
        Ok(start.elapsed())
    })
}

/// Times of one subject in nanoseconds a call, round by round.
#[derive(Debug, Default)]
pub(crate) struct Times {
    rounds: Vec<Vec<f64>>,
}

impl Times {
    pub(crate) fn begin_round(&mut self) {
        self.rounds.push(Vec::new());
    }

    /// Notes a stretch of so many calls.
    pub(crate) fn note(&mut self, elapsed: Duration, calls: u64) {
        if let Some(round) = self.rounds.last_mut() {
            round.push(elapsed.as_nanos() as f64 / calls.max(1) as f64);
        }
    }

    pub(crate) fn median(&self) -> f64 {
        quantile(self.rounds.concat(), 0.5)
    }

    pub(crate) fn p99(&self) -> f64 {
        quantile(self.rounds.concat(), 0.99)
    }

    pub(crate) fn mean(&self) -> f64 {
        let all = self.rounds.concat();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }

    /// The median of the ratios that the rounds' medians have: what disturbs a round disturbs both alike.
    pub(crate) fn ratio_to(&self, floor: &Self) -> f64 {
        self.ratio_by(floor, |round| quantile(round.to_vec(), 0.5))
    }

    /// As [`ratio_to`](Self::ratio_to), by the rounds' means: what a rate shows, with everything that is seldom and long.
    pub(crate) fn mean_ratio_to(&self, floor: &Self) -> f64 {
        self.ratio_by(floor, |round| round.iter().sum::<f64>() / round.len().max(1) as f64)
    }

    fn ratio_by(&self, floor: &Self, of_round: fn(&[f64]) -> f64) -> f64 {
        let ratios = self.rounds.iter().zip(&floor.rounds).map(|(ours, floor)| of_round(ours) / of_round(floor));
        quantile(ratios.collect(), 0.5)
    }
}

/// The value that a part of all values does not exceed; not a number of none.
fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len().saturating_sub(1) as f64 * part).round();
    values.get(place as usize).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn times(rounds: &[&[u64]]) -> Times {
        let mut times = Times::default();
        for round in rounds {
            times.begin_round();
            round.iter().for_each(|nanoseconds| times.note(Duration::from_nanos(*nanoseconds), 1));
        }
        times
    }

    #[test]
    fn a_disturbed_round_does_not_move_the_ratio() {
        let floor = times(&[&[10, 10], &[1000, 1000], &[10, 10]]);
        let ours = times(&[&[20, 20], &[2000, 2000], &[20, 20]]);
        assert_eq!(ours.ratio_to(&floor), 2.0);
        assert_eq!(ours.median(), 20.0);
    }

    #[test]
    fn the_99th_percentile_is_beyond_99_of_100() {
        let all: Vec<u64> = (1..=101).collect();
        assert_eq!(times(&[&all]).p99(), 100.0);
    }

    #[test]
    fn threads_make_every_call_once() {
        let made = Mutex::new(Vec::new());
        threads(8, || {
            |call| {
                made.lock().map_err(|_| "poisoned")?.push(call);
                Ok(())
            }
        })(100..213)
        .unwrap();
        let mut made = made.into_inner().unwrap();
        made.sort_unstable();
        assert_eq!(made, (100..213).collect::<Vec<_>>());
    }
}
