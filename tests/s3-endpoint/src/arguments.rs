//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
Usage: s3-endpoint --directory PATH --access-key KEY --secret-key KEY [--port PORT] [--stay]

Serves the buckets of the directory on 127.0.0.1, on a free port unless one is given, and prints its URL with the
credentials. Ends when its standard input closes, unless it is told to stay, and with SIGTERM.";

/// What the program is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) directory: PathBuf,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// 0: a free one.
    pub(crate) port: u16,
    /// Whether it goes on when its standard input closes.
    pub(crate) stays: bool,
}

impl Arguments {
    /// Reads the command line without the program's name, or says what is wrong with it.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut directory, mut access_key, mut secret_key, mut port, mut stays) = (None, None, None, 0, false);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n\n{USAGE}"));
            match argument.as_str() {
                "--directory" => directory = Some(PathBuf::from(value()?)),
                "--access-key" => access_key = Some(value()?),
                "--secret-key" => secret_key = Some(value()?),
                "--port" => port = value()?.parse().map_err(|_| format!("--port needs a port\n\n{USAGE}"))?,
                "--stay" => stays = true,
                other => return Err(format!("`{other}` is not understood\n\n{USAGE}")),
            }
        }
        let missing = |what: &str| format!("{what} is missing\n\n{USAGE}");
        Ok(Self {
            directory: directory.ok_or_else(|| missing("--directory"))?,
            access_key: access_key.ok_or_else(|| missing("--access-key"))?,
            secret_key: secret_key.ok_or_else(|| missing("--secret-key"))?,
            port,
            stays,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_port_may_be_given_and_the_rest_must_be() {
        let line = "--directory d --access-key a --secret-key s";
        let arguments = parsed(line).unwrap();
        assert_eq!((arguments.port, arguments.stays), (0, false));
        let arguments = parsed(&format!("{line} --port 9000 --stay")).unwrap();
        assert_eq!((arguments.port, arguments.stays), (9000, true));
        for line in ["--directory d --access-key a", "--port x", "--port", "--fast"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
