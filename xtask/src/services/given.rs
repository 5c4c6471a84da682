//! Servers that somebody names, on the command line or by a variable.

use std::env;

use super::{POSTGRES, S3};
use crate::failure::{Failure, Result};

/// Their URLs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) postgres: Option<String>,
    pub(crate) s3: Option<String>,
}

impl Given {
    /// Takes `--postgres URL` and `--s3 URL` from a command line, and leaves the rest; what is behind `--` is not ours.
    pub(crate) fn take(arguments: &[String], help: &str) -> Result<(Self, Vec<String>)> {
        let usage = |problem: String| Failure::Usage(format!("{problem}\n\n{help}"));
        let (mut given, mut rest) = (Self::default(), Vec::new());
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let place = match argument.as_str() {
                "--postgres" => &mut given.postgres,
                "--s3" => &mut given.s3,
                "--" => {
                    rest.push(argument.clone());
                    rest.extend(arguments.by_ref().cloned());
                    continue;
                }
                option if option.starts_with('-') => return Err(usage(format!("`{option}` is no option"))),
                _ => {
                    rest.push(argument.clone());
                    continue;
                }
            };
            let url = arguments.next().filter(|url| !url.starts_with('-'));
            *place = Some(url.ok_or_else(|| usage(format!("{argument} needs a URL")))?.clone());
        }
        Ok((given, rest))
    }

    /// What is missing, from the variables.
    pub(crate) fn or_from_environment(self) -> Self {
        let variable = |name| env::var(name).ok().filter(|url| !url.is_empty());
        Self { postgres: self.postgres.or_else(|| variable(POSTGRES)), s3: self.s3.or_else(|| variable(S3)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> Result<(Given, String)> {
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Given::take(&arguments, "help").map(|(given, rest)| (given, rest.join(" ")))
    }

    #[test]
    fn urls_are_taken_and_the_rest_is_left() {
        let url = |text: &str| Some(text.to_owned());
        let both = Given { postgres: url("p"), s3: url("s") };
        assert_eq!(taken("up --postgres p --s3 s").unwrap(), (both.clone(), "up".into()));
        assert_eq!(taken("--s3 s --postgres p up").unwrap(), (both, "up".into()));
        assert_eq!(taken("--s3 s -- name").unwrap(), (Given { postgres: None, s3: url("s") }, "-- name".into()));
        assert_eq!(taken("").unwrap(), (Given::default(), String::new()));
        assert_eq!(taken("-- --s3 s").unwrap(), (Given::default(), "-- --s3 s".into()));
        for line in ["up --s4 s", "up --s3", "--s3 -- name"] {
            assert!(matches!(taken(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
