//! The content of files and directories in keys.

use super::{Scratch, content, of};
use crate::key::content::{unchanged, unreadable};
use crate::key::{Prepared, canonical_bytes, file, hash_content, prepare};
use crate::{ErrorKind, FileContent, Key, key, unordered};
use cacheness_core::Error;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn refused(path: impl AsRef<Path>) -> Error {
    Key::of(file(path)).unwrap_err()
}

#[test]
fn only_the_content_of_a_file_counts() {
    let scratch = Scratch::new();
    let one = scratch.write("a/one.csv", "same");
    let copy = scratch.write("b/copy.txt", "same");
    let other = scratch.write("a/other.csv", "Same");
    assert_eq!(content(&one), content(&copy));
    assert_eq!(content(&one), content(scratch.path("b/../a/./one.csv")));
    assert_ne!(content(&one), content(&other));
    fs::write(&one, "other").unwrap();
    assert_ne!(content(&one), content(&copy));
}

#[test]
fn a_file_is_not_its_text_nor_its_path_nor_its_bytes() {
    let scratch = Scratch::new();
    let path = scratch.write("one", "text");
    let digest = *blake3::hash(b"text").as_bytes();
    for other in [of("text"), of(&path), of(b"text"), of(digest), of(super::hex(&digest))] {
        assert_ne!(content(&path), other);
    }
    assert_eq!(canonical_bytes(file(&path)).unwrap(), [&[0x19], digest.as_slice()].concat());
    assert_eq!(Some(hash_content(&file(&path)).unwrap()), content(&path).full_digest());
}

#[test]
fn everything_in_a_directory_counts_and_nothing_around_it() {
    let scratch = Scratch::new();
    for root in ["one", "two/deeper"] {
        scratch.write(&format!("{root}/b.csv"), "b");
        scratch.write(&format!("{root}/inner/a.csv"), "a");
        scratch.directory(&format!("{root}/empty"));
    }
    let (one, two) = (scratch.path("one"), scratch.path("two/deeper"));
    let before = content(&one);
    assert_eq!(before, content(&two));
    let changes: [&dyn Fn(); 6] = [
        &|| fs::write(one.join("inner/a.csv"), "A").unwrap(),
        &|| fs::write(one.join("inner/.hidden"), "").unwrap(),
        &|| fs::rename(one.join("b.csv"), one.join("c.csv")).unwrap(),
        &|| fs::rename(one.join("c.csv"), one.join("inner/c.csv")).unwrap(),
        &|| fs::remove_dir(one.join("empty")).unwrap(),
        &|| fs::write(one.join("empty"), "").unwrap(),
    ];
    let mut seen = vec![before];
    for change in changes {
        change();
        let now = content(&one);
        assert!(!seen.contains(&now));
        seen.push(now);
    }
}

#[test]
fn an_empty_directory_is_no_empty_file() {
    let scratch = Scratch::new();
    assert_ne!(content(scratch.directory("directory")), content(scratch.write("file", "")));
}

#[derive(Serialize)]
struct Job<'j> {
    inputs: Vec<FileContent>,
    name: &'j str,
}

#[test]
fn a_relative_path_starts_at_the_directory_that_is_current_at_the_call() {
    let here = std::env::current_dir().unwrap().join("data.csv");
    assert_eq!(format!("{:?}", file("data.csv")), format!("{:?}", file(here)));
}

/// Every shape that can hold a file, made of the files `a` and `b` of a directory.
fn shapes(dir: &Path) -> Vec<Prepared> {
    let [a, b] = ["a", "b"].map(|name| file(dir.join(name)));
    vec![
        prepare(None, key! { input: &a, model: "x" }).unwrap(),
        prepare(None, key! { model: "x", inner: key! { input: &a, other: Some(&b) } }).unwrap(),
        prepare(None, key! { inputs: [&a, &b] }).unwrap(),
        prepare(None, key! { inputs: unordered([&a, &b]) }).unwrap(),
        prepare(None, key! { inputs: unordered([&b, &a]) }).unwrap(),
        prepare(None, key! { weights: Named(vec![(&a, 1), (&b, 2)]) }).unwrap(),
        prepare(None, &a).unwrap(),
        prepare(None, (&a, 1)).unwrap(),
        prepare(None, Job { inputs: vec![a.clone(), b.clone()], name: "n" }).unwrap(),
        prepare(None, BTreeMap::from([("x", &a)])).unwrap(),
        prepare(None, Err::<(), _>((&a, &b))).unwrap(),
    ]
}

/// A map whose names are files.
struct Named<'f>(Vec<(&'f FileContent, u8)>);

impl Serialize for Named<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// The files are swapped by name, so that what is sorted by path is sorted otherwise by content.
#[test]
fn a_file_is_deferred_wherever_it_stands_and_the_key_is_the_same() {
    let scratch = Scratch::new();
    scratch.write("one/a", "first");
    scratch.write("one/b", "second");
    scratch.write("far/away/a", "first");
    scratch.write("far/away/b", "second");
    scratch.write("late/a", "not yet");
    let keys =
        |shapes: Vec<Prepared>| -> Vec<Key> { shapes.into_iter().map(|shape| shape.resolve().unwrap()).collect() };
    let early = keys(shapes(&scratch.path("one")));
    assert_eq!(early[3], early[4], "what is unordered has no order");
    assert_eq!(early, keys(shapes(&scratch.path("far/away"))));

    // Nothing is read before it is resolved: `late/b` does not even exist at the call.
    let late = shapes(&scratch.path("late"));
    assert!(late.iter().all(|shape| matches!(shape, Prepared::Deferred(..))));
    scratch.write("late/a", "first");
    scratch.write("late/b", "second");
    assert_eq!(early, keys(late));
}

#[test]
fn the_order_of_unordered_files_is_that_of_their_content() {
    let scratch = Scratch::new();
    for number in 0..20 {
        scratch.write(&format!("up/{number:02}"), format!("{number}"));
        scratch.write(&format!("down/{:02}", 19 - number), format!("{number}"));
    }
    let all = |dir: &str| (0..20).map(|number| file(scratch.path(&format!("{dir}/{number:02}")))).collect::<Vec<_>>();
    assert_eq!(of(unordered(all("up"))), of(unordered(all("down"))));
    assert_ne!(of(all("up")), of(all("down")));
    let named = |dir: &str| {
        let files = all(dir);
        let weights = files.iter().enumerate().map(|(at, file)| (file, if dir == "up" { at } else { 19 - at } as u8));
        of(Named(weights.collect()))
    };
    assert_eq!(named("up"), named("down"));
}

#[test]
fn two_names_that_are_files_of_one_content_are_an_error() {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(|name| file(scratch.write(name, "same")));
    assert_eq!(Key::of(Named(vec![(&a, 1), (&b, 2)])).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn parameters_without_files_are_ready_at_once() {
    assert!(matches!(prepare(None, key! { a: 1 }).unwrap(), Prepared::Ready(key) if key == of(key! { a: 1 })));
    let key = of(1);
    assert!(matches!(prepare(None, key).unwrap(), Prepared::Ready(same) if same == key));
}

#[test]
fn a_deferred_key_knows_its_namespace() {
    let scratch = Scratch::new();
    let path = scratch.write("a", "first");
    let team = super::Namespace::new("team").unwrap();
    let deferred = prepare(Some(&team), (file(&path), 1)).unwrap();
    let expected = Key::of_in(Some(&team), (file(&path), 1)).unwrap();
    assert_ne!(expected, of((file(&path), 1)));
    assert_eq!(deferred.resolve().unwrap().full_digest(), expected.full_digest());
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    for missing in ["none.csv", "no\nline"] {
        let error = refused(scratch.path(missing));
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidKey, false));
        let line = error.to_string();
        assert!(line.contains(&missing.replace('\n', "\\n")) && line.contains("check the path"), "{line}");
    }
    assert_eq!(refused("").kind(), ErrorKind::InvalidKey);
    let error = Key::of(key! { model: "x", input: file(scratch.path("none.csv")) }).unwrap_err();
    assert!(error.to_string().contains("none.csv"), "{error}");
}

#[test]
fn what_may_not_be_read_is_an_error_of_permission() {
    let error = unreadable(Path::new("/secret.csv"), IoErrorKind::PermissionDenied.into());
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Permission, false));
    assert!(error.to_string().contains("\"/secret.csv\" cannot be read"), "{error}");
    assert!(error.to_string().contains("make it readable"), "{error}");
}

#[test]
fn what_changes_while_it_is_read_is_a_retryable_error() {
    let scratch = Scratch::new();
    let path = scratch.write("growing", "some");
    let changed = |path: &Path, change: &dyn Fn()| {
        let change = || {
            change();
            Ok(())
        };
        let error = unchanged(path, || fs::metadata(path), change).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidKey, true));
        assert!(error.to_string().contains("changed while it was read"), "{error}");
    };
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let opened = File::options().append(true).open(&path).unwrap();
    opened.set_modified(past).unwrap();
    changed(&path, &|| {
        (&opened).write_all(b" more").unwrap();
        opened.set_modified(past).unwrap();
    });
    changed(&path, &|| opened.set_modified(past + Duration::from_millis(1)).unwrap());
    assert_eq!(unchanged(&path, || opened.metadata(), || Ok(7)).unwrap(), 7);
}

#[test]
fn other_serializers_get_the_digest() {
    let scratch = Scratch::new();
    let path = scratch.write("one", "text");
    let digest = super::hex(blake3::hash(b"text").as_bytes());
    assert_eq!(serde_json::to_value(file(&path)).unwrap(), digest);
    assert!(serde_json::to_value(file(scratch.path("none"))).unwrap_err().to_string().contains("none"));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn symbolic_links_stand_for_what_they_point_to() {
        let scratch = Scratch::new();
        scratch.write("plain/data/a", "a");
        scratch.write("plain/b", "b");
        scratch.write("elsewhere/data/a", "a");
        scratch.write("elsewhere/c", "b");
        let linked = scratch.directory("linked");
        symlink("../elsewhere/data", linked.join("data")).unwrap();
        symlink(scratch.path("elsewhere/c"), linked.join("b")).unwrap();
        assert_eq!(content(scratch.path("plain")), content(&linked));
        symlink(&linked, scratch.path("link")).unwrap();
        assert_eq!(content(scratch.path("link")), content(&linked));

        symlink("nowhere", linked.join("dangling")).unwrap();
        let error = refused(&linked);
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.to_string().contains("dangling"), "{error}");
    }

    #[test]
    fn a_cycle_of_links_is_an_error() {
        let scratch = Scratch::new();
        let inner = scratch.directory("a/b/c");
        let link = inner.join("up");
        for target in ["../..", "..", ".", "../../.."] {
            symlink(target, &link).unwrap();
            let error = refused(scratch.path("a"));
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidKey, false), "{target}");
            assert!(error.to_string().contains("a directory that it lies in"), "{error}");
            fs::remove_file(&link).unwrap();
        }
        symlink("up", &link).unwrap();
        assert_eq!(refused(scratch.path("a")).kind(), ErrorKind::InvalidKey);
    }

    /// Each directory is reached in twice as many ways as the one before.
    #[test]
    fn links_that_fan_out_are_followed_once() {
        let scratch = Scratch::new();
        for level in 0..60 {
            let directory = scratch.directory(&format!("{level}"));
            for name in ["left", "right"] {
                symlink(format!("../{}", level + 1), directory.join(name)).unwrap();
            }
        }
        scratch.write("60/last", "x");
        let before = content(scratch.path("0"));
        scratch.write("60/last", "y");
        assert_ne!(content(scratch.path("0")), before);
    }

    #[test]
    fn directories_too_deep_inside_each_other_are_an_error() {
        let scratch = Scratch::new();
        let levels = |count: usize| format!("d{count}/{}", vec!["x"; count - 1].join("/"));
        scratch.directory(&levels(128));
        scratch.directory(&levels(129));
        content(scratch.path("d128"));
        let error = refused(scratch.path("d129"));
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
        assert!(error.to_string().contains("128 directories"), "{error}");
    }

    #[test]
    fn pipes_sockets_and_devices_are_refused_and_never_opened() {
        let scratch = Scratch::new();
        let directory = scratch.directory("with");
        let pipe = directory.join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = scratch.path("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for special in [directory.as_path(), &pipe, &socket, Path::new("/dev/zero")] {
            let error = refused(special);
            assert_eq!(error.kind(), ErrorKind::InvalidKey);
            assert!(error.to_string().contains("neither a file nor a directory"), "{error}");
        }
    }

    #[test]
    fn names_need_not_be_unicode() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let scratch = Scratch::new();
        let path = scratch.directory("dir").join(OsStr::from_bytes(b"\xff\xfe"));
        if fs::write(&path, "odd").is_err() {
            return; // Some file systems take only Unicode.
        }
        assert_eq!(content(&path), content(scratch.write("even", "odd")));
        let before = content(scratch.path("dir"));
        fs::rename(&path, path.with_file_name(OsStr::from_bytes(b"\xff\xfd"))).unwrap();
        assert_ne!(content(scratch.path("dir")), before);
    }

    #[test]
    fn a_directory_that_changes_while_it_is_read_is_a_retryable_error() {
        let scratch = Scratch::new();
        let directory = scratch.directory("dir");
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::open(&directory).unwrap().set_modified(past).unwrap();
        let read = || Ok(scratch.write("dir/new", ""));
        assert!(unchanged(&directory, || fs::metadata(&directory), read).unwrap_err().is_retryable());
    }
}
