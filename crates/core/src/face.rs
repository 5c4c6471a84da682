//! One core, two faces: how a handle's methods become a blocking call or an [`Op`], declared once.

use crate::runtime::{BoxFuture, Runtime};
use crate::{Error, ErrorKind, Result};
use futures_channel::oneshot;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Where the work of a store's backends happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Every backend does its work when polled: a call needs no reactor, a future needs one hop to a thread that may block.
    Local,
    /// Some backends block, others need the runtime's reactor.
    Mixed,
    /// No backend blocks: futures run on the runtime's executor, and only large computations hop.
    Remote,
}

impl Placement {
    /// The placement of a store whose backends say in turn whether they block.
    pub fn of(blocking: impl IntoIterator<Item = bool>) -> Self {
        let (mut some, mut all) = (false, true);
        for blocks in blocking {
            some |= blocks;
            all &= blocks;
        }
        match (some, all) {
            (_, true) => Self::Local,
            (true, false) => Self::Mixed,
            (false, false) => Self::Remote,
        }
    }
}

/// Drives the futures of one store: in place for the blocking face, in one hop for the async one.
#[derive(Debug, Clone)]
pub struct Driver {
    runtime: Arc<dyn Runtime>,
    placement: Placement,
}

impl Driver {
    /// A driver on `runtime` for backends of `placement`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when a backend needs network I/O and the runtime drives none.
    pub fn new(runtime: Arc<dyn Runtime>, placement: Placement) -> Result<Self> {
        if placement != Placement::Local && !runtime.drives_io() {
            return Err(Error::new(ErrorKind::Config, "a remote backend needs a runtime that drives network I/O")
                .advice("enable the feature `tokio`, or pass a runtime to the builder"));
        }
        Ok(Self { runtime, placement })
    }

    /// A driver for opening backends, before anyone knows whether they block.
    pub fn opening(runtime: Arc<dyn Runtime>) -> Self {
        Self { runtime, placement: Placement::Mixed }
    }

    /// Runs `future`, which opens backends, on the calling thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AsyncContext`] when it has to wait and the thread belongs to an async executor; otherwise what
    /// the future returns.
    pub fn run_opening<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        let mut future = pin!(future);
        let mut output = None;
        // Asked before the runtime lends its own context.
        let may_wait = !self.runtime.in_async_context();
        {
            let patient = std::future::poll_fn(|context| match future.as_mut().poll(context) {
                Poll::Pending if may_wait => Poll::Pending,
                Poll::Pending => Poll::Ready(Err(in_async_context())),
                ready => ready,
            });
            let task = pin!(async { output = Some(patient.await) });
            self.runtime.block_on(task);
        }
        output.unwrap_or_else(|| Err(unfinished()))
    }

    /// Where the work happens.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// The runtime, for sleeping and background work.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Runs `future` on the calling thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AsyncContext`] when a backend is remote and the thread belongs to an async executor; otherwise
    /// what the future returns.
    pub fn run<R>(&self, future: impl Future<Output = Result<R>>) -> Result<R> {
        if self.placement == Placement::Local {
            return crate::runtime::block_on(future);
        }
        if self.runtime.in_async_context() {
            return Err(Error::new(
                ErrorKind::AsyncContext,
                "a blocking call on a remote store inside an async context",
            )
            .advice("use the handle of the same name in `future`"));
        }
        let mut output = None;
        {
            let task = pin!(async { output = Some(future.await) });
            self.runtime.block_on(task);
        }
        output.unwrap_or_else(|| Err(unfinished()))
    }

    /// Runs a computation that may take long: in place where blocking is allowed, on the blocking pool otherwise.
    ///
    /// # Errors
    ///
    /// What `work` returns; [`ErrorKind::Internal`] when it panicked.
    pub async fn compute<R: Send + 'static>(&self, work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
        if self.placement != Placement::Remote {
            return work();
        }
        let (sender, receiver) = oneshot::channel();
        self.runtime.spawn_blocking(Box::new(move || drop(sender.send(work()))));
        receiver.await.unwrap_or_else(|_| Err(unfinished()))
    }

    fn start(&self, task: BoxFuture<'static, ()>) {
        if self.placement == Placement::Remote {
            return self.runtime.spawn(task);
        }
        let runtime = self.runtime.clone();
        self.runtime.spawn_blocking(Box::new(move || {
            let mut task = task;
            runtime.block_on(task.as_mut());
        }));
    }
}

fn in_async_context() -> Error {
    Error::new(ErrorKind::AsyncContext, "a blocking call on a remote store inside an async context")
        .advice("use the handle of the same name in `future`")
}

fn unfinished() -> Error {
    Error::new(ErrorKind::Internal, "the operation panicked; the panic message says where")
}

/// An operation of an async handle: a named future that is `Send + 'static`.
///
/// Nothing happens before it is polled. Once polled, it runs to its end even when it is dropped: a put that was
/// polled happens wholly or not at all, perhaps a little later.
#[must_use = "an operation does nothing until it is awaited"]
pub struct Op<R>(State<R>);

enum State<R> {
    Ready(Result<R>),
    Idle(Driver, BoxFuture<'static, Result<R>>),
    Running(oneshot::Receiver<Result<R>>),
    Done,
}

impl<R: Send + 'static> Op<R> {
    /// An operation that `driver` starts at the first poll.
    pub fn new(driver: &Driver, future: impl Future<Output = Result<R>> + Send + 'static) -> Self {
        Self(State::Idle(driver.clone(), Box::pin(future)))
    }

    /// An operation that has its result already.
    pub fn ready(result: Result<R>) -> Self {
        Self(State::Ready(result))
    }
}

impl<R> Unpin for Op<R> {}

impl<R: Send + 'static> Future for Op<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let mut receiver = match std::mem::replace(&mut self.0, State::Done) {
            State::Ready(result) => return Poll::Ready(result),
            State::Running(receiver) => receiver,
            State::Idle(driver, future) => {
                let (sender, receiver) = oneshot::channel();
                driver.start(Box::pin(async move { drop(sender.send(future.await)) }));
                receiver
            }
            State::Done => {
                return Poll::Ready(Err(Error::new(ErrorKind::Internal, "the operation was polled after its end")));
            }
        };
        match Pin::new(&mut receiver).poll(context) {
            Poll::Ready(result) => Poll::Ready(result.unwrap_or_else(|_| Err(unfinished()))),
            Poll::Pending => {
                self.0 = State::Running(receiver);
                Poll::Pending
            }
        }
    }
}

impl<R> fmt::Debug for Op<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "Op(ready)",
            State::Idle(..) => "Op(idle)",
            State::Running(_) => "Op(running)",
            State::Done => "Op(done)",
        })
    }
}

/// Declares methods of a blocking handle and of its async twin at once.
///
/// Each method has two halves. *prepare* runs at the call, on the caller's thread, and may use what the caller
/// borrowed; what it returns goes to *run*, an async block. The blocking handle runs it in place; the async handle
/// wraps it in an [`Op`], so there everything that *run* gets must be `Send + 'static`. Both handles need
/// `fn core(&self) -> &Arc<Core>`, and the core needs `fn driver(&self) -> &Driver`. The third name in `prepare`
/// is bound to the face given in the header, for what the two prepare differently. Errors name the method as their operation.
///
/// ```
/// use cacheness_core::{Driver, Result, ThreadPool, face::Placement, faces};
/// use std::sync::Arc;
///
/// struct Core { driver: Driver, factor: u64 }
/// impl Core { fn driver(&self) -> &Driver { &self.driver } }
///
/// struct Blocking(Arc<Core>);
/// impl Blocking { fn core(&self) -> &Arc<Core> { &self.0 } }
/// struct Async(Arc<Core>);
/// impl Async { fn core(&self) -> &Arc<Core> { &self.0 } }
///
/// faces! {
///     sync [] Blocking as ();
///     future [] Async as ();
///
///     /// Multiplies.
///     pub fn scale[N: Into<u64>](&self, number: N) -> u64 {
///         prepare(_core, _face) { Ok(number.into()) }
///         run(core, number) { Ok(core.factor * number) }
///     }
/// }
///
/// let driver = Driver::new(Arc::new(ThreadPool::global()), Placement::Local)?;
/// let core = Arc::new(Core { driver, factor: 3 });
/// assert_eq!(Blocking(core.clone()).scale(5_u32)?, 15);
/// assert_eq!(cacheness_core::runtime::block_on(Async(core).scale(5_u32))?, 15);
/// # Ok::<(), cacheness_core::Error>(())
/// ```
#[macro_export]
macro_rules! faces {
    (
        sync [$($sync_generics:tt)*] $sync:ty as $sync_face:expr;
        future [$($future_generics:tt)*] $future:ty as $future_face:expr;
        $($methods:tt)*
    ) => {
        impl<$($sync_generics)*> $sync {
            $crate::faces!(@sync $sync_face; $($methods)*);
        }

        impl<$($future_generics)*> $future {
            $crate::faces!(@future $future_face; $($methods)*);
        }
    };

    (@sync $face:expr; $(
        $(#[$meta:meta])*
        pub fn $name:ident[$($generics:tt)*](&self $(, $argument:ident: $type:ty)* $(,)?) -> $return:ty {
            prepare($prepare_core:pat_param, $face_name:pat_param) $prepare:block
            run($run_core:pat_param, $prepared:pat_param) $run:block
        }
    )*) => {$(
        $(#[$meta])*
        pub fn $name<$($generics)*>(&self $(, $argument: $type)*) -> $crate::Result<$return> {
            let core = self.core();
            let prepare = move || -> $crate::Result<_> {
                let ($prepare_core, $face_name) = (core, $face);
                $prepare
            };
            let result = match prepare() {
                Ok(prepared) => core.driver().run(async move {
                    let ($run_core, $prepared) = (core, prepared);
                    $run
                }),
                Err(error) => Err(error),
            };
            result.map_err(|error: $crate::Error| error.operation(stringify!($name)))
        }
    )*};

    (@future $face:expr; $(
        $(#[$meta:meta])*
        pub fn $name:ident[$($generics:tt)*](&self $(, $argument:ident: $type:ty)* $(,)?) -> $return:ty {
            prepare($prepare_core:pat_param, $face_name:pat_param) $prepare:block
            run($run_core:pat_param, $prepared:pat_param) $run:block
        }
    )*) => {$(
        $(#[$meta])*
        pub fn $name<$($generics)*>(&self $(, $argument: $type)*) -> $crate::Op<$return> {
            let prepare = {
                let core = self.core();
                move || -> $crate::Result<_> {
                    let ($prepare_core, $face_name) = (core, $face);
                    $prepare
                }
            };
            match prepare() {
                Ok(prepared) => {
                    let core = self.core().clone();
                    $crate::Op::new(self.core().driver(), async move {
                        let outcome: $crate::Result<$return> = async {
                            let ($run_core, $prepared) = (&core, prepared);
                            $run
                        }
                        .await;
                        outcome.map_err(|error| error.operation(stringify!($name)))
                    })
                }
                Err(error) => $crate::Op::ready(Err(error.operation(stringify!($name)))),
            }
        }
    )*};
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadPool;
    use crate::runtime::block_on;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    fn local() -> Driver {
        Driver::new(Arc::new(ThreadPool::new(2)), Placement::Local).unwrap()
    }

    #[test]
    fn placement_follows_from_the_backends() {
        assert_eq!(Placement::of([true, true]), Placement::Local);
        assert_eq!(Placement::of([true, false]), Placement::Mixed);
        assert_eq!(Placement::of([false, false]), Placement::Remote);
    }

    #[test]
    fn a_remote_store_without_a_reactor_is_refused_at_open() {
        let refused = Driver::new(Arc::new(ThreadPool::new(1)), Placement::Mixed).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
    }

    #[test]
    fn an_operation_that_was_never_polled_does_nothing() {
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        drop(Op::new(&local(), async move {
            seen.store(true, Ordering::SeqCst);
            Ok(())
        }));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!done.load(Ordering::SeqCst));
    }

    #[test]
    fn an_operation_that_was_polled_once_happens_wholly() {
        let driver = local();
        let (sender, finished) = std::sync::mpsc::channel();
        let sleep = driver.runtime().sleep(Duration::from_millis(5));
        let mut op = Op::new(&driver, async move {
            sleep.await;
            sender.send(()).unwrap();
            Ok(())
        });
        assert!(Pin::new(&mut op).poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        drop(op);
        finished.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_panic_inside_an_operation_is_an_error_outside() {
        let op = Op::<()>::new(&local(), async { panic!("expected by this test") });
        assert_eq!(block_on(op).unwrap_err().kind(), ErrorKind::Internal);
    }
}
