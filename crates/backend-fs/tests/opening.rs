//! What opening makes, what it refuses and what it says then; and what closing ends.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use cacheness_backend_fs::{FsBlobs, FsConfig, register};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    BackendRegistry, BlobBackend, Body, Durability, Error, ErrorKind, GetBlob, Locality, OpenContext, Result,
};
use common::*;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

#[test]
fn a_missing_directory_is_made_with_its_parents() {
    let home = tempfile::tempdir().unwrap();
    for (name, durability) in [("process", Durability::Process), ("full", Durability::Full)] {
        let path = home.path().join(name).join("deep/er");
        let context = OpenContext::new().durability(durability);
        let blobs = FsBlobs::open(&path, &context, FsConfig::new()).unwrap();
        assert_eq!(files(&path), [Path::new("layout")]);
        assert_eq!(blobs.staging(), Some(&*path.join("staging")));
        assert!(path.join("staging").is_dir());
    }
}

#[test]
fn an_existing_empty_directory_is_taken() {
    let home = tempfile::tempdir().unwrap();
    open(home.path());
}

#[test]
fn a_first_opening_that_was_killed_can_be_repeated() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("staging")).unwrap();
    fs::write(home.path().join("staging/cacheness-layout-x"), b"cachene").unwrap();
    put(&open(home.path()), id("ab"), b"x").unwrap();
}

#[test]
fn first_openings_at_once_make_one_store() {
    for round in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("parent/store");
        let start = Barrier::new(8);
        let opened: Vec<Result<FsBlobs>> = thread::scope(|scope| {
            let openings: Vec<_> = (0..8)
                .map(|n| {
                    let (path, start) = (&path, &start);
                    scope.spawn(move || {
                        start.wait();
                        // In odd rounds they do not agree.
                        let blobs = open_with(path, FsConfig::new().shard_chars(2 + n % 2 * (round % 2)))?;
                        put(&blobs, ids(8)[usize::from(n)], &[n])?;
                        Ok(blobs)
                    })
                })
                .collect();
            openings.into_iter().map(|opening| opening.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = opened.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), if round % 2 == 0 { 8 } else { 4 });
        assert!(losers.into_iter().all(|loser| loser.is_err_and(|error| error.kind() == ErrorKind::Config)));
        let blobs = winners.into_iter().next().unwrap().unwrap();
        assert_eq!(list(&blobs).len(), if round % 2 == 0 { 8 } else { 4 });
        assert_eq!(fs::read_dir(path.join("staging")).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused_and_stays_as_it_is() {
    let layouts = ["", "my layout\n", "cacheness-blobs one\nshard_chars 2\n"];
    for (name, text) in [
        ("notes.txt", "theirs"),
        ("staging/notes.txt", "theirs"),
        ("staging", "no directory"),
        ("photos/cacheness-1", "theirs"),
    ]
    .into_iter()
    .chain(layouts.map(|text| ("layout", text)))
    {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let error = open_with(home.path(), FsConfig::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignStore, "{name}: {error}");
        assert_eq!(files(home.path()), [Path::new(name)]);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_directory_of_a_later_version_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("layout"), "cacheness-blobs 2\nshards of another kind\n").unwrap();
    let error = open_with(home.path(), FsConfig::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FormatTooNew);
    assert!(error.to_string().contains("layout 2"), "{error}");
}

#[test]
fn an_overlong_layout_file_is_not_read_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let file = fs::File::create(home.path().join("layout")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(open_with(home.path(), FsConfig::new()).unwrap_err().kind(), ErrorKind::ForeignStore);
}

#[test]
fn a_file_is_no_root() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("file");
    fs::write(&path, b"theirs").unwrap();
    let error = open_with(&path, FsConfig::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let place = path.display();
    assert_eq!(
        error.to_string(),
        format!("open on fs:{place}: {place} is not a directory (give the path of a directory, or a free one)")
    );
}

#[test]
fn more_than_four_shard_chars_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let error = open_with(home.path().join("new"), FsConfig::new().shard_chars(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!home.path().join("new").exists());
}

#[test]
fn a_url_names_the_directory_and_its_options() {
    let home = tempfile::tempdir().unwrap();
    let mut registry = BackendRegistry::empty();
    register(&mut registry).unwrap();
    assert_eq!(register(&mut registry).unwrap_err().kind(), ErrorKind::AlreadyRegistered);
    let open = |rest: &str| {
        let url = format!("fs:{rest}").parse()?;
        block_on(registry.open_blobs(&url, &OpenContext::new()))
    };

    let path = home.path().join("store");
    let place = path.display();
    let blobs = open(&format!("{place}?shard_chars=3&shared=true")).unwrap();
    assert_eq!(blobs.to_string(), format!("fs:{place}"));
    assert_eq!(fs::read_to_string(path.join("layout")).unwrap(), "cacheness-blobs 1\nshard_chars 3\n");
    assert_eq!(blobs.info().locality, Locality::Shared);
    #[cfg(unix)]
    open(&format!("//{place}?shard_chars=3")).unwrap();

    for wrong in ["", "?shard_chars=2", "//host/share"] {
        assert_eq!(open(wrong).unwrap_err().kind(), ErrorKind::Config, "fs:{wrong}");
    }
    for wrong in ["shard_chars=5", "shard_chars=-1", "shard_chars=256", "shared=perhaps", "shard=2"] {
        let error = open(&format!("{}?{wrong}", home.path().join("other").display())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        assert!(!home.path().join("other").exists(), "{wrong}");
    }
}

#[test]
fn it_says_what_it_is() {
    let home = tempfile::tempdir().unwrap();
    let info = open(home.path()).info();
    assert_eq!((&*info.name, info.locality, info.blocking), ("fs", Locality::Host, true));
    assert_eq!(info.capabilities.full_durability, cfg!(unix));
    assert!(!info.capabilities.if_match);
}

#[test]
fn nothing_works_after_close_but_what_was_handed_out() {
    let home = tempfile::tempdir().unwrap();
    let blobs = Arc::new(open(home.path()));
    put(&blobs, id("ab"), &[1; 1_000_000]).unwrap();
    let payload = block_on(blobs.get(&id("ab"), GetBlob::default())).unwrap().unwrap();
    assert!(matches!(payload.body, Body::File { .. }));
    block_on(blobs.close()).unwrap();
    block_on(blobs.close()).unwrap();
    let closed = |error: Error| assert_eq!(error.kind(), ErrorKind::Closed);
    closed(put(&blobs, id("cd"), b"x").unwrap_err());
    closed(block_on(blobs.get(&id("ab"), GetBlob::default())).unwrap_err());
    closed(block_on(blobs.head(&id("ab"))).unwrap_err());
    closed(block_on(blobs.delete(&[id("ab")])).unwrap_err());
    closed(block_on(blobs.list(None, 1)).unwrap_err());
    assert_eq!(contents(payload.body), [1; 1_000_000]);
}

#[cfg(target_os = "linux")]
mod permissions {
    use super::*;
    use common::user::{set_mode, without_privileges};

    #[test]
    fn a_directory_that_cannot_be_read_or_written_is_refused_with_advice() {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o755);
        let made = home.path().join("made");
        drop(open(&made));
        let empty = home.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for mode in [0o000, 0o111, 0o555] {
            for path in [&made, &empty] {
                set_mode(path, mode);
                let error = without_privileges(|| open_with(path, FsConfig::new())).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Permission, "{mode:o} {error}");
                let text = error.to_string();
                assert!(text.contains(&format!("{} could not be opened", path.display())), "{text}");
                assert!(text.ends_with("(run as the owner of the directory, or give another one)"), "{text}");
                set_mode(path, 0o700);
            }
        }
    }

    #[test]
    fn a_missing_directory_below_one_that_cannot_be_written_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let locked = home.path().join("locked");
        fs::create_dir(&locked).unwrap();
        set_mode(home.path(), 0o755);
        set_mode(&locked, 0o555);
        let error = without_privileges(|| open_with(locked.join("store"), FsConfig::new())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(error.to_string().contains("locked/store could not be created"), "{error}");
    }

    #[test]
    fn a_shard_that_cannot_be_written_refuses_the_put() {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o777);
        let (read, written, linked) = without_privileges(|| {
            let blobs = open(home.path().join("store"));
            put(&blobs, id("ab"), b"x").unwrap();
            set_mode(&home.path().join("store/ab"), 0o500);
            let payload = staged(blobs.staging().unwrap(), b"y");
            let read = get(&blobs, id("ab"));
            let written = put(&blobs, id("ab1"), b"y");
            let linked = put_staged(&blobs, id("ab2"), payload, Durability::Process);
            set_mode(&home.path().join("store/ab"), 0o700);
            (read, written, linked)
        });
        assert_eq!(read.as_deref(), Some(&b"x"[..]));
        assert_eq!(written.unwrap_err().kind(), ErrorKind::Permission);
        assert_eq!(linked.unwrap_err().kind(), ErrorKind::Permission);
    }
}
