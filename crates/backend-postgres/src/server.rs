//! Where the database is and who asks: the part of a URL before its options.

use crate::PostgresConfig;
use cacheness_storage::{BackendUrl, Error, ErrorKind, Result, options_from_url};
use std::fmt;

/// The variable that holds a password which no URL names, as libpq has it.
const PASSWORD: &str = "PGPASSWORD";

/// A database on a server, and a user of it. `Display` shows no credentials.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<Vec<u8>>,
}

/// What a URL says, checked as far as that can be done without opening anything.
#[derive(Clone)]
pub(crate) struct Parsed {
    pub(crate) server: Server,
    pub(crate) replica: Option<Server>,
    pub(crate) config: PostgresConfig,
}

/// Reads a URL.
///
/// # Errors
///
/// [`ErrorKind::Config`] for what cannot be meant.
pub(crate) fn parse(url: &BackendUrl) -> Result<Parsed> {
    let config: PostgresConfig = options_from_url(url)?;
    config.check()?;
    let server = Server::parse(url.rest())?;
    let replica = config.replica.as_deref().map(replica).transpose()?;
    Ok(Parsed { server, replica, config })
}

fn replica(text: &str) -> Result<Server> {
    let wrong = |message| {
        let advice = "write replica=postgres%3A%2F%2Fuser%3Apassword%40host%3A5432%2Fdatabase";
        Error::new(ErrorKind::Config, message).advice(advice)
    };
    let url: BackendUrl = text.parse().map_err(|_| wrong("the replica is no URL"))?;
    if ![crate::SCHEME, crate::LONG_SCHEME].contains(&url.scheme()) || !url.query().is_empty() {
        return Err(wrong("the replica is no postgres URL without options"));
    }
    Server::parse(url.rest())
}

impl Server {
    /// Reads `//user:password@host:port/database`. What is missing of password, port and database is taken from the
    /// environment, 5432, and the name of the user.
    fn parse(rest: &str) -> Result<Self> {
        let bad = |message| {
            Error::new(ErrorKind::Config, message).advice("write postgres://user:password@host:5432/database")
        };
        let rest = rest.strip_prefix("//").ok_or_else(|| bad("the URL names no server"))?;
        let (who, place) = rest.rsplit_once('@').ok_or_else(|| bad("the URL names no user"))?;
        let (address, database) = place.split_once('/').unwrap_or((place, ""));
        let (user, password) = match who.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (who, None),
        };
        // A colon ends the host, unless it stands inside the brackets of an IPv6 address.
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (address, None),
        };
        let port =
            port.map(str::parse).transpose().map_err(|_| bad("the port in the URL is no number from 1 to 65535"))?;
        let text = |part: &str| {
            let bytes =
                decoded(part).ok_or_else(|| bad("the URL holds a % that two hexadecimal digits do not follow"))?;
            String::from_utf8(bytes)
                .ok()
                .filter(|text| !text.contains('\0'))
                .ok_or_else(|| bad("the URL holds a part that is no text"))
        };
        let user = text(user)?;
        let host = text(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))?;
        let database = if database.is_empty() { user.clone() } else { text(database)? };
        let password = match password {
            Some(password) => Some(
                decoded(password)
                    .ok_or_else(|| bad("the password holds a % that two hexadecimal digits do not follow"))?,
            ),
            None => std::env::var(PASSWORD).ok().map(String::into_bytes),
        };
        match (&*user, &*host) {
            ("", _) => Err(bad("the URL names no user")),
            (_, "") => Err(bad("the URL names no host")),
            _ if port == Some(0) => Err(bad("the port in the URL is no number from 1 to 65535")),
            _ => Ok(Self { host, port: port.unwrap_or(5432), database, user, password }),
        }
    }
}

/// Text with `%xx` read as bytes.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    Some(out)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.replace(char::is_control, "?") };
        write!(f, "{}://{host}:{}/{}", crate::SCHEME, self.port, self.database.replace(char::is_control, "?"))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Parsed> {
        parse(&url.parse()?)
    }

    #[test]
    fn a_url_is_taken_apart_as_libpq_does() {
        let server = parsed("postgres://me:p%40ss%2F%3A@db.example:6543/my%20cache?pool_size=3").unwrap().server;
        let password = server.password.as_deref();
        assert_eq!(
            (&*server.user, password, &*server.host, server.port),
            ("me", Some(&b"p@ss/:"[..]), "db.example", 6543)
        );
        assert_eq!(server.database, "my cache");
        let short = parsed("postgresql://me:x@[::1]").unwrap().server;
        assert_eq!((&*short.host, short.port, &*short.database), ("::1", 5432, "me"));
        assert_eq!(short.to_string(), "postgres://[::1]:5432/me");
        let socket = parsed("postgres://me:x@%2Frun%2Fpostgresql/db").unwrap().server;
        assert_eq!(socket.host, "/run/postgresql");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_the_password() {
        for rest in [
            "me:hush@host/db?pool_size=0",
            "me:hush@host/db?pool_size=many",
            "me:hush@host/db?password=hush",
            "me:hush@host:port/db",
            "me:hush@host:0/db",
            "me:hush@/db",
            ":hush@host/db",
            "me:hush%zz@host/db",
            "me:hush@host/db?table_prefix=no%20name",
            "me:hush@host/db?table_prefix=",
            "me:hush@host/db?table_prefix=9a",
            "me:hush@host/db?schema=a%22b",
            "me:hush@host/db?sslmode=perhaps",
            "me:hush@host/db?sslcert=a.pem",
            "me:hush@host/db?replica=http%3A%2F%2Fme%3Ahush%40host",
            "me:hush@host/db?statement_timeout_ms=1",
            "me:hush@host/db?application_name=a%0Ab",
        ] {
            let error = parsed(&format!("postgres://{rest}")).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{rest}");
            let line = error.to_string();
            assert!(!line.contains("hush") && !line.contains('\n'), "{line}");
        }
        assert!(
            !format!("{:?}", parsed("postgres://me:hush@host?replica=postgres%3A%2F%2Fme%3Ahush%40b").unwrap().config)
                .contains("hush")
        );
    }
}
