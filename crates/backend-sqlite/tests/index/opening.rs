//! Which files become or are an index, and which are left alone.

use crate::{commit, open, place, put};
use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata, register};
use cacheness_core::runtime::block_on;
use cacheness_storage::{
    BackendRegistry, BackendUrl, Coherence, Durability, ErrorKind, Locality, MetadataBackend, OpenContext,
};
use cacheness_testkit::records::sample;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use tempfile::TempDir;

/// Asserts that a file is refused, and that neither it nor anything beside it changed.
fn assert_refused_untouched(path: &Path, kind: ErrorKind) {
    let listing = |path: &Path| {
        let entries = fs::read_dir(path.parent().unwrap()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (before, names) = (fs::read(path).unwrap(), listing(path));
    let error = open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains("index.db"), "{error}");
    assert_eq!(fs::read(path).unwrap(), before);
    assert_eq!(listing(path), names);
}

#[cfg(unix)]
#[test]
fn a_new_index_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("new/deep/index.db");
    let _index = open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for suffix in ["", "-wal", "-shm", "-generations"] {
        let name = format!("new/deep/index.db{suffix}");
        assert_eq!(mode(&directory.path().join(&name)), 0o600, "{name}");
    }
    for name in ["new", "new/deep"] {
        assert_eq!(mode(&directory.path().join(name)), 0o700, "{name}");
    }
}

#[test]
fn an_empty_file_becomes_an_index() {
    let (_directory, path) = place();
    fs::write(&path, "").unwrap();
    assert_eq!(block_on(open(&path).unwrap().stats()).unwrap().entries, 0);
}

#[test]
fn a_creation_that_was_killed_is_completed() {
    let (_directory, path) = place();
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
    assert_ne!(fs::metadata(&path).unwrap().len(), 0);
    assert_eq!(block_on(open(&path).unwrap().stats()).unwrap().entries, 0);
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    for length in [1, 15, 99, 511, 512, 513, 1023, 4095, 4096, 4097, 70_000] {
        for content in [b"{\"records\": {} }".as_slice(), b"SQLite format 3\0", &[0], &[0xA5]] {
            let (_directory, path) = place();
            fs::write(&path, content.iter().cycle().take(length).copied().collect::<Vec<_>>()).unwrap();
            assert_refused_untouched(&path, ErrorKind::ForeignStore);
        }
    }
}

#[test]
fn the_database_of_somebody_else_is_left_as_it_is() {
    let (_directory, path) = place();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE records (id)").unwrap();
    assert_refused_untouched(&path, ErrorKind::ForeignStore);

    let (_directory, path) = place();
    Connection::open(&path).unwrap().execute_batch("PRAGMA application_id = 7").unwrap();
    assert_refused_untouched(&path, ErrorKind::ForeignStore);
}

#[test]
fn the_log_of_somebody_elses_database_is_left_as_it_is() {
    let (directory, path) = place();
    let original = directory.path().join("original.db");
    let foreign = Connection::open(&original).unwrap();
    foreign.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);").unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(&original, &path).unwrap();
    fs::copy(log(&original), log(&path)).unwrap();
    let before = (fs::read(&path).unwrap(), fs::read(log(&path)).unwrap());
    assert!(!before.1.is_empty());
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::ForeignStore);
    assert_eq!((fs::read(&path).unwrap(), fs::read(log(&path)).unwrap()), before);
}

#[test]
fn an_index_of_a_later_version_is_refused_with_advice() {
    let (_directory, path) = place();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2; PRAGMA journal_mode = DELETE").unwrap();
    assert_refused_untouched(&path, ErrorKind::FormatTooNew);
    assert!(open(&path).unwrap_err().to_string().contains("update cacheness"));
}

#[test]
fn an_index_that_lost_its_log_mode_gets_it_back() {
    let (_directory, path) = place();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    let index = open(&path).unwrap();
    let mode: String =
        Connection::open(&path).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    drop(index);
}

#[test]
fn a_place_that_holds_no_file_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [directory.path().to_owned(), file.join("index.db"), file.join("deep/index.db"), "/dev/null".into()] {
        let error = open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(open(Path::new("")).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(open(Path::new("nul\0byte.db")).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_path_that_looks_like_a_uri_is_a_path() {
    let directory = TempDir::new().unwrap();
    for name in ["file:index.db?mode=memory", "100%41.db", "größe 🦀.db"] {
        let path = directory.path().join(name);
        let _index = open(&path).unwrap();
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn threads_that_open_a_new_index_at_once_all_succeed() {
    for _ in 0..60 {
        let (_directory, path) = place();
        thread::scope(|scope| {
            let openings: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path))).collect();
            for opening in openings {
                let index = opening.join().unwrap().unwrap();
                assert_eq!(block_on(index.stats()).unwrap().entries, 0);
            }
        });
    }
}

#[test]
fn an_index_is_opened_by_its_url() {
    let (_directory, path) = place();
    let mut registry = BackendRegistry::empty();
    register(&mut registry).unwrap();
    assert_eq!(register(&mut registry).unwrap_err().kind(), ErrorKind::AlreadyRegistered);
    let open = |url: String| block_on(registry.open_metadata(&url.parse::<BackendUrl>().unwrap(), &OpenContext::new()));

    let url = format!("sqlite:{}", path.display());
    let index = open(format!("{url}?readers=2&busy_timeout_ms=100")).unwrap();
    assert_eq!(index.to_string(), url);
    assert_eq!(index.info().locality, Locality::Host);
    assert!(matches!(index.coherence(), Coherence::Generations(_)));
    assert!(index.info().capabilities.full_durability);

    let memory = open("sqlite::memory:".into()).unwrap();
    assert_eq!(memory.info().locality, Locality::Process);
    assert!(matches!(memory.coherence(), Coherence::Generations(_)));
    assert!(!memory.info().capabilities.full_durability);

    for query in ["threads=2", "readers=0", "readers=65", "readers=many", "busy_timeout_ms=0"] {
        let error = open(format!("{url}?{query}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
}

#[test]
fn an_index_opens_with_full_durability_in_new_directories() {
    let directory = TempDir::new().unwrap();
    let context = OpenContext::new().durability(Durability::Full);
    let path = directory.path().join("a/b/index.db");
    let index = SqliteMetadata::open(&path, &context, SqliteConfig::default()).unwrap();
    assert_eq!(block_on(index.stats()).unwrap().entries, 0);
}

#[test]
fn closing_moves_the_log_into_the_file() {
    let (_directory, path) = place();
    let log = path.with_file_name("index.db-wal");
    let (first, last) = (open(&path).unwrap(), open(&path).unwrap());
    commit(&first, vec![put(sample("key"))]).unwrap();
    assert_ne!(fs::metadata(&log).unwrap().len(), 0);
    block_on(first.close()).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    block_on(last.close()).unwrap();
    assert!(!log.exists());
    assert!(!path.with_file_name("index.db-shm").exists());
}
