//! What a suite examines: a backend at one place that nobody used before.

use crate::records::NOW;
use cacheness_core::runtime::{BoxFuture, block_on};
use cacheness_core::{Error, ErrorKind, ManualClock, Result};
use cacheness_storage::{BlobBackend, MetadataBackend, OpenContext};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::{fmt, io};
use tempfile::TempDir;

type Open<B> = dyn Fn(OpenContext) -> BoxFuture<'static, Result<Arc<B>>> + Send + Sync;
type Runner = dyn Fn(Pin<&mut (dyn Future<Output = ()> + '_)>) + Send + Sync;

/// A backend under examination. Every check gets a subject of its own, at a place of its own.
///
/// The first opening creates the store; later ones open it again at the same place, unless the backend says
/// [`Locality::Process`](cacheness_storage::Locality::Process) and every opening is a new store. What the place
/// needs is best moved into the closure: it goes when the subject goes.
pub struct Subject<B: ?Sized> {
    open: Box<Open<B>>,
    run: Box<Runner>,
    clock: ManualClock,
}

/// An index under examination.
pub type MetadataSubject = Subject<dyn MetadataBackend>;

/// A blob backend under examination.
pub type BlobSubject = Subject<dyn BlobBackend>;

impl MetadataSubject {
    /// A subject that `open` opens.
    pub fn new<F, B>(open: impl Fn(OpenContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: MetadataBackend,
    {
        Self::shared(move |context| {
            let opening = open(context);
            async move { Ok(Arc::new(opening.await?) as Arc<dyn MetadataBackend>) }
        })
    }

    /// A subject that `open` opens in a temporary directory, which goes when the subject goes.
    pub fn in_directory<F, B>(open: impl Fn(PathBuf, OpenContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: MetadataBackend,
    {
        let directory = Directory::new();
        Self::new(move |context| {
            let opening = directory.path().map(|path| open(path, context));
            async move { opening?.await }
        })
    }
}

impl BlobSubject {
    /// A subject that `open` opens.
    pub fn new<F, B>(open: impl Fn(OpenContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: BlobBackend,
    {
        Self::shared(move |context| {
            let opening = open(context);
            async move { Ok(Arc::new(opening.await?) as Arc<dyn BlobBackend>) }
        })
    }

    /// A subject that `open` opens in a temporary directory, which goes when the subject goes.
    pub fn in_directory<F, B>(open: impl Fn(PathBuf, OpenContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<B>> + Send + 'static,
        B: BlobBackend,
    {
        let directory = Directory::new();
        Self::new(move |context| {
            let opening = directory.path().map(|path| open(path, context));
            async move { opening?.await }
        })
    }
}

impl<B: ?Sized> Subject<B> {
    /// A subject whose type is hidden already, such as a stack of layers or what a registry opens.
    pub fn shared<F>(open: impl Fn(OpenContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Arc<B>>> + Send + 'static,
    {
        Self {
            open: Box::new(move |context| Box::pin(open(context))),
            run: Box::new(|task| block_on(task)),
            clock: ManualClock::starting_at(NOW),
        }
    }

    /// Runs every check with `run`, which polls a task to its end on the calling thread; several threads may call it
    /// at once. Without it the thread is parked while a future waits, which drives no I/O.
    ///
    /// With tokio: `.runner(move |task| runtime.block_on(task))`.
    #[must_use]
    pub fn runner(mut self, run: impl Fn(Pin<&mut (dyn Future<Output = ()> + '_)>) + Send + Sync + 'static) -> Self {
        self.run = Box::new(run);
        self
    }

    /// Opens the store, with [`clock`](Self::clock) as its clock.
    ///
    /// # Errors
    ///
    /// What opening returns.
    pub async fn open(&self) -> Result<Arc<B>> {
        (self.open)(OpenContext::new().clock(Arc::new(self.clock.clone()))).await
    }

    /// Opens the store read-only, with [`clock`](Self::clock) as its clock.
    ///
    /// # Errors
    ///
    /// What opening returns.
    pub async fn open_read_only(&self) -> Result<Arc<B>> {
        (self.open)(OpenContext::new().clock(Arc::new(self.clock.clone())).read_only(true)).await
    }

    /// The clock of the store, which stands at [`NOW`]. A store that many machines share has its own.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Runs a future to its end.
    ///
    /// # Errors
    ///
    /// What the future returns; [`ErrorKind::Internal`] when the runner came back too early.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let mut output = None;
        (self.run)(pin!(async { output = Some(future.await) }));
        output.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "the runner came back before the task was done")))
    }
}

impl<B: ?Sized> fmt::Debug for Subject<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// A temporary directory, or why there is none.
struct Directory(io::Result<TempDir>);

impl Directory {
    fn new() -> Self {
        Self(TempDir::new())
    }

    fn path(&self) -> Result<PathBuf> {
        match &self.0 {
            Ok(directory) => Ok(directory.path().to_owned()),
            Err(error) => Err(Error::new(ErrorKind::Storage, format!("there is no temporary directory: {error}"))),
        }
    }
}
