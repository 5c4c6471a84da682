//! The macro that declares both faces of a handle.

/// Declares methods of a blocking handle and of its async twin at once.
///
/// Each method has two halves. *prepare* runs at the call, on the caller's thread, and may use what the caller
/// borrowed; what it returns goes to *run*, an async block. The blocking handle runs it in place; the async handle
/// wraps it in an [`Op`](crate::Op), so there everything that *run* gets must be `Send + 'static`.
///
/// Between them there may be an *attempt*: it sees what *run* would get, and says `Some(result)` when it can do so without
/// ever waiting for I/O or for much work. Otherwise it leaves nothing behind, and *run* goes on. It is made on the
/// caller's thread, by the async handle at the first poll; then no thread is hopped to and no task is made. Both handles need
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
///         attempt(core, number) { (core.factor == 1).then_some(Ok(*number)) }
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
            $(attempt($attempt_core:pat_param, $attempted:pat_param) $attempt:block)?
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
                Ok(prepared) => {
                    let span = $crate::face::Span::of(stringify!($name));
                    $(
                        let attempted: Option<$crate::Result<$return>> = core.driver().attempt(|| {
                            span.within(|| {
                                let ($attempt_core, $attempted) = (core, &prepared);
                                $attempt
                            })
                        });
                        if let Some(result) = attempted {
                            return result.map_err(|error: $crate::Error| error.operation(stringify!($name)));
                        }
                    )?
                    core.driver().run(span.around(async move {
                        let ($run_core, $prepared) = (core, prepared);
                        $run
                    }))
                }
                Err(error) => Err(error),
            };
            result.map_err(|error: $crate::Error| error.operation(stringify!($name)))
        }
    )*};

    (@future $face:expr; $(
        $(#[$meta:meta])*
        pub fn $name:ident[$($generics:tt)*](&self $(, $argument:ident: $type:ty)* $(,)?) -> $return:ty {
            prepare($prepare_core:pat_param, $face_name:pat_param) $prepare:block
            $(attempt($attempt_core:pat_param, $attempted:pat_param) $attempt:block)?
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
                    let (core, span) = (self.core().clone(), $crate::face::Span::of(stringify!($name)));
                    $crate::Op::starting(move || {
                        $(
                            let attempted: Option<$crate::Result<$return>> = span.within(|| {
                                let ($attempt_core, $attempted) = (&core, &prepared);
                                $attempt
                            });
                            if let Some(result) = attempted {
                                return $crate::Op::ready(result.map_err(|error| error.operation(stringify!($name))));
                            }
                        )?
                        let driver = core.driver().clone();
                        $crate::Op::new(&driver, span.around(async move {
                            let outcome: $crate::Result<$return> = async {
                                let ($run_core, $prepared) = (&core, prepared);
                                $run
                            }
                            .await;
                            outcome.map_err(|error| error.operation(stringify!($name)))
                        }))
                    })
                }
                Err(error) => $crate::Op::ready(Err(error.operation(stringify!($name)))),
            }
        }
    )*};
}
