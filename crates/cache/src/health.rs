//! Whether a cache's backends answer, told in a bounded time.

use crate::core::Core;
use cacheness_core::flight::{Flights, Turn};
use cacheness_core::runtime::BoxFuture;
use cacheness_core::{Error, ErrorKind, Result};
use cacheness_storage::BlobId;
use futures_channel::oneshot;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a backend may take to answer, unless told otherwise.
pub(crate) const WITHIN: Duration = Duration::from_secs(1);

/// From which difference of the clocks on it is told.
const TOLD_SKEW: Duration = Duration::from_secs(2);

/// How a cache's backends are.
///
/// `Display` prints one line, such as `up: sqlite:cache/index.db 0.1 ms, fs:cache/blobs 0.1 ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The index.
    pub metadata: BackendHealth,
    /// The blobs.
    pub blobs: BackendHealth,
    /// How far the clock of this machine is from that of an index that many machines share. The index's counts. `None` for
    /// any other index.
    pub clock_skew: Option<Duration>,
    /// Deletes that did not reach the index yet, with [`OnBackendError::Miss`](crate::OnBackendError::Miss).
    pub owed: u64,
}

/// How a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendHealth {
    /// The backend with its layers, as users name it, without credentials.
    pub backend: String,
    /// How long it took to answer, or to fail.
    pub latency: Duration,
    /// Why it is not up, in one line.
    pub error: Option<String>,
    /// What to decide on: [`CircuitOpen`](ErrorKind::CircuitOpen) when a breaker did not even ask,
    /// [`Timeout`](ErrorKind::Timeout) when there was no answer in time.
    pub kind: Option<ErrorKind>,
}

impl Health {
    /// Whether both backends answer: whether gets and puts can be expected to work.
    pub fn is_up(&self) -> bool {
        self.metadata.is_up() && self.blobs.is_up()
    }
}

impl BackendHealth {
    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.error.is_none()
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metadata, blobs, clock_skew, owed } = self;
        write!(f, "{}: {metadata}, {blobs}", if self.is_up() { "up" } else { "down" })?;
        if let Some(skew) = clock_skew.filter(|skew| *skew > TOLD_SKEW) {
            write!(f, ", clocks {:.1} s apart", skew.as_secs_f64())?;
        }
        if *owed > 0 {
            write!(f, ", {owed} deletes owed")?;
        }
        Ok(())
    }
}

impl fmt::Display for BackendHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => write!(f, "{} down ({error})", self.backend),
            None => write!(f, "{} {:.1} ms", self.backend, 1000.0 * self.latency.as_secs_f64()),
        }
    }
}

/// The future of [`future::Cache::health`](crate::future::Cache::health). It is polled where it is awaited: it needs none of
/// the threads that may all be waiting for a backend.
#[must_use = "nobody is asked until it is awaited"]
pub struct HealthCheck(BoxFuture<'static, Result<Health>>);

impl HealthCheck {
    pub(crate) fn new(core: &Arc<Core>, within: Duration) -> Self {
        let core = core.clone();
        Self(Box::pin(async move { core.health(within).await.map_err(|error| error.operation("health")) }))
    }
}

impl Future for HealthCheck {
    type Output = Result<Health>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Health>> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HealthCheck")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Index,
    Blobs,
}

/// What asking a backend came to, and how long it took.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    failure: Option<(ErrorKind, String)>,
    latency: Duration,
}

/// Those who are asking right now: who asks while a backend hangs does not add another call that hangs.
pub(crate) type Checks = Flights<Part, Asked>;

impl Core {
    async fn health(&self, within: Duration) -> Result<Health> {
        self.engine.check_open()?;
        let runtime = self.driver().runtime().clone();
        // Both begin before anybody is waited for.
        let (index, blobs) = (self.ask(Part::Index), self.ask(Part::Blobs));
        let (mut index, mut blobs) = (pin!(index), pin!(blobs));
        let mut answers = [None, None];
        {
            let [of_index, of_blobs] = &mut answers;
            let mut sleep = runtime.sleep(within);
            poll_fn(|context| {
                if of_index.is_none()
                    && let Poll::Ready(asked) = index.as_mut().poll(context)
                {
                    *of_index = Some(asked);
                }
                if of_blobs.is_none()
                    && let Poll::Ready(asked) = blobs.as_mut().poll(context)
                {
                    *of_blobs = Some(asked);
                }
                if of_index.is_some() && of_blobs.is_some() { Poll::Ready(()) } else { sleep.as_mut().poll(context) }
            })
            .await;
        }
        let [index, blobs] = answers.map(|asked| {
            asked.unwrap_or_else(|| {
                let message = format!("no answer within {within:?}");
                Asked { failure: Some((ErrorKind::Timeout, message)), latency: within }
            })
        });
        Ok(Health {
            metadata: index.of(self.engine.metadata().to_string()),
            blobs: blobs.of(self.engine.blobs().to_string()),
            clock_skew: self.engine.clock_difference().map(|micros| Duration::from_micros(micros.unsigned_abs())),
            owed: self.owed.len(),
        })
    }

    /// Asks a backend where its work is done, unless somebody is asking it.
    async fn ask(&self, part: Part) -> Asked {
        let failed =
            |error: &Error| Asked { failure: Some((error.kind(), error.to_string())), latency: Duration::ZERO };
        let lead = match self.checks.join(part).await {
            Ok(Turn::Lead(lead)) => lead,
            Ok(Turn::Landed(asked)) => return asked,
            Err(error) => return failed(&error),
        };
        let (sender, receiver) = oneshot::channel();
        let (shared, began) = (self.shared.clone(), Instant::now());
        self.driver().start(Box::pin(async move {
            let answer = match part {
                Part::Index => shared.engine.stats().await.map(drop),
                Part::Blobs => shared.engine.blobs().head(&BlobId::STORE).await.map(drop),
            };
            let failure = answer.err().map(|error| (error.kind(), error.to_string()));
            let asked = Asked { failure, latency: began.elapsed() };
            drop(sender.send(asked.clone()));
            lead.land(asked);
        }));
        let nobody = || failed(&Error::new(ErrorKind::Internal, "asking the backend panicked"));
        receiver.await.unwrap_or_else(|_| nobody())
    }
}

impl Asked {
    fn of(self, backend: String) -> BackendHealth {
        let (kind, error) = self.failure.unzip();
        BackendHealth { backend, latency: self.latency, error, kind }
    }
}
