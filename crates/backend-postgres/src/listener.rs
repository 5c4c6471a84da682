//! The connection that listens for what others commit, kept alive in the background.

use crate::failure::{failure, unanswered};
use crate::feed::Announcer;
use cacheness_storage::{FeedSource, Result};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How often the connection is asked whether it lives, and how long it may think. A connection that is dead without a
/// sign is found so within twice this time: no copy is trusted any longer.
const CHECK: Duration = Duration::from_millis(2500);

/// How long the first attempt to connect again waits; each later one twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long an attempt to connect again waits at most.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Listens until it is dropped.
pub(crate) struct Listener {
    source: Arc<FeedSource>,
    task: JoinHandle<()>,
}

/// What it takes to listen.
#[derive(Clone)]
pub(crate) struct Ear {
    pub(crate) settings: Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) patience: Duration,
    pub(crate) channel: String,
    pub(crate) announcer: Arc<Announcer>,
    pub(crate) source: Arc<FeedSource>,
}

impl Listener {
    /// Begins to listen; when this returns, messages arrive.
    pub(crate) async fn start(ear: Ear, handle: &Handle) -> Result<Self> {
        let first = ear.connect(handle).await?;
        let source = ear.source.clone();
        source.up();
        let task = handle.spawn(listen(ear, first, handle.clone()));
        Ok(Self { source, task })
    }

    pub(crate) fn source(&self) -> &FeedSource {
        &self.source
    }

    /// Stops listening.
    pub(crate) fn stop(&self) {
        self.task.abort();
        self.source.down();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A connection that listens, and what keeps it going.
struct Line {
    client: Client,
    driver: Driver,
}

/// A task that ends with this.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Checks a line while it lives, and makes another one when it does not, for ever.
async fn listen(ear: Ear, first: Line, handle: Handle) {
    let mut line = first;
    loop {
        // It ends only when the connection does.
        while timeout(CHECK, &mut line.driver.0).await.is_err() {
            if !matches!(timeout(CHECK, line.client.batch_execute("SELECT 1")).await, Ok(Ok(()))) {
                break;
            }
        }
        ear.source.down();
        drop(line);
        let mut pause = FIRST_PAUSE;
        line = loop {
            sleep(pause).await;
            match ear.connect(&handle).await {
                Ok(line) => break line,
                Err(_) => pause = (2 * pause).min(LAST_PAUSE),
            }
        };
        ear.source.up();
    }
}

impl Ear {
    async fn connect(&self, handle: &Handle) -> Result<Line> {
        let connecting = async {
            let (client, mut connection) = self.settings.connect(self.tls.clone()).await?;
            let ear = self.clone();
            let driver = Driver(handle.spawn(async move {
                while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                    if let AsyncMessage::Notification(message) = message {
                        ear.announcer.hear(message.payload(), &ear.source);
                    }
                }
                ear.source.down();
            }));
            client.batch_execute(&format!("LISTEN \"{}\"", self.channel)).await?;
            Ok(Line { client, driver })
        };
        timeout(self.patience, connecting).await.map_err(|_| unanswered())?.map_err(failure)
    }
}
