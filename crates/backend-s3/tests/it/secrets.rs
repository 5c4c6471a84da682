//! Nothing that prints shows a key, a token or a signature: no value, no error, and no log at the finest level.

use crate::common::{self, blob, context, noise, server};
use crate::relay::{Act, Relay, refusal};
use cacheness_backend_s3::{S3Blobs, S3Config};
use cacheness_core::Secret;
use cacheness_storage::{BackendUrl, BlobBackend, GetBlob, PutBlob, Staged, Timestamp};
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const TOKEN: &str = "session-token-of-the-tests";

/// How long a URL lives that is made here, in seconds: a number that nothing else has.
const PRESIGNED: u64 = 54_321;

/// Keeps every word of every span and event of the process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Words(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Words(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Words(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Everything that a store in use prints.
async fn printed(config: S3Config) -> String {
    let mut text = format!("{config} {config:?}");
    let mut say = |thing: &dyn Debug| writeln!(text, "{thing:?}").unwrap();
    let store = match S3Blobs::open(config, &context()).await {
        Ok(store) => store,
        Err(error) => {
            say(&error);
            say(&error.to_string());
            return text;
        }
    };
    say(&store);
    say(&store.to_string());
    say(&store.info());
    say(&store.put(&blob(1), Staged::Bytes(noise(1000)), PutBlob::default()).await);
    say(&store.put(&blob(1), Staged::Bytes(noise(1000)), PutBlob::default()).await);
    say(&store.put(&blob(2), Staged::Bytes(noise((5 << 20) + 1)), PutBlob::default()).await);
    say(&store.get(&blob(1), GetBlob::default()).await.map(|found| found.map(|found| found.info)));
    say(&store.get(&blob(2), GetBlob::default()).await.map(|found| found.map(|found| found.info)));
    say(&store.head(&blob(1)).await);
    say(&store.list(None, 10).await);
    say(&store.discard_remnants(Timestamp::MAX).await);
    say(&store.delete(&[blob(1), blob(2)]).await);
    say(&store.presign(&blob(1), Duration::ZERO).await);
    // What a URL is good for nobody may log; that its caller has it is the point.
    assert!(store.presign(&blob(1), Duration::from_secs(PRESIGNED)).await.is_ok_and(|url| url.contains("Signature=")));
    say(&store.usage());
    text
}

#[test]
fn no_key_and_no_token_is_printed_or_logged() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    common::run(async {
        let server = server();
        let store = |server: &common::Server| {
            let mut config = server.config(&common::prefix());
            (config.multipart_threshold, config.part_size, config.max_attempts) = (5 << 20, 5 << 20, 1);
            config
        };
        let mut text = printed(store(&server)).await;
        assert!(text.contains("AlreadyExists") && text.contains("S3Usage"), "it worked: {text}");

        // What a store repeats of a signed request.
        let echo = "AWS4-HMAC-SHA256 Credential=KEY/20260101, SignedHeaders=host;x-amz-security-token, Signature=abc";
        for (status, code) in [(400, "InvalidArgument"), (403, "AccessDenied"), (500, "InternalError"), (409, "Odd")] {
            let relay = Relay::start(&server, move |seen| match seen.line.contains(".blob") {
                true => refusal(status, code, echo),
                false => Act::Forward,
            })
            .await;
            text += &printed(store(&relay.before(&server))).await;
        }
        let mut wrong = store(&server).credentials(Secret::new("access-of-nobody"), Secret::new("secret-of-nobody"));
        wrong.session_token = Some(Secret::new(TOKEN));
        text += &printed(wrong).await;
        let url = "s3://b?access_key=access-of-nobody&secret_key=secret-of-nobody&session_token=session-token-of-the-tests&x=1";
        let parsed: BackendUrl = url.parse().unwrap();
        text += &format!("{parsed} {parsed:?} {:?}", S3Config::from_url(&parsed));
        let parsed: BackendUrl = "s3://access-of-nobody:secret-of-nobody@bucket/p".parse().unwrap();
        text += &format!("{parsed} {parsed:?} {:?}", S3Config::from_url(&parsed));
        let endpoint = store(&server).endpoint_url("http://access-of-nobody:secret-of-nobody@127.0.0.1:9");
        text += &printed(endpoint).await;

        for secret in [&*server.secret, "secret-of-nobody", "access-of-nobody", TOKEN, "Signature=", "Credential="] {
            assert!(!text.contains(secret), "{secret} is printed in {text}");
        }
        let logged = log.0.lock().unwrap();
        assert!(logged.len() > 10_000, "the SDK logs");
        for secret in [&*server.secret, "secret-of-nobody", TOKEN, "X-Amz-Signature", &PRESIGNED.to_string()] {
            let line = logged.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is logged in {line:?}");
        }
    });
}
