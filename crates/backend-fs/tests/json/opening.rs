//! Registering, opening, read-only, and what becomes of an index whose file is taken away.

use super::*;
use cacheness_storage::{BackendRegistry, BackendUrl, Coherence, Durability, Locality, Reclaim, ReclaimOrder};
use cacheness_testkit::records::sample;

fn url(path: &Path, options: &str) -> BackendUrl {
    format!("json:{}{options}", path.display()).parse().unwrap()
}

#[test]
fn a_url_names_the_file_and_its_options() {
    let (home, path) = place();
    let mut registry = BackendRegistry::empty();
    cacheness_backend_fs::json::register(&mut registry).unwrap();
    assert_eq!(cacheness_backend_fs::json::register(&mut registry).unwrap_err().kind(), ErrorKind::AlreadyRegistered);
    for wrong in [
        url(&path, "?max_entry=5"),
        url(&path, "?max_entries=0"),
        url(&path, "?max_entries=1000001"),
        url(&path, "?max_entries=many"),
        "json:".parse().unwrap(),
        "json://host/index.jsonl".parse().unwrap(),
    ] {
        assert_eq!(registry.check_metadata(&wrong).unwrap_err().kind(), ErrorKind::Config, "{wrong}");
        assert_eq!(block_on(registry.open_metadata(&wrong, &context())).unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(names(home.path()), [""; 0]);
    let index = block_on(registry.open_metadata(&url(&path, "?max_entries=1"), &context())).unwrap();
    assert_eq!(index.to_string(), format!("json:{}", path.display()));
    let info = index.info();
    assert_eq!((&*info.name, info.locality, info.blocking), ("json", Locality::Host, true));
    assert_eq!((info.capabilities.full_durability, info.capabilities.read_only), (cfg!(unix), true));
    assert_eq!(index.coherence(), Coherence::Probe);
    let error = block_on(index.commit(vec![put(sample("a")), put(sample("b"))], OnUnmet::Abort)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfSpace);
}

#[test]
fn a_missing_or_empty_file_becomes_an_index_for_its_owner_only() {
    let (home, path) = place();
    fs::write(&path, "").unwrap();
    let deep = home.path().join("not/yet/index.jsonl");
    for path in [&path, &deep] {
        for durability in [Durability::Process, Durability::Full] {
            let index = JsonMetadata::open(path, &context().durability(durability), JsonConfig::new()).unwrap();
            commit(&index, put(sample("a")));
            assert_eq!(keys(&index), ["a"]);
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&deep), 0o600);
        assert_eq!(mode(&deep.with_file_name("index.jsonl-lock")), 0o600);
        assert_eq!(mode(deep.parent().unwrap()), 0o700);
    }
    assert_eq!(refusal(home.path()), ErrorKind::Config);
    assert_eq!(names(&home.path().join("not/yet")), ["index.jsonl", "index.jsonl-lock"]);
}

#[test]
fn what_a_process_left_that_was_killed_while_it_compacted_is_removed() {
    let (home, path) = place();
    commit(&open(&path), put(sample("a")));
    fs::write(home.path().join("index.jsonl-new"), "{\"format\":\"cache").unwrap();
    assert_eq!(keys(&open(&path)), ["a"]);
    assert_eq!(names(home.path()), ["index.jsonl", "index.jsonl-lock"]);
}

#[cfg(unix)]
#[test]
fn compaction_keeps_links_and_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (home, path) = place();
    drop(open(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    let link = home.path().join("link");
    symlink(&path, &link).unwrap();
    let index = open(&link);
    for _ in 0..300 {
        commit(&index, put(sample("a")));
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(keys(&open(&path)), ["a"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(names(home.path()), ["index.jsonl", "index.jsonl-lock", "link"]);
}

#[test]
fn a_read_only_opening_makes_and_changes_nothing() {
    let (home, path) = place();
    let read_only = || JsonMetadata::open(&path, &context().read_only(true), JsonConfig::new());
    assert_eq!(read_only().unwrap_err().kind(), ErrorKind::Config);
    fs::write(&path, "").unwrap();
    assert_eq!(read_only().unwrap_err().kind(), ErrorKind::Config);
    commit(&open(&path), put(sample("a")));
    for has_lock in [true, false] {
        if !has_lock {
            fs::remove_file(home.path().join("index.jsonl-lock")).unwrap();
        }
        let torn = [&fs::read(&path).unwrap()[..], b"{\"at\":17"].concat();
        fs::write(&path, &torn).unwrap();
        let before = (names(home.path()), fs::metadata(&path).unwrap().modified().unwrap());
        let index = read_only().unwrap();
        assert_eq!(keys(&index), ["a"]);
        assert_eq!(try_commit(&index, remove("a")).unwrap_err().kind(), ErrorKind::ReadOnly);
        let plan = Reclaim::Entries {
            filter: cacheness_storage::Filter::All,
            order: ReclaimOrder::Key,
            limit: 1,
            until_bytes: None,
            until_entries: None,
        };
        assert_eq!(block_on(index.reclaim(&plan)).unwrap_err().kind(), ErrorKind::ReadOnly);
        block_on(index.close()).unwrap();
        assert_eq!((names(home.path()), fs::metadata(&path).unwrap().modified().unwrap()), before);
        assert_eq!(fs::read(&path).unwrap(), torn);
        commit(&open(&path), put(sample("a")));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_index_is_read_where_nothing_can_be_written() {
    let home = tempfile::tempdir().unwrap();
    user::set_mode(home.path(), 0o755);
    let directory = home.path().join("store");
    let path = directory.join("index.jsonl");
    commit(&open(&path), put(sample("a")));
    user::hand_over(&directory, 0o500, 0o400);
    user::without_privileges(|| {
        assert_eq!(refusal(&path), ErrorKind::Permission);
        let index = JsonMetadata::open(&path, &context().read_only(true), JsonConfig::new()).unwrap();
        assert_eq!(keys(&index), ["a"]);
    });
    user::hand_over(&directory, 0o700, 0o600);
}

#[test]
fn an_index_whose_directory_was_removed_says_so_and_closes() {
    let home = tempfile::tempdir().unwrap();
    let (directory, elsewhere) = (home.path().join("store"), home.path().join("elsewhere"));
    let path = directory.join("index.jsonl");
    let index = open(&path);
    commit(&index, put(sample("a")));
    fs::rename(&directory, &elsewhere).unwrap();
    for _ in 0..2 {
        let errors = [
            try_find(&index, "a").unwrap_err(),
            try_commit(&index, put(sample("b"))).unwrap_err(),
            block_on(index.stats()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Metadata);
            assert!(!error.is_retryable());
            assert!(error.to_string().contains("is gone"), "{error}");
        }
    }
    assert!(!directory.exists());
    fs::rename(&elsewhere, &directory).unwrap();
    commit(&index, put(sample("b")));
    assert_eq!(keys(&index), ["a", "b"]);
    fs::remove_dir_all(&directory).unwrap();
    assert!(try_find(&index, "a").is_err());
    block_on(index.close()).unwrap();
    block_on(index.close()).unwrap();
    assert_eq!(keys(&open(&path)), [""; 0]);
}
