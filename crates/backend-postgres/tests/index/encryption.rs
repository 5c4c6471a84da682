//! What `sslmode` asks of a server: by one that proves who it is and then refuses everybody, and by a PostgreSQL that lets
//! nobody in without TLS.

use crate::common::{TOKIO, context};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_storage::{BackendUrl, Error, ErrorKind, Fields, MetadataBackend, OnUnmet, Result};
use cacheness_testkit::records::sample;
use cacheness_testkit::services::PrivatePostgres;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, thread};
use tokio_postgres::NoTls;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A server for `localhost` that wants to know who is there, perhaps, and that does not let anybody in. Its port.
fn server(asks: bool) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(file("server.key")).unwrap()).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever is not content goes away.
            drop(answer(stream.unwrap(), config.clone()));
        }
    });
    port
}

fn answer(mut stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 8])?;
    stream.write_all(b"S")?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut startup = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut startup)?;
    let fields = b"SFATAL\0VFATAL\0C28P01\0Mnobody comes in\0\0";
    stream.write_all(b"E")?;
    stream.write_all(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes())?;
    stream.write_all(fields)?;
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn attempt(port: u16, host: &str, options: &str) -> Error {
    let url: BackendUrl = format!("postgres://me:hush@{host}:{port}/db?{options}").parse().unwrap();
    let error = TOKIO.block_on(PostgresMetadata::open(&url, &context())).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("hush"), "{line}");
    error
}

#[test]
fn a_server_must_prove_as_much_as_the_mode_asks_for() {
    let port = server(false);
    let (ca, other) = (file("ca.pem"), file("other-ca.pem"));
    let root = |path: &PathBuf| format!("&sslrootcert={}", path.display());
    for (mode, host, root, is_accepted) in [
        ("prefer", "127.0.0.1", root(&other), true),
        ("require", "127.0.0.1", String::new(), true),
        ("require", "127.0.0.1", root(&ca), true),
        ("require", "localhost", root(&other), false),
        ("verify-ca", "127.0.0.1", root(&ca), true),
        ("verify-ca", "localhost", root(&other), false),
        ("verify-ca", "localhost", String::new(), false),
        ("verify-full", "localhost", root(&ca), true),
        ("verify-full", "127.0.0.1", root(&ca), false),
        ("verify-full", "localhost", root(&other), false),
    ] {
        let error = attempt(port, host, &format!("sslmode={mode}{root}"));
        let expected = if is_accepted { ErrorKind::Permission } else { ErrorKind::Config };
        assert_eq!(error.kind(), expected, "{mode} {host} {root}: {error}");
        assert_eq!(error.to_string().contains("certificate"), !is_accepted, "{mode} {host} {root}: {error}");
    }
}

#[test]
fn a_client_shows_its_certificate() {
    let port = server(true);
    let with =
        format!("sslmode=require&sslcert={}&sslkey={}", file("client.pem").display(), file("client.key").display());
    assert_eq!(attempt(port, "127.0.0.1", &with).kind(), ErrorKind::Permission, "it got so far as to log in");
    let without = attempt(port, "127.0.0.1", "sslmode=require");
    assert_eq!(without.kind(), ErrorKind::Config, "{without}");
}

#[test]
fn files_that_hold_no_certificate_are_named() {
    for (options, name) in [
        ("sslmode=verify-full&sslrootcert=/no/such/file.pem", "/no/such/file.pem"),
        ("sslmode=verify-full&sslrootcert=/dev/null", "/dev/null"),
        (&format!("sslcert={}&sslkey=/no/such/key.pem", file("client.pem").display()), "/no/such/key.pem"),
        (
            &format!("sslcert={}&sslkey={}", file("client.pem").display(), file("server.key").display()),
            "do not fit together",
        ),
    ] {
        let error = attempt(1, "127.0.0.1", options);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// A PostgreSQL that takes encrypted connections only, from those of its users who know their password and, if they are
/// `client`, show a certificate that says so.
fn encrypted_postgres() -> PrivatePostgres {
    let mut postgres = PrivatePostgres::start();
    TOKIO.block_on(async {
        let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls).await.unwrap();
        TOKIO.spawn(connection);
        let role = "CREATE ROLE client LOGIN PASSWORD 'hush'; GRANT CREATE ON DATABASE postgres TO client";
        client.batch_execute(role).await.unwrap();
    });
    for name in ["ca.pem", "server.pem", "server.key"] {
        postgres.write_file(name, &fs::read_to_string(file(name)).unwrap());
    }
    for line in ["ssl = on", "ssl_ca_file = 'ca.pem'", "ssl_cert_file = 'server.pem'", "ssl_key_file = 'server.key'"] {
        postgres.configure(line);
    }
    postgres.write_file(
        "pg_hba.conf",
        "hostssl all client 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n\
        hostssl all all 127.0.0.1/32 scram-sha-256\n",
    );
    postgres.stop();
    postgres.start_again();
    postgres
}

/// Opens a store of a PostgreSQL, puts a record and reads it.
fn works(url: &str, options: &str) -> Result<()> {
    TOKIO.block_on(async {
        let url: BackendUrl = format!("{url}?{options}").parse().unwrap();
        let store = PostgresMetadata::open(&url, &context()).await?;
        store.commit(vec![crate::put(sample("key"))], OnUnmet::Abort).await?;
        assert_eq!(store.get(&["key".into()], Fields::ALL).await?, [Some(sample("key"))]);
        store.close().await
    })
}

/// The line that says why a store cannot be opened.
fn refused(url: &str, options: &str) -> (ErrorKind, String) {
    let error = works(url, options).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && !error.is_retryable(), "{line}");
    (error.kind(), line)
}

#[test]
fn a_postgresql_that_demands_encryption_and_certificates_gets_both() {
    let postgres = encrypted_postgres();
    let by_address = postgres.url();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let (ca, other) = (file("ca.pem"), file("other-ca.pem"));
    let full = |root: &PathBuf| format!("sslmode=verify-full&sslrootcert={}", root.display());

    works(&by_address, "sslmode=prefer").unwrap();
    works(&by_address, "sslmode=require").unwrap();
    works(&by_address, &format!("sslmode=verify-ca&sslrootcert={}", ca.display())).unwrap();
    works(&by_name, &full(&ca)).unwrap();

    for (url, root, reason) in [(&by_name, &other, "UnknownIssuer"), (&by_address, &ca, "not valid for name")] {
        let (kind, line) = refused(url, &full(root));
        assert_eq!(kind, ErrorKind::Config, "{line}");
        assert!(line.contains("certificate") && line.contains(reason), "{line}");
    }
    let (kind, line) = refused(&by_name, "sslmode=disable");
    assert_eq!(kind, ErrorKind::Permission, "{line}");
    assert!(line.contains("no encryption") && line.contains("sslmode"), "{line}");

    let client = by_address.replace(by_address.split_once('@').unwrap().0, "postgres://client:hush");
    let shown =
        format!("&sslmode=verify-ca&sslcert={}&sslkey={}", file("client.pem").display(), file("client.key").display());
    let trusted = format!("schema=of_client&sslrootcert={}", ca.display());
    works(&client, &format!("{trusted}{shown}")).unwrap();
    let (kind, line) = refused(&client, &format!("{trusted}&sslmode=verify-ca"));
    assert_eq!(kind, ErrorKind::Permission, "{line}");
    assert!(line.contains("certificate"), "{line}");
}
