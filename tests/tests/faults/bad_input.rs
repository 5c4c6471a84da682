//! What cannot be opened says so in one line: what is wrong, where, and what to do. It does not hang, and tells no secret.

use crate::common::{BUCKET, Endpoint, Role, Team, name, sql, wait, within};
use cacheness::{Error, ErrorKind, future, sync::Cache};
use cacheness_testkit::proxy::{Answer, Fault, Requests};
use cacheness_testkit::services::{self, PrivatePostgres};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "hush-this-password";

/// What an opening may take at most, on a machine that is busy.
const BOUND: Duration = Duration::from_secs(15);

/// Limits that end what hangs.
const SHORT_INDEX: &str = "&connect_timeout_ms=700&acquire_timeout_ms=700&statement_timeout_ms=100";
const SHORT_BLOBS: &str = "&connect_timeout_ms=500&attempt_timeout_ms=500&operation_timeout_ms=1000&max_attempts=2";

/// Opens a cache that cannot be opened, by both faces; the error of it, whose line has these parts.
fn refused(index: &str, blobs: &str, kind: ErrorKind, parts: &[&str]) -> Error {
    let awaited = future::Cache::builder().metadata(index).blobs(blobs);
    let awaited = within(BOUND, || wait(async { awaited.open().await }).map(drop).unwrap_err());
    let error = within(BOUND, || Cache::builder().metadata(index).blobs(blobs).open().map(drop).unwrap_err());
    let Endpoint { secret, .. } = Endpoint::of(&services::s3());
    for error in [&error, &awaited] {
        let line = format!("{error} {error:?}");
        assert_eq!(error.kind(), kind, "{line}");
        assert!(!line.contains('\n') && line.len() < 1200, "{line}");
        assert!(error.to_string().starts_with("open") && line.contains(" ("), "where, and what to do: {line}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line}");
        }
        assert!(!line.contains(PASSWORD) && !line.contains(&secret), "{line}");
    }
    error
}

/// A port that refuses.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A URL with another host and port.
fn elsewhere(url: &str, host: &str) -> String {
    let (before, rest) = url.split_once('@').unwrap();
    let place = rest.find(['/', '?']).unwrap_or(rest.len());
    format!("{before}@{host}{}", &rest[place..])
}

#[test]
fn an_index_that_cannot_be_reached_or_does_not_let_one_in() {
    let team = Team::new();
    let (index, blobs) = (team.index(SHORT_INDEX), team.blobs(""));
    let check = |index: &str, kind, parts: &[&str]| refused(index, &blobs, kind, parts);
    let server = services::postgres();
    let role = Role::new(&server, PASSWORD);
    let with = |password: &str, options: &str| format!("{}?schema={}{options}", role.url(password), team.name);

    let wrong =
        check(&with("guessed", ""), ErrorKind::Permission, &["postgres://127.0.0.1", "refuses the user", "password"]);
    assert!(!wrong.is_retryable() && !wrong.to_string().contains("guessed"));
    let unknown =
        check(&elsewhere(&index, "cacheness.invalid:5432"), ErrorKind::Unavailable, &["cacheness.invalid", "host"]);
    assert!(unknown.is_retryable());
    let port = free_port();
    let closed = elsewhere(&index, &format!("127.0.0.1:{port}"));
    check(&closed, ErrorKind::Unavailable, &[&port.to_string(), "cannot be reached", "see whether it runs"]);
    let missing = format!("{}/no_such_database", server.rsplit_once('/').unwrap().0);
    check(&missing, ErrorKind::Config, &["no_such_database", "does not exist", "CREATE DATABASE"]);

    // Neither may the role make a schema, nor see into one of others, nor make tables there.
    check(&with(PASSWORD, ""), ErrorKind::Permission, &["lacks a permission", &team.name]);
    sql(&server, &format!("CREATE SCHEMA {}", team.name));
    check(&with(PASSWORD, ""), ErrorKind::Permission, &["lacks a permission", "docs/backends/postgres.md"]);
    sql(
        &server,
        &format!("GRANT USAGE ON SCHEMA {0} TO PUBLIC; CREATE TABLE {0}.cacheness_records (mine int)", team.name),
    );
    check(&index, ErrorKind::ForeignStore, &["cacheness_records", &team.name, "choose another schema"]);

    team.postgres.inject(Fault::Stall(None));
    let hanging = check(&index, ErrorKind::Timeout, &["postgres://127.0.0.1"]);
    assert!(hanging.is_retryable());
}

#[test]
fn an_index_with_options_that_cannot_be_meant() {
    let team = Team::new();
    let blobs = team.blobs("");
    for (options, parts) in [
        ("&table_prefix=no-identifier", ["table_prefix", "letters, digits and underscores"]),
        ("&table_prefix=9lives", ["table_prefix", "no digit first"]),
        ("&pool_size=0", ["pool_size", "1 to 1000"]),
        ("&statement_timeout_ms=soon", ["the option \"statement_timeout_ms\"", "invalid digit"]),
        ("&sslmode=perhaps", ["sslmode", "verify-full"]),
        ("&unheard_of=1&pool_size=1", ["the option \"unheard_of\"", "pool_size"]),
        ("&sslcert=/no/such/file.pem", ["sslcert", "sslkey"]),
    ] {
        let line = Cache::builder().metadata(team.index(options)).blobs(&*blobs).open().map(drop).unwrap_err();
        refused(&team.index(options), &blobs, ErrorKind::Config, &parts[..1]);
        assert!(parts.iter().all(|part| line.to_string().contains(part)), "{line}");
    }
    assert_eq!(team.postgres.connections() + team.s3.connections(), 0, "nobody was asked");
}

#[test]
fn a_certificate_that_does_not_prove_what_was_asked_for() {
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/backend-postgres/tests/tls");
    let read = |name: &str| std::fs::read_to_string(format!("{tls}/{name}")).unwrap();
    let mut postgres = PrivatePostgres::start();
    postgres.write_file("server.crt", &read("server.pem"));
    postgres.write_file("server.key", &read("server.key"));
    postgres.configure("ssl = on");
    postgres.stop();
    postgres.start_again();
    let team = Team::new();
    let blobs = team.blobs("");
    let local = postgres.url().replace("127.0.0.1", "localhost");
    let by =
        |url: &str, mode: &str, ca: &str| format!("{url}?schema={}&sslmode={mode}&sslrootcert={tls}/{ca}", team.name);

    let parts = &["postgres://", "no encrypted connection", "certificate", "sslrootcert"];
    refused(&by(&postgres.url(), "verify-full", "ca.pem"), &blobs, ErrorKind::Config, parts);
    refused(&by(&local, "verify-full", "other-ca.pem"), &blobs, ErrorKind::Config, parts);
    refused(&by(&local, "verify-ca", "other-ca.pem"), &blobs, ErrorKind::Config, parts);
    refused(&format!("{local}?sslmode=verify-full"), &blobs, ErrorKind::Config, parts);
    let plain = format!("{}&sslmode=require", team.index(""));
    refused(&plain, &blobs, ErrorKind::Config, &["no encrypted connection", "sslmode"]);
    let cache = Cache::builder().metadata(by(&local, "verify-full", "ca.pem")).blobs(&*blobs).open().unwrap();
    cache.put("key", &1).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(1), "with the right name and authority it works");

    let port = tls_server(&read("server.pem"), &read("server.key"));
    let endpoint = Endpoint { url: format!("https://localhost:{port}"), ..Endpoint::of(&services::s3()) };
    let blobs = endpoint.blobs(BUCKET, &team.name, SHORT_BLOBS);
    refused(&team.index(""), &blobs, ErrorKind::Config, &["s3://", "certificate is not accepted", "endpoint_url"]);
}

/// A server of HTTPS that nobody gets through to; its port.
fn tls_server(certificate: &str, key: &str) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            // Whoever does not trust it goes away.
            drop(connection.complete_io(&mut stream.unwrap()));
        }
    });
    port
}

#[test]
fn blobs_that_cannot_be_reached_or_do_not_let_one_in() {
    let team = Team::new();
    let (index, endpoint) = (team.index(""), Endpoint::of(&services::s3()));
    let check = |blobs: &str, kind, parts: &[&str]| refused(&index, blobs, kind, parts);
    let there = |endpoint: &Endpoint| endpoint.blobs(BUCKET, &team.name, SHORT_BLOBS);
    let at = |url: &str| there(&Endpoint { url: url.to_owned(), ..endpoint.clone() });

    let place = format!("s3://{BUCKET}/{}", team.name);
    let missing = name().replace('_', "-");
    check(&endpoint.blobs(&missing, "prefix", ""), ErrorKind::Config, &[&missing, "bucket"]);
    let wrong = Endpoint { secret: "guessed".into(), ..endpoint.clone() };
    check(&there(&wrong), ErrorKind::Permission, &[&place, "credentials"]);
    let nobody = Endpoint { access: "nobody".into(), ..endpoint.clone() };
    check(&there(&nobody), ErrorKind::Permission, &[&place, "credentials"]);
    let unknown = check(&at("https://cacheness.invalid"), ErrorKind::Unavailable, &[&place, "host", "endpoint_url"]);
    assert!(unknown.is_retryable());
    let port = free_port();
    check(
        &at(&format!("http://127.0.0.1:{port}")),
        ErrorKind::Unavailable,
        &[&place, "refuses connections", "endpoint_url"],
    );

    for (answer, parts) in [
        (Answer::s3_error(403, "AccessDenied"), ["refuses access", "docs/backends/s3.md"]),
        (Answer::new(403, ""), ["refuses access", "docs/backends/s3.md"]),
        (Answer::expired_token(), ["have expired", "renew"]),
        (Answer::s3_error(400, "ExpiredToken"), ["have expired", "renew"]),
    ] {
        team.s3.inject(Fault::Answer(Requests::all(), answer));
        let error = check(&team.blobs(SHORT_BLOBS), ErrorKind::Permission, &parts);
        assert!(!error.is_retryable() && error.to_string().contains(&place), "{error}");
        team.heal();
    }
    team.s3.inject(Fault::Answer(Requests::all(), Answer::s3_error(301, "PermanentRedirect")));
    check(&team.blobs(SHORT_BLOBS), ErrorKind::Config, &[&place, "another region", "region"]);
    team.heal();
    team.s3.inject(Fault::Stall(None));
    let hanging = check(&team.blobs(SHORT_BLOBS), ErrorKind::Timeout, &[&place, "_timeout_ms"]);
    assert!(hanging.is_retryable());
}

#[test]
fn blobs_with_options_that_cannot_be_meant() {
    let team = Team::new();
    let (index, endpoint) = (team.index(""), Endpoint::of(&services::s3()));
    let at = |url: &str| Endpoint { url: url.to_owned(), ..endpoint.clone() }.blobs(BUCKET, &team.name, "");
    for (blobs, parts) in [
        (at("not an endpoint"), ["endpoint_url", "https://host"]),
        (at("ftp://127.0.0.1"), ["endpoint_url", "https://host"]),
        (at("http://127.0.0.1:999999"), ["endpoint_url", "https://host"]),
        (at("http://192.0.2.1:9000"), ["plain HTTP", "allow_http"]),
        (at("http://user:hush-this-password@127.0.0.1"), ["endpoint_url holds credentials", "access_key"]),
        (team.blobs("&unheard_of=1"), ["unheard_of", "part_size"]),
        (team.blobs("&part_size=1"), ["part_size", "5242880"]),
        (format!("s3:{BUCKET}"), ["names no bucket", "s3://bucket"]),
    ] {
        let line = Cache::builder().metadata(&*index).blobs(&*blobs).open().map(drop).unwrap_err();
        assert_eq!(line.kind(), ErrorKind::Config);
        assert!(parts.iter().all(|part| line.to_string().contains(part)), "{line}");
        assert!(!format!("{line} {line:?}").contains(PASSWORD) && !line.to_string().contains('\n'), "{line}");
        assert!(!line.to_string().contains(&endpoint.secret), "{line}");
    }
    assert_eq!(team.postgres.connections() + team.s3.connections(), 0, "nobody was asked");
}

#[test]
fn a_pair_of_which_others_would_see_only_half_is_refused_and_several_mistakes_are_one_line() {
    let team = Team::new();
    let dir = tempfile::tempdir().unwrap();
    let local = format!("sqlite:{}", dir.path().join("index.db").display());
    let error = Cache::builder().metadata(local).blobs(team.blobs("")).open().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let line = error.to_string();
    assert!(line.contains("allow_split_locality") && line.contains("sqlite") && line.contains("s3"), "{line}");

    let builder = Cache::builder().metadata(team.index("&pool_size=0")).blobs(team.blobs("&part_size=1"));
    let error = builder.default_ttl(Duration::ZERO).open().map(drop).unwrap_err();
    let line = error.to_string();
    assert!(["pool_size", "part_size", "TTL"].iter().all(|part| line.contains(part)), "{line}");
    assert!(!line.contains('\n') && !line.contains(&Endpoint::of(&services::s3()).secret), "{line}");
}
