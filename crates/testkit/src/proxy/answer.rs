//! Answers that the server never gave.

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    /// One of S3's errors, as `Answer::s3_error(403, "AccessDenied")`.
    pub fn s3_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>injected by a test</Message>\
             <RequestId>0</RequestId></Error>"
        );
        Self::new(status, &body).header("content-type", "application/xml")
    }

    /// 500 `InternalError`.
    pub fn internal_error() -> Self {
        Self::s3_error(500, "InternalError")
    }

    /// 503 `SlowDown`, as S3 says it to whoever asks too often.
    pub fn slow_down() -> Self {
        Self::s3_error(503, "SlowDown")
    }

    /// 403 `ExpiredToken`, as S3 says it to credentials that were valid once. (S3 itself answers 400; the code decides.)
    pub fn expired_token() -> Self {
        Self::s3_error(403, "ExpiredToken")
    }

    /// Adds a header, as `retry-after`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The bytes on the wire; an answer to HEAD has no body. The connection ends behind it.
    pub(super) fn bytes(&self, method: &str) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Injected\r\ncontent-length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("connection: close\r\n\r\n");
        if method != "HEAD" {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}
