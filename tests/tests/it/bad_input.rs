//! Bad input: one specific line each, naming what to do, and nothing is lost.

use crate::support::{Place, noise};
use cacheness::core::runtime::block_on;
use cacheness::sync::{BlobStore, Cache};
use cacheness::{CopyOptions, ErrorKind, MemoryConfig, PutOptions, future, key};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn an_unknown_backend_names_the_known_ones() {
    for url in ["mongodb://host/db", "ftp:/srv"] {
        let error = Cache::builder().metadata(url).blobs("memory:").open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownBackend);
        let line = error.to_string();
        assert!(line.contains("known here: json, memory, postgres, postgresql, sqlite"), "{line}");
        let error = Cache::builder().metadata("memory:").blobs(url).open().unwrap_err();
        assert!(error.to_string().contains("known here: fs, memory, s3"), "{error}");
    }
}

#[test]
fn a_url_without_a_scheme_says_what_urls_look_like() {
    let error = Cache::builder().metadata("index.db").blobs("memory:").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("sqlite:index.db"), "{error}");
}

#[test]
fn an_unknown_option_of_a_backend_is_an_error_that_names_it() {
    let place = Place::new();
    let url = format!("sqlite:{}?raeders=3", place.path().join("index.db").display());
    let error = Cache::builder().metadata(url).blobs("memory:").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("raeders"), "{error}");
}

#[test]
fn several_mistakes_are_told_together_in_one_line() {
    let place = Place::new();
    let index = place.dir.path().join("index.db");
    let wrong = || {
        let builder = Cache::builder().dir("").metadata(format!("sqlite:{}?raeders=3", index.display()));
        builder.blobs("ftp:/srv").default_ttl(Duration::ZERO).max_value_size(0)
    };
    let error = wrong().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let line = error.to_string();
    let told: Vec<_> = line.split("; ").collect();
    for mistake in [
        "the directory has an empty name",
        "unknown field `raeders`",
        "no blob backend is named \"ftp\"",
        "a TTL of zero",
        "the largest value would have 0 bytes",
    ] {
        assert_eq!(line.matches(mistake).count(), 1, "{mistake} in {line}");
        assert!(told.iter().any(|part| part.contains(mistake)), "{mistake} in {told:?}");
    }
    assert!(line.starts_with("open: ") && !line.contains('\n'), "{line}");
    assert!(!index.exists(), "nothing was opened");

    let awaited = future::Cache::builder().metadata("ftp:/srv").default_ttl(Duration::ZERO).open();
    let line = block_on(awaited).unwrap_err().to_string();
    for mistake in ["no metadata backend is named \"ftp\"", "there is no blob backend", "a TTL of zero"] {
        assert!(line.contains(mistake), "{mistake} in {line}");
    }
}

#[test]
fn a_single_mistake_keeps_its_kind() {
    let place = Place::new();
    let error = Cache::builder().dir(place.path()).blobs("ftp:/srv").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownBackend);
    assert!(!place.path().exists(), "nothing was opened");
}

#[test]
fn wrong_urls_of_both_backends_are_told_before_either_is_opened() {
    let place = Place::new();
    let (index, blobs) = (place.dir.path().join("index.db"), place.dir.path().join("blobs"));
    let (index_url, blobs_url) = (format!("sqlite:{}", index.display()), format!("fs:{}", blobs.display()));
    let wrong = [
        (format!("{index_url}?readers=0"), format!("{blobs_url}?shards=2"), ["readers", "shards"]),
        (
            format!("{index_url}?busy_timeout_ms=0"),
            format!("{blobs_url}?shard_chars=9"),
            ["busy_timeout_ms", "shard_chars"],
        ),
        (format!("{index_url}?reader=1"), "fs:".to_owned(), ["reader", "no directory"]),
        ("index.db".to_owned(), "memory:here".to_owned(), ["the metadata URL", "memory:here"]),
        ("memory:?a=1".to_owned(), "memory:?b=1".to_owned(), ["`a`", "`b`"]),
    ];
    for (metadata, at, mistakes) in wrong {
        let lines = [
            Cache::builder().metadata(&metadata).blobs(&at).open().unwrap_err().to_string(),
            BlobStore::builder().metadata(&metadata).blobs(&at).open().unwrap_err().to_string(),
        ];
        assert_eq!(lines[0], lines[1]);
        let parts: Vec<_> = lines[0].split("; ").collect();
        assert!(parts.len() == 2 && parts[0].contains(mistakes[0]) && parts[1].contains(mistakes[1]), "{parts:?}");
    }
    assert!(!index.exists() && !blobs.exists());
}

#[test]
fn a_limit_of_no_bytes_at_all_is_an_error() {
    let place = Place::new();
    let error = Cache::builder().dir(place.path()).max_value_size(0).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("4 GiB"), "{error}");
    assert!(!place.path().exists());
}

#[test]
fn a_builder_without_a_place_says_what_it_needs() {
    let error = Cache::builder().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
fn a_directory_whose_name_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let dir = place.dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    assert_eq!(Cache::open(&dir).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(std::fs::read_dir(place.dir.path()).unwrap().count(), 0, "nothing was created elsewhere");
}

#[test]
fn a_directory_without_a_name_is_refused() {
    let error = Cache::open("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("no metadata backend"), "one mistake is told once: {error}");
}

#[test]
fn a_directory_named_like_a_url_is_only_a_directory() {
    let place = Place::new();
    let dir = place.dir.path().join("what? 100%:#[no]&x=1");
    Cache::open(&dir).unwrap().put(1, "value").unwrap();
    assert!(dir.join("index.db").exists());
    assert_eq!(Cache::open(&dir).unwrap().get::<String>(1).unwrap().as_deref(), Some("value"));
}

#[test]
fn a_ttl_of_zero_is_an_error_everywhere() {
    let place = Place::new();
    let error = Cache::builder().dir(place.path()).default_ttl(Duration::ZERO).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let options = PutOptions::new().ttl(Duration::ZERO);
    assert_eq!(place.open().put_with(1, "value", options).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn metadata_that_is_no_object_is_an_error() {
    let place = Place::new();
    let error = place.open().put_with(1, "value", PutOptions::new().metadata([1, 2])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("JSON object"), "{error}");
}

#[test]
fn metadata_nested_too_deep_is_an_error_and_at_the_limit_comes_back() {
    let place = Place::new();
    let cache = place.open();
    let nested =
        |levels| (1..levels).fold(serde_json::json!({"deepest": 1}), |inner, _| serde_json::json!({"in": inner}));
    let error = cache.put_with(1, "value", PutOptions::new().metadata(nested(128))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    cache.put_with(1, "value", PutOptions::new().metadata(nested(127))).unwrap();
    let found = cache.metadata(1).unwrap().unwrap();
    assert_eq!(serde_json::Value::from(found.metadata().clone()), nested(127));
}

#[test]
fn a_value_beyond_the_limit_is_refused_and_the_old_one_stays() {
    let place = Place::new();
    let cache = Cache::builder().dir(place.path()).max_value_size(1000).open().unwrap();
    cache.put(1, &noise(900)).unwrap();
    assert_eq!(cache.put(1, &noise(1001)).unwrap_err().kind(), ErrorKind::TooLarge);
    let unknown_before = vec!["a text".to_owned(); 1000];
    assert_eq!(cache.put(1, &unknown_before).unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(cache.get(1).unwrap(), Some(noise(900)));
}

#[test]
fn a_type_without_a_handler_names_those_that_have_one() {
    struct Foreign;
    let place = Place::new();
    let error = place.open().put_typed(key! { a: 1 }, &Foreign).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoHandler);
    assert!(error.to_string().contains("registered: bytes"), "{error}");
}

#[test]
fn an_index_that_is_something_else_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    std::fs::create_dir_all(place.path()).unwrap();
    let index = place.path().join("index.db");
    std::fs::write(&index, "dear diary, ".repeat(1000)).unwrap();
    let error = Cache::open(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignStore);
    assert!(error.to_string().contains("index.db"), "{error}");
    assert_eq!(std::fs::read_to_string(index).unwrap(), "dear diary, ".repeat(1000));
}

#[test]
fn a_newer_index_is_refused_with_advice() {
    let place = Place::new();
    place.open().close().unwrap();
    // The number of SQLite's user_version lies at offset 60 of the file, big-endian (its file format, section 1.3).
    let index = place.path().join("index.db");
    let mut bytes = std::fs::read(&index).unwrap();
    bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    std::fs::write(&index, &bytes).unwrap();
    let error = Cache::open(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FormatTooNew);
    assert!(error.to_string().contains("update"), "{error}");
}

#[test]
fn a_directory_that_is_a_file_is_one_clear_line() {
    let place = Place::new();
    std::fs::write(place.path(), "a file").unwrap();
    let line = Cache::open(place.path()).unwrap_err().to_string();
    assert!(line.starts_with("open") && line.contains("cache"), "{line}");
    assert!(!line.contains('\n'), "{line}");
    assert_eq!(std::fs::read_to_string(place.path()).unwrap(), "a file");
}

/// Runs another process without privileges; root's own are given up, everybody else has none.
fn unprivileged(dir: &Path, binary: &Path) -> String {
    let mut command = Command::new(binary);
    command.arg("open").arg(dir).current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_unreadable_directory_is_a_permission_error_that_names_it() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    // A place that an unprivileged user can reach, with a copy of the program.
    let place = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
    let binary = place.path().join("other-process");
    std::fs::copy(env!("CARGO_BIN_EXE_other-process"), &binary).unwrap();
    set_permissions(&binary, Permissions::from_mode(0o755)).unwrap();
    let locked = place.path().join("locked");
    Cache::open(&locked).unwrap().put(1, "value").unwrap();
    for mode in [0o000, 0o500] {
        set_permissions(&locked, Permissions::from_mode(mode)).unwrap();
        for dir in [locked.clone(), locked.join("inside")] {
            if mode == 0o500 && dir == locked && !rustix::process::geteuid().is_root() {
                // The owner may read it, and the index inside is writable: that opens.
                continue;
            }
            let line = unprivileged(&dir, &binary);
            assert!(line.starts_with("Permission: open"), "{mode:o} {line}");
            assert!(line.contains("locked"), "{line}");
        }
    }
    set_permissions(&locked, Permissions::from_mode(0o700)).unwrap();
    assert!(Cache::open(&locked).unwrap().exists(1).unwrap());
}

#[test]
fn limits_under_which_nothing_could_be_stored_are_told_together() {
    let wrong = Cache::builder()
        .metadata("memory:")
        .blobs("memory:")
        .max_size(0)
        .max_entries(0)
        .low_water(101)
        .memory(MemoryConfig::new().staleness(Duration::ZERO))
        .default_ttl(Duration::ZERO);
    let line = wrong.open().unwrap_err().to_string();
    for mistake in
        ["max_size of 0 bytes", "max_entries of 0", "low_water of 101 %", "staleness of zero", "a TTL of zero"]
    {
        assert_eq!(line.matches(mistake).count(), 1, "{mistake} in {line}");
    }
    assert!(!line.contains('\n'), "{line}");
    let wrong = Cache::builder().metadata("memory:").blobs("memory:").max_size("10 XB").low_water(0).open();
    let line = wrong.unwrap_err().to_string();
    assert!(
        line.contains("\"10 XB\" is no size") && line.contains("10 GiB") && line.contains("low_water of 0 %"),
        "{line}"
    );
}

#[test]
fn a_namespace_that_nobody_may_use_is_refused_by_name() {
    let cache = Cache::builder().metadata("memory:").blobs("memory:").open().unwrap();
    for name in ["", "system", "default", "_own", ".hidden", "a/b", "größe", &"x".repeat(65)] {
        let error = cache.namespace(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}");
        assert!(error.to_string().contains("letters, digits"), "{error}");
    }
    cache.namespace(&"x".repeat(64)).unwrap();
}

#[test]
fn an_idle_ttl_of_zero_is_an_error_and_the_old_value_stays() {
    let cache = Cache::builder().metadata("memory:").blobs("memory:").open().unwrap();
    cache.put("key", &1).unwrap();
    let error = cache.put_with("key", &2, PutOptions::new().idle_ttl(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(cache.get("key").unwrap(), Some(1));
}

#[test]
fn after_the_close_every_verb_says_that_the_cache_is_closed() {
    let place = Place::new();
    let cache = Cache::open(place.path()).unwrap();
    cache.put("key", &1).unwrap();
    assert_eq!(cache.get("key").unwrap(), Some(1), "a copy is in memory now");
    cache.close().unwrap();
    cache.close().unwrap();
    let kinds = [
        cache.put("key", &2).map(drop),
        cache.get::<i32>("key").map(drop),
        cache.get_shared::<i32>("key").map(drop),
        cache.get_many::<i32, _>(["key"]).map(drop),
        cache.metadata("key").map(drop),
        cache.invalidate("key").map(drop),
        cache.invalidate_tag("tag"),
        cache.touch("key", None).map(drop),
        cache.copy("key", "other").map(drop),
        cache.stats().map(drop),
        cache.cleanup_expired().map(drop),
        cache.get_or_put("key", || 3).map(drop),
    ]
    .map(|result| result.unwrap_err().kind());
    assert_eq!(kinds, [ErrorKind::Closed; 12]);
}

#[test]
fn a_copy_onto_a_live_entry_is_a_conflict_unless_it_may_overwrite() {
    let cache = Cache::builder().metadata("memory:").blobs("memory:").open().unwrap();
    cache.put("from", &1).unwrap();
    cache.put("to", &2).unwrap();
    for renames in [false, true] {
        let refused = if renames { cache.rename("from", "to") } else { cache.copy("from", "to") }.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.to_string().contains("overwrite"), "{refused}");
    }
    assert_eq!(cache.get("to").unwrap(), Some(2));
    assert!(cache.copy_with("from", "to", CopyOptions::new().overwrite(true)).unwrap());
    assert_eq!((cache.get("from").unwrap(), cache.get("to").unwrap()), (Some(1), Some(1)));
    assert!(cache.rename_with("from", "to", CopyOptions::new().overwrite(true)).unwrap());
    assert!(cache.copy_with("to", "to", CopyOptions::new().overwrite(true)).unwrap(), "onto itself it stays");
    assert_eq!((cache.get::<i32>("from").unwrap(), cache.get("to").unwrap()), (None, Some(1)));
    assert!(!cache.copy_with("from", "to", CopyOptions::new().overwrite(true)).unwrap(), "there is nothing to copy");
}
