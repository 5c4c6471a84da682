//! The recipe for handlers finds what is wrong with one, and chance repeats itself.

use cacheness_core::{ErrorKind, Result, Rng};
use cacheness_handlers::{Format, Handler, PayloadReader};
use cacheness_storage::memory::MemoryBlobs;
use cacheness_testkit::{BlobSubject, Error, SeededRng, handler_roundtrip};
use std::io::Write;
use std::panic::catch_unwind;

/// Stores bytes, with one flaw at most.
#[derive(Clone, Copy, PartialEq)]
enum Bytes {
    Flawless,
    AcceptsNothing,
    HintsWrongSize,
    NeedsHints,
    NeedsMemory,
    ReadsOnce,
}

impl Handler for Bytes {
    type Value = Vec<u8>;

    fn type_tag(&self) -> &str {
        "bytes"
    }

    fn accepts(&self, _: &Vec<u8>) -> bool {
        *self != Self::AcceptsNothing
    }

    fn plan(&self, value: &Vec<u8>) -> Result<Format> {
        let wrong = u64::from(*self == Self::HintsWrongSize);
        Ok(Format::new("raw", 1).element_width(8).size_hint(value.len() as u64 + wrong))
    }

    fn encode(&self, value: &Vec<u8>, _: &Format, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(value)?)
    }

    fn decode(&self, input: &mut dyn PayloadReader, format: &Format) -> Result<Vec<u8>> {
        let wrong = |message| Error::new(ErrorKind::Corrupt, message);
        match self {
            Self::NeedsHints if format.hints.element_width != 8 => Err(wrong("no hints")),
            Self::NeedsMemory => Ok(input.as_slice().ok_or_else(|| wrong("not in memory"))?.to_vec()),
            Self::ReadsOnce => {
                let mut bytes = vec![0; 64];
                let count = input.read(&mut bytes)?;
                if input.remaining() > 0 {
                    return Err(wrong("more bytes than one read gave"));
                }
                bytes.truncate(count);
                Ok(bytes)
            }
            _ => Ok(input.read_bytes()?.to_vec()),
        }
    }
}

#[test]
fn a_value_comes_back_through_the_recipe() {
    assert_eq!(handler_roundtrip(&Bytes::Flawless, &vec![1, 2, 3]).unwrap(), [1, 2, 3]);
    assert_eq!(handler_roundtrip(&Bytes::Flawless, &vec![]).unwrap(), [0; 0]);
}

#[test]
fn the_recipe_finds_broken_promises() {
    for (flaw, name) in [
        (Bytes::AcceptsNothing, "accepts nothing"),
        (Bytes::HintsWrongSize, "hints a wrong size"),
        (Bytes::NeedsHints, "needs hints"),
        (Bytes::NeedsMemory, "needs memory"),
        (Bytes::ReadsOnce, "reads once"),
    ] {
        let found = catch_unwind(|| handler_roundtrip(&flaw, &vec![1, 2, 3]));
        assert!(!matches!(found, Ok(Ok(_))), "the recipe does not see that the handler {name}");
    }
}

#[test]
fn the_same_seed_gives_the_published_numbers() {
    let rng = SeededRng::new(1_234_567);
    let numbers = [(); 3].map(|()| rng.next_u64());
    assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

#[test]
fn bytes_are_the_numbers_in_little_endian_order() {
    let (one, other) = (SeededRng::new(7), SeededRng::new(7));
    let mut bytes = [0; 11];
    one.fill(&mut bytes).unwrap();
    let numbers = [other.next_u64().to_le_bytes(), other.next_u64().to_le_bytes()].concat();
    assert_eq!(bytes, numbers[..11]);
}

#[test]
fn a_subject_keeps_its_directory_between_openings_and_takes_it_along() {
    let (sender, places) = std::sync::mpsc::channel();
    let subject = BlobSubject::in_directory(move |directory, context| {
        sender.send(directory).unwrap();
        async move { Ok(MemoryBlobs::new(&context)) }
    });
    for _ in 0..2 {
        subject.block_on(subject.open()).unwrap();
    }
    let [one, other] = [places.recv().unwrap(), places.recv().unwrap()];
    assert_eq!(one, other);
    assert!(one.is_dir());
    drop(subject);
    assert!(!one.exists());
}
