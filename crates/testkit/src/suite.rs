//! How the checks of a contract become a list, and a macro that makes a test of each.

use crate::Subject;
use cacheness_core::{Error, ErrorKind, Result};
use std::fmt;

/// One thing that a contract asks for.
pub struct Check<B: ?Sized> {
    /// What is asked for, as a sentence.
    pub name: &'static str,
    pub(crate) run: fn(&Subject<B>) -> Result<()>,
}

impl<B: ?Sized> Check<B> {
    /// Examines a subject that no check used before.
    ///
    /// # Errors
    ///
    /// An error of the backend where the contract allows none.
    ///
    /// # Panics
    ///
    /// When the backend breaks the contract.
    pub fn run(&self, subject: &Subject<B>) -> Result<()> {
        (self.run)(subject)
    }
}

impl<B: ?Sized> fmt::Debug for Check<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

pub(crate) fn run<B: ?Sized>(checks: &[Check<B>], name: &str, subject: &Subject<B>) -> Result<()> {
    match checks.iter().find(|check| check.name == name) {
        Some(check) => check.run(subject),
        None => Err(Error::new(ErrorKind::Config, format!("no check is named {name:?}"))),
    }
}

/// Lists the checks of a contract, by module, and declares the suite's macro. A check is `async` and runs on the
/// subject's runner, or `threads` and starts threads that do.
macro_rules! suite {
    (
        $dollar:tt $contract:ident, $backend:ty;
        $(#[$meta:meta])* $suite:ident;
        $(async $module:ident { $($check:ident,)+ })+
        $(threads $threads_module:ident { $($threads_check:ident,)+ })+
    ) => {
        /// Every check of the suite.
        pub const CHECKS: &[Check<$backend>] = &[
            $($(Check {
                name: stringify!($check),
                run: |subject| subject.block_on($module::$check(subject)),
            },)+)+
            $($(Check { name: stringify!($threads_check), run: $threads_module::$threads_check },)+)+
        ];

        $(#[$meta])*
        #[macro_export]
        macro_rules! $suite {
            ($dollar subject:expr) => {
                $($(
                    #[test]
                    fn $check() -> ::std::result::Result<(), $crate::Error> {
                        $crate::$contract::run(stringify!($check), &$dollar subject)
                    }
                )+)+
                $($(
                    #[test]
                    fn $threads_check() -> ::std::result::Result<(), $crate::Error> {
                        $crate::$contract::run(stringify!($threads_check), &$dollar subject)
                    }
                )+)+
            };
        }
    };
}

pub(crate) use suite;
