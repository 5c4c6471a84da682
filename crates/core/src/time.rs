//! Points in time, and the clock that tells them.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z; negative before it. Range: about 292,000 years either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The beginning of time: about the year -290,000.
    pub const MIN: Self = Self(i64::MIN);
    /// The end of time: about the year 294,000.
    pub const MAX: Self = Self(i64::MAX);

    /// The timestamp of so many microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration`, rounded up to a whole microsecond and saturating at the end of the range.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let micros = duration.as_nanos().div_ceil(1000);
        Self(self.0.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    /// This time less `duration`, rounded as [`after`](Self::after) does and saturating at the beginning of the range.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let micros = duration.as_nanos().div_ceil(1000);
        Self(self.0.saturating_sub(i64::try_from(micros).unwrap_or(i64::MAX)))
    }

    /// This time plus a signed number of microseconds, saturating.
    #[must_use]
    pub fn offset(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    #[inline]
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => Self(i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)),
        }
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        // Where a platform's range is smaller, the furthest time that halving the distance reaches stands for the rest.
        let mut distance = Duration::from_micros(timestamp.0.unsigned_abs());
        loop {
            let time = match timestamp.0 < 0 {
                true => UNIX_EPOCH.checked_sub(distance),
                false => UNIX_EPOCH.checked_add(distance),
            };
            match time {
                Some(time) => return time,
                None => distance /= 2,
            }
        }
    }
}

/// Where the time comes from. Injected everywhere, so that no test waits for a TTL.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time now. It may jump, also backwards.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that moves only when told to. Clones show the same time.
///
/// ```
/// use cacheness_core::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::starting_at(Timestamp::from_micros(5));
/// clock.clone().advance(Duration::from_micros(2));
/// assert_eq!(clock.now().as_micros(), 7);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_micros())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Moves the clock to `time`, which may lie in the past.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_the_trip_through_system_time() {
        for micros in [i64::MIN, -1_500_000, -1, 0, 1, 1_700_000_000_000_000, i64::MAX] {
            let timestamp = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::from(SystemTime::from(timestamp)), timestamp);
        }
    }

    #[test]
    fn no_duration_is_too_short_to_count() {
        let start = Timestamp::from_micros(0);
        assert_eq!(start.after(Duration::from_nanos(1)).as_micros(), 1);
        assert_eq!(start.after(Duration::from_nanos(2001)).as_micros(), 3);
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.after(Duration::MAX), end);
        assert_eq!(Timestamp::from_micros(0).since(end), Duration::ZERO);
    }
}
