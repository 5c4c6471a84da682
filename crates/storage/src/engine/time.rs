//! The time of an index that many machines share: this machine's, corrected by how far the two are apart.
//!
//! What a machine writes for others to judge, and what it judges of theirs, has to be told by one clock, and the index has
//! one. It is not asked each time: the difference is measured when the store is opened, whenever totals are read, and again
//! when this machine's clock may have jumped.

use super::Engine;
use cacheness_core::{Clock, Result, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How far apart the clocks may be before anybody is told.
const TOLD: Duration = Duration::from_secs(2);

/// How much more or less than passed may have passed by the clock before it counts as set.
const JUMP: i64 = 1_000_000;

/// How long a measurement is good for, and how long after one that failed the next is due, in microseconds.
const GOOD_FOR: i64 = 5 * 60 * 1_000_000;
const AGAIN_AFTER: i64 = 30 * 1_000_000;

/// This machine's clock, set by the index's.
#[derive(Debug)]
pub(super) struct SharedTime {
    own: Arc<dyn Clock>,
    /// What the index's clock shows more than this machine's, in microseconds.
    ahead: AtomicI64,
    /// When that was measured, by this machine's clock and by what no one can set.
    measured: [AtomicI64; 2],
    began: Instant,
    is_told: AtomicBool,
}

impl Clock for SharedTime {
    fn now(&self) -> Timestamp {
        self.own.now().offset(self.ahead())
    }
}

impl SharedTime {
    pub(super) fn new(own: Arc<dyn Clock>) -> Self {
        let (ahead, measured, is_told) = (AtomicI64::default(), Default::default(), AtomicBool::default());
        Self { own, ahead, measured, began: Instant::now(), is_told }
    }

    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// The moment, by this machine's clock and by what no one can set, in microseconds.
    fn moment(&self) -> [i64; 2] {
        [self.own.now().as_micros(), i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX)]
    }

    /// The later of what the clock shows and of what it would show, had nobody set it.
    fn latest(&self) -> Timestamp {
        let [wall_then, _] = self.measured.each_ref().map(|measured| measured.load(Ordering::Relaxed));
        let unset = Timestamp::from_micros(wall_then).offset(self.ahead()).offset(self.doubts().1);
        self.now().max(unset)
    }

    /// Whether this machine's clock was set since the difference was measured, and how long ago that was.
    #[inline]
    fn doubts(&self) -> (bool, i64) {
        let [wall, passed] = self.moment();
        let [wall_then, passed_then] = self.measured.each_ref().map(|measured| measured.load(Ordering::Relaxed));
        let passed = passed.saturating_sub(passed_then);
        let jumped = wall.saturating_sub(wall_then).saturating_sub(passed);
        (jumped.saturating_abs() > JUMP, passed)
    }

    #[inline]
    fn is_doubtful(&self) -> bool {
        let (was_set, passed) = self.doubts();
        was_set || passed > GOOD_FOR
    }

    /// Lets what is known be good for a little longer: the index did not answer. A clock that was set stays in doubt.
    fn put_off(&self) {
        let late = self.doubts().1 - (GOOD_FOR - AGAIN_AFTER);
        if late > 0 {
            self.measured.iter().for_each(|measured| _ = measured.fetch_add(late, Ordering::Relaxed));
        }
    }

    /// Learns what the index's clock showed at some time after `began`.
    ///
    /// It was read somewhere between then and now. A difference that is possible with that stays: otherwise the time would
    /// tremble with the network.
    fn learn(&self, began: Timestamp, shown: Timestamp) {
        let moment = self.moment();
        let ended = moment[0];
        let began = began.as_micros().min(ended);
        let (least, most) = (shown.as_micros().saturating_sub(ended), shown.as_micros().saturating_sub(began));
        if !(least..=most).contains(&self.ahead()) {
            self.ahead.store(least.saturating_add(most.saturating_sub(least) / 2), Ordering::Relaxed);
        }
        self.measured.iter().zip(moment).for_each(|(measured, now)| measured.store(now, Ordering::Relaxed));
        let is_far = self.ahead().unsigned_abs() > TOLD.as_micros() as u64;
        if is_far != self.is_told.swap(is_far, Ordering::Relaxed) && is_far {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                index_ahead_ms = self.ahead() / 1000,
                "the clocks of this machine and of the index differ; the index's counts"
            );
        }
    }
}

impl Engine {
    /// What the clock of an index that many machines share shows more than this machine's, in microseconds; negative when
    /// this one is ahead. `None` for any other index: it has this machine's time.
    pub fn clock_difference(&self) -> Option<i64> {
        self.time.as_ref().map(|time| time.ahead())
    }

    /// The time, at the latest: should the machine's clock have been set back since the index was asked, as if it had not.
    pub fn latest_time(&self) -> Timestamp {
        self.time.as_ref().map_or_else(|| self.clock.now(), |time| time.latest())
    }

    /// Whether the time has to be learned anew, by reading the totals, before anything is judged by it: the machine's clock
    /// was set, or nobody asked for long.
    #[inline]
    pub fn doubts_time(&self) -> bool {
        self.time.as_ref().is_some_and(|time| time.is_doubtful())
    }

    /// Does what the index tells the time by.
    pub(super) async fn timed<F: Future<Output = Result<crate::MetadataStats>>>(
        time: Option<&SharedTime>,
        ask: F,
    ) -> Result<crate::MetadataStats> {
        let began = time.map(|time| time.own.now());
        let totals = ask.await;
        if let (Some(time), Some(began)) = (time, began) {
            match &totals {
                Ok(totals) => time.learn(began, totals.now),
                Err(_) => time.put_off(),
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cacheness_core::ManualClock;

    const SECOND: i64 = 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn the_time_is_the_indexs_and_small_differences_do_not_move_it() {
        let own = ManualClock::starting_at(at(1000 * SECOND));
        let time = SharedTime::new(Arc::new(own.clone()));
        time.learn(own.now(), at(400 * SECOND));
        assert_eq!(time.now(), at(400 * SECOND));
        // An answer that took two seconds says no more than that.
        let began = own.now();
        own.advance(Duration::from_secs(2));
        time.learn(began, at(401 * SECOND));
        assert_eq!(time.now(), at(402 * SECOND));
        // One that cannot be explained by the two seconds does.
        let began = own.now();
        own.advance(Duration::from_secs(2));
        time.learn(began, at(500 * SECOND));
        assert_eq!(time.now(), at(501 * SECOND));
    }

    #[test]
    fn a_clock_that_was_set_is_doubted_until_the_index_was_asked() {
        let own = ManualClock::starting_at(at(1000 * SECOND));
        let time = SharedTime::new(Arc::new(own.clone()));
        assert!(time.is_doubtful(), "nobody asked yet");
        time.learn(own.now(), at(1000 * SECOND));
        own.set(at(990 * SECOND));
        assert!(time.is_doubtful());
        time.learn(own.now(), at(1000 * SECOND));
        assert_eq!(time.now(), at(1000 * SECOND));
    }
}
