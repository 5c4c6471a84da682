//! What a computation says beyond key and value, and when a value is computed anew although there is one.

use crate::PutOptions;
use crate::core::{Core, PreparedPut, Put, Times};
use crate::options::check_ttl;
use cacheness_core::{Result, Timestamp, rng};
use cacheness_storage::Record;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What `get_or_put_with` and `try_get_or_put_with` say beyond the key and how the value is computed. None of it enters the
/// key. Windows of zero are none.
///
/// ```
/// use cacheness_cache::{Bare, ComputeOptions, PutOptions, sync::Cache};
/// use std::time::Duration;
///
/// let cache = Cache::<Bare>::builder().metadata("memory:").blobs("memory:").open()?;
/// let options = ComputeOptions::new()
///     .put(PutOptions::new().ttl(Duration::from_hours(1)).tags(["users"]))
///     .negative(Option::is_none, Duration::from_secs(30))
///     .stale_while_revalidate(Duration::from_mins(5));
/// let nobody = cache.get_or_put_with("user 7", options, || None::<String>)?;
/// assert_eq!(nobody, None);
/// assert_eq!(cache.ttl("user 7")?.and_then(|ttl| ttl.left()).map(|left| left.as_secs() < 31), Some(true));
/// # Ok::<(), cacheness_cache::Error>(())
/// ```
pub struct ComputeOptions<T> {
    put: PutOptions,
    rules: Rules<T>,
}

/// When the value of a call is computed anew, and how long it lives.
pub(crate) struct Rules<T> {
    negative: Option<Negative<T>>,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    early_refresh: Duration,
}

struct Negative<T> {
    means: Box<dyn Fn(&T) -> bool + Send + Sync>,
    ttl: Duration,
}

/// A call whose key may have to be made of files first.
pub(crate) struct PreparedCall<T> {
    pub(crate) put: PreparedPut,
    rules: Rules<T>,
}

/// A call whose key is known.
pub(crate) struct Call<T> {
    pub(crate) put: Put,
    pub(crate) rules: Rules<T>,
}

/// The chance that a caller refreshes early at the beginning of the window.
const FIRST_CHANCE: f64 = 0.001;

impl<T> ComputeOptions<T> {
    /// Nothing: the cache's default TTL, and nothing stale.
    pub fn new() -> Self {
        let (negative, none) = (None, Duration::ZERO);
        let rules = Rules { negative, stale_while_revalidate: none, stale_if_error: none, early_refresh: none };
        Self { put: PutOptions::new(), rules }
    }

    /// What the computed value is stored with.
    #[must_use]
    pub fn put(mut self, options: PutOptions) -> Self {
        self.put = options;
        self
    }

    /// Values that `means` means are stored with a TTL of their own, in the place of what [`put`](Self::put) says:
    /// `Option::is_none` for what is not there, `Result::is_err` for what failed. They have no idle TTL, are not refreshed
    /// early, and are never served stale. A TTL of zero is an error of the call.
    #[must_use]
    pub fn negative(mut self, means: impl Fn(&T) -> bool + Send + Sync + 'static, ttl: Duration) -> Self {
        self.rules.negative = Some(Negative { means: Box::new(means), ttl });
        self
    }

    /// For so long after its expiry a value is still good for those who do not compute: the first caller computes it
    /// anew, in his own call, and all others get the stale one at once until he is done. The miss is counted.
    ///
    /// Values are kept for the longest window of the call that stored them, counted from the expiry that they were given
    /// then. `get` and the other verbs never return a stale value.
    #[must_use]
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.rules.stale_while_revalidate = window;
        self
    }

    /// For so long after its expiry a value stands in for one that cannot be computed: `try_get_or_put_with` returns it in
    /// the place of the error. It is kept as [`stale_while_revalidate`](Self::stale_while_revalidate) says.
    #[must_use]
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.rules.stale_if_error = window;
        self
    }

    /// For so long before its expiry a value is computed anew by a caller who happens to be chosen, in his own call, while
    /// all others get the present one. When his computation fails, he gets it, too.
    ///
    /// The chance to be chosen rises exponentially, from 0.1 % at the beginning of the window to certainty at the expiry:
    /// the more callers, the earlier one is. After Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache
    /// Stampede Prevention" (VLDB 2015), with a window in the place of the time that the computation took.
    #[must_use]
    pub fn early_refresh(mut self, window: Duration) -> Self {
        self.rules.early_refresh = window;
        self
    }
}

impl<T> Default for ComputeOptions<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for ComputeOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputeOptions")
            .field("put", &self.put)
            .field("negative", &self.rules.negative.as_ref().map(|negative| negative.ttl))
            .field("stale_while_revalidate", &self.rules.stale_while_revalidate)
            .field("stale_if_error", &self.rules.stale_if_error)
            .field("early_refresh", &self.rules.early_refresh)
            .finish()
    }
}

impl<T> Rules<T> {
    /// How long a computed value lives that would live for `times` otherwise.
    pub(crate) fn times(&self, value: &T, times: Times) -> Times {
        match self.negative.as_ref().filter(|negative| (negative.means)(value)) {
            Some(negative) => Times { ttl: Some(negative.ttl), ..Times::default() },
            None => times,
        }
    }

    /// The chance that a caller who found a value refreshes it, from 0 to 1.
    fn chance(&self, value: &T, record: &Record, now: Timestamp) -> f64 {
        let Some(left) = record.expires_at.map(|expires_at| expires_at.since(now)) else { return 0.0 };
        let is_negative = |negative: &Negative<T>| (negative.means)(value);
        if left > self.early_refresh || self.early_refresh.is_zero() || self.negative.as_ref().is_some_and(is_negative)
        {
            return 0.0;
        }
        FIRST_CHANCE.powf(left.as_secs_f64() / self.early_refresh.as_secs_f64())
    }
}

impl Core {
    /// Checks what a call says.
    pub(crate) fn prepare_call<T>(&self, key: impl Serialize, options: ComputeOptions<T>) -> Result<PreparedCall<T>> {
        let ComputeOptions { put, rules } = options;
        rules.negative.as_ref().map(|negative| check_ttl(negative.ttl)).transpose()?;
        Ok(PreparedCall { put: self.prepare_put(key, put)?, rules })
    }

    /// Makes the key of a call; reads the files that it is made of.
    pub(crate) fn call<T>(&self, prepared: PreparedCall<T>) -> Result<Call<T>> {
        let PreparedCall { put, rules } = prepared;
        let mut put = self.ready(put)?;
        let stale = rules.stale_while_revalidate.max(rules.stale_if_error);
        put.times.stale = (!stale.is_zero()).then_some(stale);
        Ok(Call { put, rules })
    }

    /// Whether a caller who found a live value computes it anew.
    pub(crate) fn is_to_refresh<T>(&self, rules: &Rules<T>, value: &T, record: &Record) -> bool {
        let chance = rules.chance(value, record, self.now());
        // 53 bits are what a float between 0 and 1 holds.
        let drawn = || rng::random::<8>(&*self.chance).map(|bytes| (u64::from_le_bytes(bytes) >> 11) as f64);
        // Without chance nobody is chosen.
        chance > 0.0 && drawn().is_ok_and(|drawn| drawn / (1_u64 << 53) as f64 <= chance)
    }
}
