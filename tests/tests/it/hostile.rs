//! Hostile bytes in a store: never a value, never a panic, no memory to speak of, nothing else lost.

use crate::stores::{graceless, open, tree};
use crate::support::{Place, noise};
use cacheness::backends::sqlite::SqliteMetadata;
use cacheness::core::runtime::block_on;
use cacheness::handlers::{CodecId, Encoding};
use cacheness::{ErrorKind, sync::Cache};
use cacheness_storage::{
    BlobId, Change, Condition, Digest, DigestAlgorithm, EntryKey, Fields, MetadataBackend, OnUnmet, OpenContext,
    Record, StoreId, Trailer,
};
use std::process::Command;

/// A zstd frame of 10 MB that wants 343 GB: nothing but blocks that repeat one byte 131,072 times.
fn bomb() -> Vec<u8> {
    const BLOCKS: usize = 10_000_000 / 4;
    // Magic number, a frame header without content size, a window of 128 KiB.
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 7 << 3];
    for number in 0..BLOCKS {
        let is_last = u32::from(number == BLOCKS - 1);
        let header = ((128_u32 << 10) << 3) | (1 << 1) | is_last;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b'x');
    }
    frame
}

/// Changes what the index says of an entry, as somebody would who may write the store's files.
fn tamper(place: &Place, key: &EntryKey, tamper: impl FnOnce(&mut Record)) {
    let index = SqliteMetadata::open(place.path().join("index.db"), &OpenContext::new(), Default::default()).unwrap();
    let mut record = block_on(index.get(std::slice::from_ref(key), Fields::ALL)).unwrap().remove(0).unwrap();
    tamper(&mut record);
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    assert!(block_on(index.commit(vec![change], OnUnmet::Abort)).unwrap()[0].is_applied());
    block_on(index.close()).unwrap();
}

#[test]
fn a_frame_that_wants_a_hundred_gigabytes_gets_no_memory() {
    let frame = bomb();
    for claim in [3_000_000, 100_000_000_000, u64::MAX >> 2] {
        let place = Place::new();
        let cache = place.open();
        cache.put("bystander", "unharmed").unwrap();
        let key = cache.put("victim", &noise(3_000_000)).unwrap();
        cache.close().unwrap();
        std::fs::write(place.blobs().pop().unwrap(), &frame).unwrap();
        tamper(&place, &EntryKey::new(key.to_string()), |record| {
            record.content.encoding = Encoding { codec: CodecId::Zstd, shuffle: 1 };
            record.content.digest = Digest::of(DigestAlgorithm::Xxh3, &frame);
            record.content.stored_size = frame.len() as u64;
            record.content.raw_size = claim;
        });
        let dir = place.path();
        let output = Command::new(env!("CARGO_BIN_EXE_other-process"))
            .args(["peak", dir.to_str().unwrap(), "victim"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let (peak, outcome) = told.trim().split_once(' ').unwrap();
        assert!(peak.parse::<u64>().unwrap() < 256 << 10, "{claim}: {told}");
        assert!(!outcome.contains("Some"), "{claim}: {told}");
        assert_eq!(place.open().get::<String>("bystander").unwrap().as_deref(), Some("unharmed"));
    }
}

#[test]
fn a_reader_of_such_a_frame_ends_with_the_size_that_was_promised() {
    use std::io::Read;
    let place = Place::new();
    let store = open(&place, graceless());
    store.put("victim", &noise(3_000_000)).unwrap();
    let frame = bomb();
    std::fs::write(place.blobs().pop().unwrap(), &frame).unwrap();
    tamper(&place, &EntryKey::new("victim"), |record| {
        record.content.encoding = Encoding { codec: CodecId::Zstd, shuffle: 1 };
        record.content.digest = Digest::of(DigestAlgorithm::Xxh3, &frame);
        record.content.stored_size = frame.len() as u64;
    });
    let mut read = 0;
    let mut reader = store.get_reader("victim").unwrap().unwrap();
    let mut buffer = vec![0; 1 << 16];
    let error = loop {
        match reader.read(&mut buffer) {
            Ok(0) => panic!("the frame holds more than was promised"),
            Ok(count) => read += count,
            Err(error) => break error,
        }
    };
    assert!(read <= 3_000_000, "{read} bytes: {error}");
}

#[test]
fn a_name_that_leads_out_of_the_store_leads_nowhere() {
    let outside = Place::new();
    let place = Place::new();
    std::fs::write(outside.dir.path().join("secret.blob"), "not to be touched").unwrap();
    let store = open(&place, graceless());
    store.put("bystander", &noise(50_000)).unwrap();
    store.put("victim", &noise(60_000)).unwrap();
    let before = tree(outside.dir.path());
    let connection = rusqlite::Connection::open(place.path().join("index.db")).unwrap();
    let target = outside.dir.path().join("secret.blob");
    let names = [
        b"../../secret".to_vec(),
        target.to_str().unwrap().as_bytes().to_vec(),
        vec![0; 16],
        b"../../../../../a".to_vec(),
    ];
    for name in names {
        connection.execute("UPDATE records SET blob = ?1 WHERE key = 'victim'", [&name]).unwrap();
        assert_eq!(store.get::<Vec<u8>>("victim").unwrap_err().kind(), ErrorKind::Corrupt, "{name:?}");
        let verified = store.verify().unwrap();
        assert_eq!((verified.damaged, verified.problems[0].key.as_str()), (1, "victim"), "{name:?}");
        store.sweep().unwrap();
        assert_eq!(store.get::<Vec<u8>>("bystander").unwrap(), Some(noise(50_000)));
    }
    connection.execute("UPDATE records SET key = '../../secret' WHERE key = 'victim'", []).unwrap();
    assert_eq!(store.list(&Default::default()).unwrap().entries.len(), 2);
    assert!(store.delete("../../secret").is_err() || store.get::<Vec<u8>>("../../secret").is_ok());
    assert_eq!(tree(outside.dir.path()), before);
    assert!(place.path().join("blobs/00/00000000000000000000000000000000.blob").exists(), "the marker stays");
    assert_eq!(store.get::<Vec<u8>>("bystander").unwrap(), Some(noise(50_000)));
}

#[test]
fn verification_names_every_kind_of_damage_and_nothing_else() {
    let place = Place::new();
    let store = open(&place, graceless());
    let keys = ["flipped", "cut", "gone", "trailer", "swapped", "twisted", "whole"];
    for (number, key) in keys.iter().enumerate() {
        store.put(key, &noise(40_000 + number)).unwrap();
    }
    store.put("inline", "small and whole").unwrap();
    let file = |key: &str| {
        let name = store.metadata(key).unwrap().unwrap().blob().unwrap();
        place.path().join("blobs").join(&name[..2]).join(format!("{name}.blob"))
    };
    let change = |key: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(file(key)).unwrap();
        change(&mut bytes);
        std::fs::write(file(key), bytes).unwrap();
    };
    change("flipped", &|bytes| bytes[20_000] ^= 1);
    change("cut", &|bytes| bytes.truncate(10_000));
    change("trailer", &|bytes| *bytes.last_mut().unwrap() ^= 1);
    std::fs::remove_file(file("gone")).unwrap();
    let (swapped, twisted) = (std::fs::read(file("swapped")).unwrap(), std::fs::read(file("twisted")).unwrap());
    std::fs::write(file("swapped"), twisted).unwrap();
    std::fs::write(file("twisted"), swapped).unwrap();
    let connection = rusqlite::Connection::open(place.path().join("index.db")).unwrap();
    connection.execute("UPDATE records SET content = x'01' WHERE key = 'inline'", []).unwrap();
    let verified = store.verify().unwrap();
    let mut found: Vec<_> = verified.problems.iter().map(|problem| problem.key.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["cut", "flipped", "gone", "inline", "swapped", "trailer", "twisted"]);
    assert!(verified.problems.iter().all(|problem| !problem.error.to_string().contains('\n')));
    assert_eq!(store.get::<Vec<u8>>("whole").unwrap(), Some(noise(40_006)));
    assert_eq!(
        store.list(&Default::default()).unwrap().entries.len(),
        7,
        "a listing goes on without the unreadable one"
    );
}

#[test]
fn verification_sees_a_trailer_that_belongs_to_another_blob_behind_the_right_bytes() {
    let tampers: [fn(&mut Trailer); 3] = [
        |trailer| trailer.blob = BlobId::from_bytes([7; 16]),
        |trailer| trailer.store = StoreId::from_bytes([7; 16]),
        |trailer| trailer.content.digest = Digest::of(DigestAlgorithm::Xxh3, b"something else"),
    ];
    for (number, tamper) in tampers.into_iter().enumerate() {
        let place = Place::new();
        let store = open(&place, graceless());
        store.put("key", &noise(50_000)).unwrap();
        let blob = place.blobs().pop().unwrap();
        let mut bytes = std::fs::read(&blob).unwrap();
        let mut trailer = Trailer::from_end_of(&bytes).unwrap();
        bytes.truncate(trailer.content.stored_size as usize);
        tamper(&mut trailer);
        bytes.extend(trailer.to_bytes());
        std::fs::write(&blob, bytes).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!(verified.damaged, 1, "tamper {number}");
        assert!(verified.problems[0].error.to_string().contains("belongs to another blob"), "tamper {number}");
    }
}

#[test]
fn the_index_of_another_store_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    for place in [&place, &other] {
        place.open().put("key", &noise(50_000)).unwrap();
    }
    std::fs::copy(other.path().join("index.db"), place.path().join("index.db")).unwrap();
    assert_eq!(Cache::open(place.path()).unwrap_err().kind(), ErrorKind::ForeignStore);
    assert_eq!(place.blobs().len(), 1, "and its blobs stay");
}
