//! What can go wrong.

use super::{Answer, RequestHead};
use std::time::Duration;

/// A way of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Requests,
    /// From the server to the client.
    Replies,
}

/// Something that goes wrong. Limited to some times, it strikes so many connections, requests (where it is about HTTP) or
/// pieces (`Delay`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// New connections are refused. Those that are open stay; [`reset_all`](super::Proxy::reset_all) ends them. It is not
    /// limited by times.
    Refuse,
    /// A connection is reset (RST) once it has forwarded so many bytes that way, counted from the injection. With 0, new
    /// connections are reset at once, and open ones when the next byte comes.
    Reset {
        /// Which bytes are counted.
        direction: Direction,
        /// How many get through.
        after: u64,
    },
    /// Connections are accepted and nothing is forwarded either way, for a time from the injection or until it is healed.
    Stall(Option<Duration>),
    /// A connection is reset when the client sends these bytes. The piece with the last of them is not forwarded, so the server
    /// has not done what was asked.
    CutBefore(Vec<u8>),
    /// The first time a client sends these bytes, they are forwarded, and its connection is reset when the server answers. The
    /// server has done what was asked, and the client does not know: `CutAfter(b"COMMIT".to_vec())`.
    CutAfter(Vec<u8>),
    /// The first time a client sends these bytes, they are forwarded, and no reply gets through on its connection any more,
    /// which stays open.
    DropReplies(Vec<u8>),
    /// Every piece, of 16 KiB at most, waits before it is forwarded.
    Delay {
        /// Which pieces wait.
        direction: Direction,
        /// How long.
        time: Duration,
    },
    /// Each connection forwards so many bytes a second and no more.
    Throttle {
        /// Which bytes are slow.
        direction: Direction,
        /// At least 1.
        bytes_per_second: u64,
    },
    /// A request is answered without asking the server.
    Answer(Requests, Answer),
    /// The reply to a request breaks off after so many bytes of its body, in an orderly end of the connection; its
    /// `Content-Length` is what the server said.
    Truncate(Requests, u64),
}

/// Some HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    method: Option<String>,
    prefix: String,
    part: String,
}

impl Requests {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Those whose path begins so, as `/bucket/prefix/`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Those with this in their path or query, as `uploadId=`.
    #[must_use]
    pub fn containing(mut self, part: &str) -> Self {
        part.clone_into(&mut self.part);
        self
    }

    pub(super) fn contain(&self, head: &RequestHead) -> bool {
        self.method.as_ref().is_none_or(|method| *method == head.method)
            && head.target.starts_with(&self.prefix)
            && head.target.contains(&self.part)
    }
}
