//! HTTP/1.1 as far as it takes to tell one request on a connection from the next (RFC 9112).

/// The longest head that is waited for, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// Methods by which a connection is known to speak HTTP.
const METHODS: [&str; 7] = ["GET ", "PUT ", "POST ", "HEAD ", "DELETE ", "OPTIONS ", "PATCH "];

/// What a client asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// `GET`, `PUT` and so on.
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Names in lower case, and values, in their order.
    pub headers: Vec<(String, String)>,
}

impl RequestHead {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn parse(head: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
        Some(Self { method, target, headers })
    }

    fn body(&self) -> Body {
        if self.header("transfer-encoding").is_some_and(|encoding| encoding.to_ascii_lowercase().contains("chunked")) {
            return Body::Chunks(Chunk::Size(Vec::new()));
        }
        Body::Bytes(self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0))
    }
}

/// A stretch of what a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stretch {
    /// A whole head, and its bytes.
    Head(RequestHead, Vec<u8>),
    /// Bytes of a body, or of what is not HTTP.
    Bytes(Vec<u8>),
}

/// Where on a connection its client is.
#[derive(Debug)]
pub(super) enum Requester {
    /// In a head, or before the first byte of all.
    Head(Vec<u8>),
    Body(Body),
    /// It does not speak HTTP, or not as expected.
    Other,
}

#[derive(Debug)]
pub(super) enum Body {
    Bytes(u64),
    Chunks(Chunk),
}

/// Where in a chunked body.
#[derive(Debug)]
pub(super) enum Chunk {
    /// In the line that tells the size.
    Size(Vec<u8>),
    /// In the bytes and the line end behind them.
    Bytes(u64),
    /// In the lines behind the last chunk, of which this is one.
    Trailer(Vec<u8>),
}

impl Requester {
    pub(super) fn new() -> Self {
        Self::Head(Vec::new())
    }

    /// Divides the next bytes. A head that is not whole is kept until it is.
    pub(super) fn divide(&mut self, mut bytes: &[u8]) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        while !bytes.is_empty() {
            let taken = match self {
                Self::Other => bytes.len(),
                Self::Body(body) => body.take(bytes),
                Self::Head(head) => {
                    let before = head.len();
                    head.extend_from_slice(bytes);
                    let Some(end) = head_end(head) else {
                        if head.len() > LONGEST_HEAD || !speaks_http(head) {
                            stretches.push(Stretch::Bytes(std::mem::take(head)));
                            *self = Self::Other;
                        }
                        return stretches;
                    };
                    head.truncate(end);
                    let head = std::mem::take(head);
                    bytes = &bytes[end - before..];
                    *self = match RequestHead::parse(&head) {
                        Some(parsed) => {
                            let body = parsed.body();
                            stretches.push(Stretch::Head(parsed, head));
                            body.or_next()
                        }
                        None => {
                            stretches.push(Stretch::Bytes(head));
                            Self::Other
                        }
                    };
                    continue;
                }
            };
            stretches.push(Stretch::Bytes(bytes[..taken].to_vec()));
            bytes = &bytes[taken..];
            if let Self::Body(body) = self
                && body.is_over()
            {
                *self = Self::new();
            }
        }
        stretches
    }
}

impl Body {
    fn or_next(self) -> Requester {
        if self.is_over() { Requester::new() } else { Requester::Body(self) }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Bytes(left) => *left == 0,
            Self::Chunks(Chunk::Trailer(line)) => line == b"\r\n",
            Self::Chunks(_) => false,
        }
    }

    /// How many of the bytes, of which there are some, belong to the body or its present part.
    fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Bytes(left) | Self::Chunks(Chunk::Bytes(left)) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if let Self::Chunks(Chunk::Bytes(0)) = self {
                    *self = Self::Chunks(Chunk::Size(Vec::new()));
                }
                taken
            }
            Self::Chunks(Chunk::Size(line) | Chunk::Trailer(line)) => {
                if line.ends_with(b"\n") {
                    line.clear();
                }
                let taken = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |place| place + 1);
                line.extend_from_slice(&bytes[..taken]);
                if let Self::Chunks(Chunk::Size(line)) = self
                    && line.ends_with(b"\n")
                {
                    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).map(|byte| char::from(*byte));
                    let size = u64::from_str_radix(&digits.collect::<String>(), 16).unwrap_or(0);
                    *self = Self::Chunks(match size {
                        0 => Chunk::Trailer(Vec::new()),
                        size => Chunk::Bytes(size.saturating_add(2)),
                    });
                }
                taken
            }
        }
    }
}

/// The length of a head with the empty line behind it, if that is there.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4)
}

/// Whether these may be the first bytes of a request.
fn speaks_http(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| bytes.iter().zip(method.as_bytes()).all(|(byte, letter)| byte == letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets and the bytes of what comes, however it is cut into pieces.
    fn divided(text: &str, piece: usize) -> (Vec<String>, Vec<u8>) {
        let (mut requester, mut targets, mut all) = (Requester::new(), Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            for stretch in requester.divide(piece) {
                match stretch {
                    Stretch::Head(head, bytes) => {
                        targets.push(format!("{} {}", head.method, head.target));
                        all.extend(bytes);
                    }
                    Stretch::Bytes(bytes) => all.extend(bytes),
                }
            }
        }
        (targets, all)
    }

    #[test]
    fn one_request_is_told_from_the_next_wherever_pieces_end() {
        let text = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n\
                    PUT /body HTTP/1.1\r\nContent-Length: 12\r\n\r\nGET / HTTP/1\
                    PUT /chunks HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n0a\r\n0123456\r\n\r\n\r\n0\r\n\r\n\
                    PUT /trailers HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\na: b\r\nc: d\r\n\r\n\
                    HEAD /last HTTP/1.1\r\n\r\n";
        for piece in 1..=text.len() {
            let (targets, bytes) = divided(text, piece);
            assert_eq!(targets, ["GET /a?b=c", "PUT /body", "PUT /chunks", "PUT /trailers", "HEAD /last"], "{piece}");
            assert_eq!(bytes, text.as_bytes());
        }
    }

    #[test]
    fn what_is_not_http_is_left_alone() {
        for text in ["\0\0\0\u{8}startup", "GRANT ALL", "PUTS\r\n\r\n"] {
            for piece in 1..=text.len() {
                assert_eq!(divided(text, piece), (Vec::new(), text.as_bytes().to_vec()));
            }
        }
    }

    #[test]
    fn headers_are_found_by_their_names_in_lower_case() {
        let mut requester = Requester::new();
        let stretches = requester.divide(b"GET / HTTP/1.1\r\nX-Amz-Storage-Class:  GLACIER \r\n\r\n");
        let [Stretch::Head(head, _)] = &stretches[..] else { panic!("{stretches:?}") };
        assert_eq!(head.header("x-amz-storage-class"), Some("GLACIER"));
        assert_eq!(head.header("host"), None);
    }
}
