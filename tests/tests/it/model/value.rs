//! The values of the model test: small descriptions that a failure can print, and what they stand for.

use cacheness::core::Rng;
use cacheness::handlers;
use cacheness_testkit::SeededRng;
use cacheness_tests::Results;
use proptest::prelude::*;
use std::fmt;

/// The largest value of the caches under test, in bytes before the codec.
pub(super) const LARGEST: usize = 48 << 10;

/// The Rust type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Record,
    Bytes,
    Maybe,
}

/// Runs `$body` with `$type` standing for the Rust type of a kind.
macro_rules! with_type {
    ($kind:expr, $type:ident => $body:expr) => {
        match $kind {
            Kind::Number => with_type!(@ u64, $type, $body),
            Kind::Text => with_type!(@ String, $type, $body),
            Kind::Record => with_type!(@ Results, $type, $body),
            Kind::Bytes => with_type!(@ Vec<u8>, $type, $body),
            Kind::Maybe => with_type!(@ Option<u64>, $type, $body),
        }
    };
    (@ $concrete:ty, $type:ident, $body:expr) => {{
        type $type = $concrete;
        $body
    }};
}
pub(super) use with_type;

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Number, Self::Text, Self::Record, Self::Bytes, Self::Maybe];

    /// The tag of the handler that stores it.
    pub(super) fn type_tag(self) -> &'static str {
        match self {
            Self::Number | Self::Record | Self::Maybe => "object",
            Self::Text => "text",
            Self::Bytes => "bytes",
        }
    }
}

/// What a value is made of. Numbers and options take nothing from the size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) seed: u8,
    pub(super) size: usize,
}

impl Content {
    pub(super) fn value(self) -> Datum {
        with_type!(self.kind, T => T::made_of(self).datum())
    }

    pub(super) fn is_too_large(self) -> bool {
        self.kind == Kind::Bytes && self.size > LARGEST
    }

    fn noise(self) -> Vec<u8> {
        let mut bytes = vec![0; self.size];
        SeededRng::new(self.seed.into()).fill(&mut bytes).unwrap();
        bytes
    }
}

/// A Rust type of the test.
pub(super) trait Sample: handlers::Value + Clone {
    fn made_of(content: Content) -> Self;
    fn datum(self) -> Datum;
}

impl Sample for u64 {
    fn made_of(content: Content) -> Self {
        content.seed.into()
    }

    fn datum(self) -> Datum {
        Datum::Number(self)
    }
}

impl Sample for String {
    fn made_of(content: Content) -> Self {
        content.noise().into_iter().map(|byte| char::from(b'0' + byte % 64)).collect()
    }

    fn datum(self) -> Datum {
        Datum::Text(self)
    }
}

impl Sample for Results {
    fn made_of(content: Content) -> Self {
        Self { accuracy: f64::from(content.seed) / 7.0, labels: vec![String::made_of(content), "label".into()] }
    }

    fn datum(self) -> Datum {
        Datum::Record(self)
    }
}

impl Sample for Vec<u8> {
    fn made_of(content: Content) -> Self {
        content.noise()
    }

    fn datum(self) -> Datum {
        Datum::Bytes(self)
    }
}

impl Sample for Option<u64> {
    fn made_of(content: Content) -> Self {
        (content.seed % 2 == 1).then_some(content.seed.into())
    }

    fn datum(self) -> Datum {
        Datum::Maybe(self)
    }
}

/// A value of any of the types.
#[derive(Clone, PartialEq)]
pub(super) enum Datum {
    Number(u64),
    Text(String),
    Record(Results),
    Bytes(Vec<u8>),
    Maybe(Option<u64>),
}

impl Datum {
    /// What a get of this type returns: the type that was put, and `Option<T>` for `T` and back, as the format promises.
    pub(super) fn read_as(&self, kind: Kind) -> Option<Self> {
        match (self, kind) {
            (Self::Number(number), Kind::Maybe) => Some(Self::Maybe(Some(*number))),
            (Self::Maybe(Some(number)), Kind::Number) => Some(Self::Number(*number)),
            _ => (self.kind() == kind).then(|| self.clone()),
        }
    }

    /// What a reader gives.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Number(_) | Self::Record(_) | Self::Maybe(_) => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Record(_) => Kind::Record,
            Self::Bytes(_) => Kind::Bytes,
            Self::Maybe(_) => Kind::Maybe,
        }
    }
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = |bytes: &[u8]| bytes.iter().take(8).copied().collect::<Vec<_>>();
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{} B of text {:x?}…", text.len(), start(text.as_bytes())),
            Self::Record(record) => write!(f, "record {} of {} B", record.accuracy, record.labels.concat().len()),
            Self::Bytes(bytes) => write!(f, "{} B {:x?}…", bytes.len(), start(bytes)),
            Self::Maybe(number) => write!(f, "{number:?}"),
        }
    }
}

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.as_slice())
}

/// Values on both sides of what rides in the index.
pub(super) fn content_of(kind: impl Strategy<Value = Kind>) -> impl Strategy<Value = Content> {
    const INLINE: usize = 16 << 10;
    let size = prop_oneof![4 => 0..200_usize, 1 => INLINE..INLINE + 2, 2 => 0..40_usize << 10];
    (kind, 0..8_u8, size).prop_map(|(kind, seed, size)| Content { kind, seed, size })
}

pub(super) fn content() -> impl Strategy<Value = Content> {
    content_of(kind())
}

/// Values of which a few are larger than the cache takes.
pub(super) fn any_content() -> impl Strategy<Value = Content> {
    let too_large = Content { kind: Kind::Bytes, seed: 0, size: LARGEST + 1 };
    prop_oneof![20 => content(), 1 => Just(too_large)]
}
