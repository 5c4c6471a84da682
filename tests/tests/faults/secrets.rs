//! Whatever is printed, at whatever level, by us or by what we are built on: no password, key or token is in it.

use crate::common::{BUCKET, Endpoint, Role, bytes, context, limit, name, retry, wait};
use cacheness::backends::postgres::PostgresMetadata;
use cacheness::backends::s3::{S3Blobs, S3Config};
use cacheness::storage::layers::{Cached, CircuitBreaker, Failover};
use cacheness::storage::{BackendUrl, BlobBackend, BlobId, MetadataBackend};
use cacheness::{Error, OnBackendError, PutOptions, Query, future, sync::Cache};
use cacheness_testkit::proxy::{Answer, Direction, Fault, Proxy, Requests};
use cacheness_testkit::services::{self, PrivateS3};
use std::fmt::{Debug, Display, Write};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Set in the process that has a subscriber and a logger of its own.
const CHILD: &str = "CACHENESS_TEST_SECRETS";

/// Nothing that could stand in a URL as it is.
const PASSWORD: &str = "pa55/w0rd+of%the:team@work";
const TOKEN: &str = "t0ken/of+a=session";

/// A word of a value, which is no secret of ours to keep, but nobody's to tell either.
const CONFIDED: &str = "what the user confided";

/// Every line of every span, event and record of the process, behind the target that it is from.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, String)>>>);

impl Log {
    fn note(&self, target: &str, line: String) {
        self.0.lock().unwrap().push((target.to_owned(), line));
    }
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut words = Words(span.metadata().name().to_owned());
        span.record(&mut words);
        self.note(span.metadata().target(), words.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut words = Words(String::new());
        values.record(&mut words);
        self.note("a span", words.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(event.metadata().name().to_owned());
        event.record(&mut words);
        self.note(event.metadata().target(), words.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.note(record.target(), record.args().to_string());
    }

    fn flush(&self) {}
}

/// Everything that was printed by hand.
#[derive(Default)]
struct Printed(String);

impl Printed {
    fn debug(&mut self, thing: &dyn Debug) {
        writeln!(self.0, "{thing:?} {thing:#?}").unwrap();
    }

    fn both(&mut self, thing: &(impl Debug + Display)) {
        self.debug(thing);
        writeln!(self.0, "{thing}").unwrap();
    }

    /// An error with all that is behind it.
    fn error(&mut self, error: &Error) {
        self.both(error);
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            writeln!(self.0, "{cause} {cause:?} {cause:#?}").unwrap();
            source = cause.source();
        }
    }

    fn result<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.error(&error)).ok()
    }
}

/// The forms in which a secret could show.
fn forms(secret: &str) -> Vec<String> {
    let percent = |is_plain: &dyn Fn(u8) -> bool, upper: bool| -> String {
        let coded = |byte: u8| match (is_plain(byte), upper) {
            (true, _) => char::from(byte).to_string(),
            (_, true) => format!("%{byte:02X}"),
            (_, false) => format!("%{byte:02x}"),
        };
        secret.bytes().map(coded).collect()
    };
    let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        secret.to_owned(),
        percent(&|byte| byte.is_ascii_alphanumeric(), true),
        percent(&|byte| byte.is_ascii_alphanumeric(), false),
        percent(&|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte), true),
        bytes.join(", "),
        hex,
    ];
    // Behind none, one or two other bytes; without the digits that depend on its neighbours.
    for before in 0..3 {
        let with = [&[0; 2][..before], secret.as_bytes()].concat();
        let whole = with.len() / 3 * 4;
        forms.push(base64(&with)[(before * 8).div_ceil(6)..whole].to_owned());
    }
    forms
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32, place: u32| char::from(DIGITS[usize::try_from(bits >> (6 * place) & 63).unwrap()]);
    let three =
        |bytes: &[u8]| bytes.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - bytes.len()));
    bytes.chunks(3).flat_map(|chunk| [3, 2, 1, 0].map(|place| digit(three(chunk), place))).collect()
}

fn encoded(secret: &str) -> String {
    secret.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where the secrets are for.
struct Place {
    index: String,
    blobs: Endpoint,
    postgres: Proxy,
    s3: Proxy,
    prefix: String,
}

impl Place {
    fn index(&self, options: &str) -> String {
        format!("{}?schema={}{options}", self.index, self.prefix)
    }

    fn blobs(&self, options: &str) -> String {
        self.blobs.blobs(BUCKET, &self.prefix, &format!("&session_token={}{options}", encoded(TOKEN)))
    }

    /// A second place for the blobs.
    fn copies(&self) -> String {
        let token = format!("&session_token={}", encoded(TOKEN));
        self.blobs.blobs(BUCKET, &format!("{}/copies", self.prefix), &token)
    }

    fn heal(&self) {
        self.postgres.heal();
        self.s3.heal();
    }
}

/// All that a cache does, whatever comes of it.
fn use_it(cache: &Cache, largest: usize, printed: &mut Printed) {
    let value = bytes(1, 20_000);
    printed.result(cache.put_with(
        "small",
        CONFIDED,
        PutOptions::new().description("told").ttl(Duration::from_mins(1)),
    ));
    printed.result(cache.put("large", &value));
    printed.result(cache.put("largest", &bytes(2, largest)));
    printed.result(cache.get::<Vec<u8>>("large"));
    printed.result(cache.get::<String>("small"));
    printed.result(cache.get::<Vec<u8>>("largest"));
    printed.result(cache.get_or_put("computed", || 1));
    let told = printed.result(cache.entries(&Query::new()));
    printed.debug(&told);
    printed.result(cache.invalidate("large"));
    let told = printed.result(cache.sweep());
    printed.debug(&told);
    let told = printed.result(cache.verify());
    printed.debug(&told);
    let told = printed.result(cache.explain("small"));
    printed.debug(&told);
    if let Some(told) = printed.result(cache.stats()) {
        printed.both(&told);
    }
    if let Some(told) = printed.result(cache.health_within(Duration::from_millis(200))) {
        printed.both(&told);
    }
    printed.debug(cache);
    printed.debug(&future::Cache::from(cache.clone()));
}

fn faults(place: &Place) -> Vec<(&Proxy, Fault)> {
    let requests = || Requests::all().under(&format!("/{BUCKET}/"));
    let echo = "AWS4-HMAC-SHA256 Credential=KEY/20260101, SignedHeaders=host;x-amz-security-token, Signature=abc";
    vec![
        (&place.postgres, Fault::Refuse),
        (&place.s3, Fault::Refuse),
        (&place.postgres, Fault::Reset { direction: Direction::Replies, after: 100 }),
        (&place.s3, Fault::Reset { direction: Direction::Requests, after: 2000 }),
        (&place.s3, Fault::Reset { direction: Direction::Replies, after: 2000 }),
        (&place.postgres, Fault::CutAfter(b"COMMIT\0".to_vec())),
        (&place.postgres, Fault::Stall(None)),
        (&place.s3, Fault::Stall(None)),
        (&place.s3, Fault::Answer(requests(), Answer::internal_error())),
        (&place.s3, Fault::Answer(requests(), Answer::slow_down())),
        (&place.s3, Fault::Answer(requests(), Answer::expired_token())),
        (&place.s3, Fault::Answer(requests(), Answer::s3_error(403, "SignatureDoesNotMatch"))),
        (
            &place.s3,
            Fault::Answer(
                requests(),
                Answer::new(400, &format!("<Error><Code>Odd</Code><Message>{echo}</Message></Error>")),
            ),
        ),
        (&place.s3, Fault::Truncate(requests().method("GET"), 10)),
    ]
}

fn work(place: &Place, printed: &mut Printed) {
    let copies = tempfile::tempdir().unwrap();
    let short = "&attempt_timeout_ms=300&operation_timeout_ms=600&stall_timeout_ms=300&max_attempts=1\
                 &multipart_threshold=5242880&part_size=5242880";
    let cached = Cached::in_dir(copies.path(), "1 MiB");
    let (calm, hasty) = (limit(5000), limit(100));
    let (retry, breaker) = (retry().max(1), CircuitBreaker::new().threshold(100));
    let builder = Cache::builder().metadata(place.index("&coherence=notify")).blobs(place.blobs(short));
    printed.debug(&builder);
    let builder = builder.layer(calm.clone()).layer(breaker.clone()).layer(retry.clone()).layer_blobs(cached.clone());
    let builder = builder.layer_blobs(Failover::to_url(place.copies()));
    printed.debug(&builder);
    let cache = builder.open().unwrap();
    use_it(&cache, 6 << 20, printed);
    for policy in [OnBackendError::Fail, OnBackendError::Miss] {
        let builder = Cache::builder().metadata(place.index("")).blobs(place.blobs(short)).no_memory();
        let hasty = builder.layer(hasty.clone()).on_backend_error(policy).open().unwrap();
        for (proxy, fault) in faults(place) {
            proxy.inject(fault);
            proxy.reset_all();
            use_it(&hasty, 30_000, printed);
            if policy == OnBackendError::Fail {
                let options = "&connect_timeout_ms=300&statement_timeout_ms=100";
                let builder = Cache::builder().metadata(place.index(options)).blobs(place.blobs(short));
                printed.result(builder.open());
            }
            place.heal();
        }
    }
    [&hasty as &dyn Debug, &retry, &breaker, &cached].iter().for_each(|layer| printed.debug(layer));
    [&hasty.stats() as &dyn Debug, &retry.stats(), &breaker.circuits(), &cached.stats()]
        .iter()
        .for_each(|stats| printed.debug(stats));
    printed.result(cache.close());
}

/// The backends themselves, and what their URLs say when they cannot be meant.
fn print_backends(place: &Place, printed: &mut Printed) {
    let (index, blobs): (BackendUrl, BackendUrl) = (place.index("").parse().unwrap(), place.blobs("").parse().unwrap());
    printed.both(&index);
    printed.both(&blobs);
    wait(async {
        let replica = encoded(&place.index);
        let with_replica: BackendUrl = place.index(&format!("&replica={replica}")).parse().unwrap();
        let index = PostgresMetadata::open(&with_replica, &context()).await.unwrap();
        printed.both(&index);
        printed.debug(&index.pool_stats());
        printed.debug(&index.info());
        let config = S3Config::from_url(&blobs).unwrap();
        printed.both(&config);
        let blobs = S3Blobs::open(config, &context()).await.unwrap();
        printed.both(&blobs);
        printed.debug(&blobs.usage());
        printed.debug(&blobs.head(&BlobId::STORE).await);
        let url = blobs.presign(&BlobId::STORE, Duration::from_mins(1)).await.unwrap();
        assert!(url.contains("Signature="), "it is as good as a password, and its caller's");
        printed.result(blobs.presign(&BlobId::STORE, Duration::ZERO).await);
    });
    let refused = [
        (place.index("&unknown=1"), place.blobs("")),
        (place.index("&pool_size=many"), place.blobs("&unknown=1")),
        (place.index(&format!("&password={}", encoded(PASSWORD))), place.blobs("&part_size=1")),
        (place.index.replacen("127.0.0.1", "cacheness.invalid", 1), place.blobs("")),
        (place.index.replacen(":%", ":x%", 1), place.blobs("")),
        (place.index.replacen("postgres:", "postgre:", 1), place.blobs("").replacen("s3:", "s4:", 1)),
        (place.index(""), place.blobs("").replacen("endpoint_url=http:", "endpoint_url=ftp:", 1)),
        (
            place.index(""),
            place.blobs("").replacen("s3://", &format!("s3://{}:{}@", place.blobs.access, place.blobs.secret), 1),
        ),
        (place.index(""), place.blobs("").replacen(BUCKET, "no-such-bucket", 1)),
        (place.index(""), place.blobs("").replacen("secret_key=", "secret_key=x", 1)),
    ];
    for (index, blobs) in refused {
        let builder = Cache::builder().metadata(index).blobs(blobs);
        printed.debug(&builder);
        let error = builder.open().map(drop).unwrap_err();
        printed.error(&error);
    }
}

#[test]
fn no_password_key_or_token_is_printed_or_logged() {
    if std::env::var_os(CHILD).is_none() {
        let name = "secrets::no_password_key_or_token_is_printed_or_logged";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let said = [child.stdout, child.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
        assert!(!said.contains(PASSWORD) && !said.contains(TOKEN), "a panic tells it");
        return;
    }
    let endpoint = PrivateS3::start();
    Endpoint::of(&endpoint.url()).make_bucket(BUCKET);
    let (s3, blobs) = Proxy::before(&endpoint.url());
    let prefix = name();
    let role = Role::owner(&services::postgres(), &prefix, PASSWORD);
    let (postgres, index) = Proxy::before(&role.url(&encoded(PASSWORD)));
    let place = Place { index, blobs: Endpoint::of(&blobs), postgres, s3, prefix };

    // Only now: the test itself tells the server a password, and the driver tells that.
    static LOG: LazyLock<Log> = LazyLock::new(Log::default);
    tracing::subscriber::set_global_default(LOG.clone()).unwrap();
    log::set_logger(&*LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let mut printed = Printed::default();
    work(&place, &mut printed);
    print_backends(&place, &mut printed);
    let Endpoint { access, secret, .. } = &place.blobs;
    for part in ["Unavailable", "Timeout", "Permission", "Config", "may have happened", "expired", "Retry(", "S3Usage"]
    {
        assert!(printed.0.contains(part), "nothing failed so: {part}");
    }
    for secret in [PASSWORD, TOKEN, secret, access] {
        for form in forms(secret) {
            let line = printed.0.lines().find(|line| line.contains(&form));
            assert!(line.is_none(), "{form} is printed: {line:?}");
        }
    }
    for part in ["Signature=", "Credential=", CONFIDED] {
        assert!(!printed.0.contains(part), "{part} is printed");
    }
    let logged = std::mem::take(&mut *LOG.0.lock().unwrap());
    let targets = |of: &str| logged.iter().filter(|(target, _)| target.starts_with(of)).count();
    assert!(
        targets("aws_") > 1000 && targets("cacheness") > 100 && targets("tokio_postgres") > 100,
        "all of it is heard"
    );
    for secret in [PASSWORD, TOKEN, secret] {
        for form in forms(secret) {
            let line = logged.iter().find(|(_, line)| line.contains(&form));
            assert!(line.is_none(), "{form} is logged: {line:?}");
        }
    }
    // The SDK logs signed requests, and the driver the values of statements, as `docs/observability.md` says. We do not.
    let ours = logged.iter().filter(|(target, _)| target.starts_with("cacheness"));
    for (target, line) in ours {
        for part in [access, "Signature=", "Credential=", CONFIDED] {
            assert!(!line.contains(part), "{target} tells {part}: {line}");
        }
    }
}

#[test]
fn every_form_of_a_secret_is_known() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcwAA");
    for text in [
        base64(b"secret-of-mine"),
        base64(b"xsecret-of-mine"),
        base64(b"xysecret-of-mine"),
        "7365637265742d6f662d6d696e65".into(),
    ] {
        assert!(forms("secret-of-mine").iter().any(|form| text.contains(form)), "{text}");
    }
    assert!(forms("a/b").contains(&"a%2Fb".to_owned()));
}
