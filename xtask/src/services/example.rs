//! What a newcomer types to run an example on the servers: their URLs as a cache takes them.

use super::{POSTGRES, S3};

/// Prints the command, as a comment for the shell that evaluates the rest, where both servers are there.
pub(super) fn announce(urls: &[(String, String)]) {
    if let Some(command) = command(urls) {
        println!("# {command}");
    }
}

fn command(urls: &[(String, String)]) -> Option<String> {
    let named = |name: &str| urls.iter().find(|(variable, _)| variable == name).map(|(_, url)| url.as_str());
    let (metadata, blobs) = (named(POSTGRES)?, blobs(named(S3)?)?);
    Some(format!("cargo run --example team --features postgres,s3 -- '{metadata}?schema=team' '{blobs}'"))
}

/// `http://ACCESS_KEY:SECRET_KEY@host:port` as the URL of blobs.
fn blobs(endpoint: &str) -> Option<String> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let (keys, host) = rest.rsplit_once('@')?;
    let (access, secret) = keys.split_once(':')?;
    Some(format!("s3://{BUCKET}/team?endpoint_url={scheme}://{host}&access_key={access}&secret_key={secret}"))
}

/// Made by `up`.
pub(super) const BUCKET: &str = "team";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_both_servers_with_their_credentials() {
        let urls = |s3: &str| {
            [(POSTGRES, "postgres://me:secret@127.0.0.1:5432/db"), (S3, s3)].map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        assert_eq!(
            command(&urls("http://key:secret@127.0.0.1:9000")).unwrap(),
            "cargo run --example team --features postgres,s3 -- 'postgres://me:secret@127.0.0.1:5432/db?schema=team' \
             's3://team/team?endpoint_url=http://127.0.0.1:9000&access_key=key&secret_key=secret'"
        );
        assert_eq!(command(&urls("http://127.0.0.1:9000")), None);
        assert_eq!(command(&urls("http://key:secret@127.0.0.1:9000")[..1]), None);
    }
}
