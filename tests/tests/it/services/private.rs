//! Servers of a test's own.

use cacheness_testkit::services::{PrivatePostgres, PrivateS3};
use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, Error, NoTls};

/// Set in the process that [`servers_end_with_a_process_that_is_killed`] kills.
const OWNER: &str = "CACHENESS_TEST_OWNER_OF_SERVERS";

async fn connect(postgres: &PrivatePostgres) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn address(url: &str) -> &str {
    let rest = url.rsplit_once('@').unwrap().1;
    rest.split_once('/').map_or(rest, |(address, _)| address)
}

#[tokio::test]
async fn a_cluster_that_is_stopped_comes_back_with_what_was_committed() {
    let mut postgres = PrivatePostgres::start();
    let url = postgres.url();
    let client = connect(&postgres).await.unwrap();
    client.batch_execute("CREATE TABLE numbers (number int)").await.unwrap();
    for round in 0..3 {
        let client = connect(&postgres).await.unwrap();
        client.execute("INSERT INTO numbers VALUES ($1)", &[&round]).await.unwrap();
        postgres.stop();
        assert!(client.simple_query("SELECT 1").await.is_err());
        assert!(connect(&postgres).await.is_err());
        postgres.start_again();
        let client = connect(&postgres).await.unwrap();
        let row = client.query_one("SELECT count(*) FROM numbers", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), i64::from(round) + 1);
    }
    assert_eq!(postgres.url(), url);
    drop(postgres);
    assert!(TcpStream::connect(address(&url)).is_err());
}

#[tokio::test]
async fn a_cluster_wants_its_password_and_heeds_its_settings() {
    let mut postgres = PrivatePostgres::start();
    let wrong = postgres.url().replacen("@", "x@", 1);
    let error = tokio_postgres::connect(&wrong, NoTls).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28P01");
    postgres.configure("work_mem = 5MB");
    postgres.write_file("notes", "x");
    postgres.stop();
    postgres.start_again();
    let client = connect(&postgres).await.unwrap();
    let row = client.query_one("SELECT current_setting('work_mem'), pg_read_file('notes')", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("5MB", "x"));
    let row =
        client.query_one("SELECT current_setting('max_connections'), current_setting('fsync')", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("200", "off"));
}

#[test]
fn an_endpoint_that_is_stopped_comes_back_at_its_place() {
    let mut s3 = PrivateS3::start();
    let url = s3.url();
    s3.stop();
    assert!(TcpStream::connect(address(&url)).is_err());
    s3.start_again();
    assert_eq!(s3.url(), url);
    TcpStream::connect(address(&url)).unwrap();
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    if env::var_os(OWNER).is_some() {
        let (postgres, s3) = (PrivatePostgres::start(), PrivateS3::start());
        println!("\nurls {} {}", postgres.url(), s3.url());
        loop {
            thread::park();
        }
    }
    let name = "services::private::servers_end_with_a_process_that_is_killed";
    // Both accounts, that of the test and that of PostgreSQL, have their directories here.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(OWNER, "1")
        .env("TMPDIR", place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.starts_with("urls ")).unwrap();
    let addresses: Vec<_> = line.split(' ').skip(1).map(address).collect();
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_there = || fs::read_dir(place.path()).unwrap().next().is_some();
    while is_there() || addresses.iter().any(|address| TcpStream::connect(address).is_ok()) {
        assert!(Instant::now() < deadline, "{addresses:?} still listen, or their directories are there");
        thread::sleep(Duration::from_millis(20));
    }
}
