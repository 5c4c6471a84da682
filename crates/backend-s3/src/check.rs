//! What a configuration must be like before anything is sent.

use crate::{Encryption, S3Config};
use cacheness_storage::{Error, ErrorKind, Result};
use std::net::IpAddr;
use std::ops::RangeInclusive;

const MIB: u64 = 1 << 20;

/// Storage classes whose objects must be restored, in minutes to hours, before they can be read.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// No prefix is longer, in bytes: keys have up to 1,024.
const MAX_PREFIX: usize = 900;

/// Looks at everything that can be wrong without asking anybody.
pub(crate) fn all(config: &S3Config) -> Result<()> {
    bucket(&config.bucket)?;
    prefix(&config.prefix)?;
    if let Some(url) = &config.endpoint_url {
        endpoint(url, config.allow_http)?;
    }
    credentials(config)?;
    storage(config)?;
    between("shard_chars", u64::from(config.shard_chars), 0..=4)?;
    between("multipart_threshold", config.multipart_threshold, 5 * MIB..=5 << 30)?;
    between("part_size", config.part_size, 5 * MIB..=1 << 30)?;
    between("concurrency", config.concurrency as u64, 1..=64)?;
    between("memory_limit", config.memory_limit, 64 << 10..=1 << 30)?;
    between("connect_timeout_ms", config.connect_timeout_ms, 1..=600_000)?;
    between("attempt_timeout_ms", config.attempt_timeout_ms, 1..=3_600_000)?;
    between("operation_timeout_ms", config.operation_timeout_ms, 1..=3_600_000)?;
    between("stall_timeout_ms", config.stall_timeout_ms, 1..=3_600_000)?;
    between("max_attempts", u64::from(config.max_attempts), 1..=10)
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn between(name: &str, value: u64, bounds: RangeInclusive<u64>) -> Result<()> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(wrong(format!("{name} is {value}, but it can only be {least} to {most}")))
}

fn bucket(name: &str) -> Result<()> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if (3..=63).contains(&name.len())
        && name.chars().all(known)
        && ends(name.chars().next())
        && ends(name.chars().last())
        && !name.contains("..")
    {
        return Ok(());
    }
    Err(wrong(if name.is_empty() { "no bucket is named".into() } else { format!("{name:?} is no name of a bucket") })
        .advice("a bucket has 3 to 63 lower-case letters, digits, hyphens and dots"))
}

fn prefix(prefix: &str) -> Result<()> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '!' | '*' | '\'' | '(' | ')');
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(known);
    if prefix.is_empty() || prefix.len() <= MAX_PREFIX && prefix.split('/').all(part) {
        return Ok(());
    }
    Err(wrong(format!("{prefix:?} cannot be a prefix"))
        .advice("a prefix is made of letters, digits and -_.!*'() between single slashes, such as team/cache"))
}

pub(crate) fn endpoint(url: &str, allow_http: bool) -> Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if url.contains('@') {
        return Err(wrong("the endpoint_url holds credentials, which would be shown")
            .advice("give them as access_key and secret_key, or by the environment"));
    }
    let advice = "write it as https://host or https://host:port";
    let Some(host) = authority.and_then(host) else {
        return Err(wrong(format!("{url:?} is no endpoint_url")).advice(advice));
    };
    if url.contains(['?', '#']) || url.contains(char::is_whitespace) {
        return Err(wrong(format!("{url:?} is no endpoint_url")).advice(advice));
    }
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.starts_with("http://") && !is_local && !allow_http {
        return Err(wrong(format!("{url} is plain HTTP to another machine, which shows every byte on the way"))
            .advice("use https, or set allow_http=true for a network that you trust"));
    }
    Ok(())
}

/// The host of an authority, without the brackets of an address.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, behind.strip_prefix(':').or(behind.is_empty().then_some("443"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "443")),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    (!host.is_empty() && host.chars().all(known) && port.parse::<u16>().is_ok()).then_some(host)
}

fn credentials(config: &S3Config) -> Result<()> {
    match (&config.access_key, &config.secret_key, &config.session_token) {
        (Some(access), Some(secret), token) => {
            let visible = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
            if visible(access.expose())
                && visible(secret.expose())
                && token.as_ref().is_none_or(|t| visible(t.expose()))
            {
                return Ok(());
            }
            Err(wrong("a key or token is empty, or holds characters that none has"))
        }
        (None, None, None) => Ok(()),
        _ => Err(wrong("access_key and secret_key go together, and a session_token only with both").advice(
            "give both, or none for the standard chain: environment, profile, web identity, container, machine",
        )),
    }
}

fn storage(config: &S3Config) -> Result<()> {
    if let Some(class) = &config.storage_class {
        if ARCHIVES.contains(&class.as_str()) {
            return Err(wrong(format!("objects of the storage_class {class} cannot be read before they are restored"))
                .advice("choose GLACIER_IR, STANDARD_IA or INTELLIGENT_TIERING"));
        }
        if class.is_empty() || !class.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_') {
            return Err(wrong(format!("{class:?} is no storage_class")).advice("it is written as STANDARD_IA is"));
        }
    }
    match (&config.kms_key_id, config.encryption) {
        (Some(_), None | Some(Encryption::Aes256)) => Err(wrong("a kms_key_id needs encryption=aws:kms")),
        (Some(key), _) if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) => {
            Err(wrong("the kms_key_id is empty, or holds characters that none has"))
        }
        _ => Ok(()),
    }
}
