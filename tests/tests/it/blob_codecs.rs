//! Codecs and levels of stores and caches, maps of arrays, and formats as people see them.

use crate::support::{Place, noise};
use cacheness::handlers::ndarray::AnyArray;
use cacheness::handlers::{Codec, CodecId, Level, extension_of};
use cacheness::storage::engine::EngineOptions;
use cacheness::sync::{BlobStore, Cache};
use cacheness::{Compression, ErrorKind, OnInvalid};
use ndarray::{Array1, ArrayD, array};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

fn store(dir: &Path, compression: Compression) -> BlobStore {
    let mut options = EngineOptions::default();
    options.compression = compression;
    BlobStore::builder().dir(dir).options(options).open().unwrap()
}

fn cache(dir: &Path, compression: Compression) -> Cache {
    Cache::builder().dir(dir).compression(compression).open().unwrap()
}

/// Words in an order that a codec must look for.
fn prose(words: usize) -> String {
    const WORDS: [&str; 8] = ["so ", "much ", "depends ", "upon ", "a ", "red ", "wheel ", "barrow "];
    noise(words).into_iter().map(|byte| WORDS[usize::from(byte % 8)]).collect()
}

#[test]
fn a_store_writes_with_the_codec_of_its_options_and_reads_every_other() {
    let dir = tempfile::tempdir().unwrap();
    let text = prose(40_000);
    let codecs = ["none", "lz4", "zstd:5", "gzip:6"];
    for words in codecs {
        let objects = words.parse::<Codec>().unwrap();
        let store = store(dir.path(), Compression { objects, ..Compression::default() });
        store.put(words, &text).unwrap();
        let entry = store.metadata(words).unwrap().unwrap();
        assert_eq!((entry.codec(), entry.raw_size()), (objects.id(), text.len() as u64));
        assert_eq!(entry.stored_size() < entry.raw_size(), objects != Codec::None, "{words}");
        store.close().unwrap();
    }
    let store = BlobStore::open(dir.path()).unwrap();
    for words in codecs {
        assert_eq!(store.get::<String>(words).unwrap().as_ref(), Some(&text), "{words}");
    }
}

#[test]
fn noise_is_stored_as_it_is_unless_only_its_beginning_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path()).unwrap();
    let stored = || {
        let entry = store.metadata("key").unwrap().unwrap();
        (entry.codec(), entry.raw_size() == entry.stored_size())
    };
    let bytes = noise(100_000);
    store.put("key", &bytes).unwrap();
    assert_eq!(stored(), (CodecId::None, true));
    assert_eq!(store.get::<Vec<u8>>("key").unwrap().as_ref(), Some(&bytes));

    let stream = [noise(400_000), prose(400_000).into_bytes()].concat();
    store.put_reader("key", Cursor::new(stream.clone())).unwrap();
    assert_eq!(stored(), (CodecId::Zstd, false));
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), Some(stream));
}

#[test]
fn unless_told_otherwise_arrays_are_lz4_large_objects_zstd_3_and_small_ones_as_they_are() {
    let default = Compression::default();
    assert_eq!((default.arrays.to_string(), default.objects.to_string()), ("lz4".into(), "zstd:3".into()));
    assert_eq!(EngineOptions::default().compression, default);
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path()).unwrap();
    let codec = |length: usize| {
        store.put("key", &prose(length)[..length]).unwrap();
        store.metadata("key").unwrap().unwrap().codec()
    };
    assert_eq!(codec(4096), CodecId::None);
    assert_eq!(codec(4097), CodecId::Zstd);
    let place = Place::new();
    let cache = place.open();
    cache.put_typed("array", &Array1::from_iter(0..10_000_i32)).unwrap();
    assert_eq!(cache.metadata("array").unwrap().unwrap().codec(), CodecId::Lz4);
}

#[test]
fn a_higher_level_stores_fewer_bytes_and_none_lies_outside_1_to_9() {
    let text = prose(60_000);
    let size = |words: &str| {
        let place = tempfile::tempdir().unwrap();
        let cache = cache(place.path(), Compression { objects: words.parse().unwrap(), ..Compression::default() });
        cache.put("key", &text).unwrap();
        assert_eq!(cache.get::<String>("key").unwrap().as_ref(), Some(&text));
        cache.metadata("key").unwrap().unwrap().stored_size()
    };
    assert!(size("zstd:9") < size("zstd:1"));
    assert!(size("gzip:9") < size("gzip:1"));
    for level in [0, 10, 22, 255] {
        let error = Level::try_from(level).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("1 to 9"), "{error}");
    }
    let error = "zstd:10".parse::<Codec>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn arrays_have_a_codec_and_level_of_their_own_and_are_shuffled_before_it() {
    let numbers = Array1::from_iter((0..50_000_u32).map(|number| f64::from(number) * 1.25));
    let stored = |arrays: Codec| {
        let place = tempfile::tempdir().unwrap();
        let cache = cache(place.path(), Compression { arrays, ..Compression::default() });
        cache.put_typed("array", &numbers).unwrap();
        cache.put("object", &prose(5_000)).unwrap();
        assert_eq!(cache.get_typed("array").unwrap().as_ref(), Some(&numbers));
        assert_eq!(cache.metadata("object").unwrap().unwrap().codec(), CodecId::Zstd);
        let entry = cache.metadata("array").unwrap().unwrap();
        assert_eq!(entry.codec(), arrays.id());
        entry.stored_size()
    };
    assert_eq!(stored(Codec::None), 400_000);
    let lz4 = stored(Codec::Lz4);
    assert!(lz4 < 200_000, "without the shuffle hardly a byte repeats: {lz4}");
    assert!(stored("zstd:5".parse().unwrap()) < lz4);
}

#[test]
fn a_damaged_gzip_payload_is_corrupt_and_never_a_value() {
    let dir = tempfile::tempdir().unwrap();
    let compression = Compression { objects: Codec::GZIP, threshold: 0, ..Compression::default() };
    let builder = Cache::builder().dir(dir.path()).compression(compression);
    let cache = builder.on_invalid(OnInvalid::Error).open().unwrap();
    cache.put("key", &noise(50_000)).unwrap();
    let entry = cache.metadata("key").unwrap().unwrap();
    let blob = entry.blob().unwrap();
    let path = dir.path().join("blobs").join(&blob[..2]).join(format!("{blob}.blob"));
    let whole = std::fs::read(&path).unwrap();
    for at in [0, 3, 9, 20_000, entry.stored_size() as usize - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(cache.get::<Vec<u8>>("key").unwrap_err().kind(), ErrorKind::Corrupt, "byte {at}");
    }
    std::fs::write(&path, whole).unwrap();
    assert_eq!(cache.get::<Vec<u8>>("key").unwrap(), Some(noise(50_000)));
}

#[test]
fn a_dict_of_arrays_comes_back_by_name_with_its_element_types() {
    let model: BTreeMap<String, AnyArray> = BTreeMap::from([
        ("classes".to_owned(), array![3_u8, 1, 2].into()),
        ("mask".to_owned(), array![[true, false]].into()),
        ("weights".to_owned(), Array1::from_iter((0..30_000).map(|n| n as f32 / 8.0)).into()),
    ]);
    let weights: BTreeMap<String, ArrayD<f64>> = BTreeMap::from([
        ("one".to_owned(), array![[1.0, 2.0], [3.0, 4.0]].into_dyn()),
        ("two".to_owned(), array![5.0].into_dyn()),
    ]);
    let place = Place::new();
    let cache = place.open();
    cache.put_typed("model", &model).unwrap();
    cache.put_typed("weights", &weights).unwrap();
    cache.close().unwrap();

    let cache = Cache::builder().dir(place.path()).on_invalid(OnInvalid::Error).open().unwrap();
    assert_eq!(cache.get_typed("model").unwrap(), Some(model));
    assert_eq!(cache.get_typed("weights").unwrap().as_ref(), Some(&weights));
    let any: BTreeMap<String, AnyArray> = cache.get_typed("weights").unwrap().unwrap();
    assert_eq!(any["two"].get::<f64>(), Some(&weights["two"]));
    let entry = cache.metadata("model").unwrap().unwrap();
    assert_eq!((entry.data_type(), entry.format(), entry.codec()), ("ndarray_map", "ndarray_map", CodecId::Lz4));
    let error = cache.get_typed::<BTreeMap<String, ArrayD<f64>>>("model").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TypeMismatch);
    assert!(error.to_string().contains("classes"), "{error}");
}

#[test]
fn an_entry_names_the_file_extension_that_people_expect() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path()).unwrap();
    store.put("text", "some").unwrap();
    store.put("bytes", &noise(10)).unwrap();
    store.put("object", &(1, 2)).unwrap();
    for (key, extension) in [("text", "txt"), ("bytes", "bin"), ("object", "msgpack")] {
        let entry = store.metadata(key).unwrap().unwrap();
        assert_eq!(extension_of(entry.format()), Some(extension));
    }
}

#[test]
fn what_is_missing_is_none_and_what_is_damaged_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = BlobStore::open(dir.path()).unwrap();
    assert_eq!(store.get::<Vec<u8>>("absent").unwrap(), None);
    store.put("key", &noise(50_000)).unwrap();
    let blob = store.metadata("key").unwrap().unwrap().blob().unwrap();
    let path = dir.path().join("blobs").join(&blob[..2]).join(format!("{blob}.blob"));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[25_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(store.get::<Vec<u8>>("key").unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::remove_file(path).unwrap();
    assert_eq!(store.get::<Vec<u8>>("key").unwrap_err().kind(), ErrorKind::Corrupt, "it is named, and is not there");
    store.delete("key").unwrap();
    assert_eq!(store.get::<Vec<u8>>("key").unwrap(), None);
}
