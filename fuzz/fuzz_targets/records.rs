//! Content descriptors in their binary form, and whole records as backends send them to each other.
#![no_main]

use cacheness_core::ErrorKind;
use cacheness_core::runtime::block_on;
use cacheness_fuzz::{Input, bounded, terms};
use cacheness_handlers::{CodecId, Encoding};
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::{
    Change, Condition, Content, Digest, Fields, Location, MetadataBackend, ObjectTag, OnUnmet, OpenContext, Outcome,
    Record,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.below(4) {
        0 | 1 => parsed(input.rest()),
        2 => composed(input),
        _ => sent(input.rest()),
    }
});

/// Arbitrary bytes are refused, or mean a descriptor that is written as it was read.
fn parsed(bytes: &[u8]) {
    let content = match bounded(64 * bytes.len() + 4096, || Content::from_bytes(bytes)) {
        Ok(content) => content,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::FormatTooNew), "{error:?}");
            return;
        }
    };
    returns(&content);
    for shorter in 0..bytes.len().min(200) {
        assert!(Content::from_bytes(&bytes[..shorter]).is_err(), "{shorter} bytes of {} are enough", bytes.len());
    }
}

/// Every descriptor that a put can make is read as it was written.
fn composed(mut input: Input<'_>) {
    let content = Content {
        type_tag: input.text().into(),
        type_name: input.text().into(),
        format: input.text().into(),
        format_version: u16::from_le_bytes(input.array()),
        schema: input.flag().then(|| input.number()),
        extra: (0..input.below(4)).map(|_| (input.text(), input.text().into())).collect(),
        encoding: Encoding {
            codec: CodecId::try_from(input.byte() % 4).expect("four codecs are known"),
            shuffle: input.byte(),
        },
        raw_size: input.number(),
        stored_size: input.number(),
        digest: if input.flag() { Digest::Xxh3(input.array()) } else { Digest::Blake3(input.array()) },
        key_digest: input.flag().then(|| input.array()),
        terms: terms(&mut input, &["a"]),
        object: input.flag().then(|| Box::new(ObjectTag { etag: Some("e".into()), version: None })),
    };
    returns(&content);
}

fn returns(content: &Content) {
    let written = content.to_bytes();
    let read = Content::from_bytes(&written).expect("a descriptor that was written is read");
    assert_eq!(&read, content);
    assert_eq!(read.to_bytes(), written);
}

/// A record in JSON, as a backend of the same version sends it, is kept as it is by an index.
fn sent(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    let again = serde_json::to_vec(&record).expect("what was JSON is JSON again");
    assert_eq!(serde_json::from_slice::<Record>(&again).expect("a record that was written is read"), record);
    returns(&record.content);

    let index = MemoryMetadata::new(&OpenContext::new());
    let change = Change::Put { record: Box::new(record.clone()), condition: Condition::Always };
    match block_on(index.commit(vec![change], OnUnmet::Abort)) {
        Ok(outcomes) => {
            assert!(matches!(outcomes[..], [Outcome::Applied { previous: None, .. }]), "{outcomes:?}");
            let kept = block_on(index.get(std::slice::from_ref(&record.key), Fields::ALL))
                .expect("an index in memory answers");
            assert_eq!(kept, [Some(record)]);
        }
        Err(error) => {
            let is_deep = error.kind() == ErrorKind::Serialization && record.annotations.check().is_err();
            assert!(is_deep || record.location == Location::Omitted, "{error:?}");
        }
    }
}
