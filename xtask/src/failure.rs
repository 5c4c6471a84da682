//! How a task ends when it does not succeed, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// Something was checked and found wanting.
    Failed(String),
    /// The code does not compile, so nothing after it can be judged.
    Broken(String),
    /// The command line was not understood.
    Usage(String),
}

/// The exit code of [`Failure::Broken`], by which one `xtask` recognises it in another.
pub(crate) const BROKEN: u8 = 2;

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Broken(_) => BROKEN,
            Self::Usage(_) => 64,
        })
    }

    /// Wraps what went wrong with what was being done, as `reading Cargo.lock: not found`.
    pub(crate) fn while_doing<E: fmt::Display>(action: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self::Failed(format!("{action}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(text) | Self::Broken(text) | Self::Usage(text)) = self;
        formatter.write_str(text)
    }
}
