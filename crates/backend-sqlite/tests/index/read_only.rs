//! Read-only openings: what they leave as it is, what they refuse, and what they see of others.

use crate::other_process::{KEY, Writer, has_version, put_version};
use crate::{commit, open, open_read_only, place, put};
use cacheness_backend_sqlite::SqliteMetadata;
use cacheness_core::runtime::block_on;
use cacheness_storage::{EntryKey, ErrorKind, Fields, Filter, MetadataBackend, OnUnmet, Query, Reclaim, ReclaimOrder};
use cacheness_testkit::records::sample;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempDir;

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// What lies in a directory: names, contents and times. Of memory that processes share, the name.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Option<(Vec<u8>, SystemTime)>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let is_lasting = path.is_file() && !path.to_str().unwrap().ends_with("-shm");
            let facts =
                is_lasting.then(|| (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()));
            (path, facts)
        })
        .collect()
}

/// Reads all there is, tries to change it, and closes.
fn use_and_close(index: SqliteMetadata) {
    assert_eq!(block_on(index.page(&Query::new(), None)).unwrap().records.len(), 1);
    assert_eq!(block_on(index.stats()).unwrap().entries, 1);
    let refused = commit(&index, vec![put(sample("new"))]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    let line = refused.to_string();
    assert!(line.contains("index.db: the index was opened read-only"), "{line}");
    assert!(line.ends_with("(open it without read_only)"), "{line}");
    let plan = Reclaim::Entries {
        filter: Filter::All,
        order: ReclaimOrder::Key,
        limit: 9,
        until_bytes: None,
        until_entries: None,
    };
    assert_eq!(block_on(index.reclaim(&plan)).unwrap_err().kind(), ErrorKind::ReadOnly);
    block_on(index.close()).unwrap();
}

#[test]
fn a_read_only_opening_leaves_every_file_as_it_is() {
    // Closed in order.
    let (directory, path) = place();
    let index = open(&path).unwrap();
    put_version(&index, 1);
    drop(index);
    let before = contents(directory.path());
    assert_eq!(before.len(), 2, "the index and its generations: {:?}", before.keys());
    use_and_close(open_read_only(&path).unwrap());
    assert_eq!(contents(directory.path()), before);

    // Open in another process, and after that was killed.
    let mut writer = Writer::start(&path);
    writer.put(2);
    let before = contents(directory.path());
    assert_eq!(before.len(), 4);
    use_and_close(open_read_only(&path).unwrap());
    assert_eq!(contents(directory.path()), before);
    drop(writer);
    let index = open_read_only(&path).unwrap();
    assert!(has_version(&index, 2), "what a killed writer committed is read");
    use_and_close(index);
    assert_eq!(contents(directory.path()), before);

    // Open in this process.
    let writer = open(&path).unwrap();
    put_version(&writer, 3);
    let before = contents(directory.path());
    use_and_close(open_read_only(&path).unwrap());
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn a_place_without_an_index_stays_as_it_is() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("empty.db"), "").unwrap();
    fs::write(home.path().join("diary.db"), "dear diary, ".repeat(1000)).unwrap();
    Connection::open(home.path().join("other.db")).unwrap().execute_batch("CREATE TABLE records (id)").unwrap();
    fs::create_dir(home.path().join("directory.db")).unwrap();
    let before = contents(home.path());
    for (name, kind) in [
        ("missing.db", ErrorKind::Config),
        ("missing/index.db", ErrorKind::Config),
        ("empty.db", ErrorKind::Config),
        ("directory.db", ErrorKind::Config),
        ("empty.db/index.db", ErrorKind::Config),
        ("diary.db", ErrorKind::ForeignStore),
        ("other.db", ErrorKind::ForeignStore),
    ] {
        let error = open_read_only(&home.path().join(name)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let line = error.to_string();
        assert!(line.starts_with("open on sqlite:") && line.contains(name) && !line.contains('\n'), "{line}");
        assert_eq!(contents(home.path()), before, "{name}");
    }
    let error = open_read_only(Path::new(":memory:")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("in memory"), "{error}");
    drop(open(&home.path().join("missing.db")).unwrap());
}

#[test]
fn a_log_that_only_a_writer_can_take_in_is_refused_with_advice() {
    let log: fn(&Path) = |path| {
        let mut writer = Writer::start(path);
        writer.put(1);
        drop(writer);
        fs::remove_file(beside(path, "-shm")).unwrap();
    };
    let journal: fn(&Path) = |path| {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "PERSIST").unwrap();
        connection.execute_batch("BEGIN IMMEDIATE; UPDATE totals SET entries = 0; ROLLBACK; VACUUM").unwrap();
        drop(connection);
        fs::write(beside(path, "-journal"), [1; 512]).unwrap();
    };
    for (unfinished, version) in [(log, 1), (journal, 0)] {
        let (directory, path) = place();
        put_version(&open(&path).unwrap(), 0);
        unfinished(&path);
        let before = contents(directory.path());
        let error = open_read_only(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        let line = error.to_string();
        assert!(line.ends_with("(open it for writing once, which moves the log)"), "{line}");
        assert_eq!(contents(directory.path()), before);
        drop(open(&path).unwrap());
        assert!(has_version(&open_read_only(&path).unwrap(), version));
    }
}

#[test]
fn a_read_only_opening_sees_writers_of_other_processes_come_and_go() {
    let (_directory, path) = place();
    put_version(&open(&path).unwrap(), 0);
    let early = open_read_only(&path).unwrap();
    assert!(has_version(&early, 0));
    let mut n = 0;
    for _ in 0..3 {
        let mut writer = Writer::start(&path);
        let late = open_read_only(&path).unwrap();
        for _ in 0..3 {
            n += 1;
            writer.put(n);
            assert!(has_version(&early, n) && has_version(&late, n) && has_version(&open_read_only(&path).unwrap(), n));
            if n % 2 == 0 {
                writer.close();
                assert!(has_version(&early, n) && has_version(&open_read_only(&path).unwrap(), n));
            }
        }
        drop(writer);
        assert!(has_version(&early, n) && has_version(&open_read_only(&path).unwrap(), n));
    }
}

#[test]
fn what_changed_between_two_reads_without_a_trace_of_a_writer_is_seen() {
    let (directory, path) = place();
    put_version(&open(&path).unwrap(), 0);
    let index = open_read_only(&path).unwrap();
    for n in 1..20 {
        assert!(has_version(&index, n - 1));
        let mut writer = Writer::start(&path);
        writer.put(n);
        writer.close();
        assert_eq!(contents(directory.path()).len(), 2);
        assert!(has_version(&index, n));
    }
}

#[test]
fn a_reader_finds_its_way_while_a_writer_opens_and_closes() {
    let (_directory, path) = place();
    put_version(&open(&path).unwrap(), 0);
    let mut writer = Writer::start(&path);
    let done = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..300 {
                writer.put(n);
                if n % 3 > 0 {
                    writer.close();
                }
                done.store(n, std::sync::atomic::Ordering::SeqCst);
            }
            done.store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
        });
        let mut openings = 0;
        while done.load(std::sync::atomic::Ordering::SeqCst) < u64::MAX {
            let index = open_read_only(&path).unwrap();
            for _ in 0..20 {
                let least = done.load(std::sync::atomic::Ordering::SeqCst);
                let found = block_on(index.get(&[EntryKey::new(KEY)], Fields::LEAST)).unwrap();
                let found = found[0].as_ref().unwrap().version;
                assert!(least == u64::MAX || found >= cacheness_testkit::records::version(least), "{found} < {least}");
            }
            openings += 1;
        }
        assert!(openings > 3);
    });
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_leads_to_the_log_beside_the_index() {
    let (_directory, path) = place();
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let writer = open(&path).unwrap();
    put_version(&writer, 1);
    let index = open_read_only(&link).unwrap();
    assert!(has_version(&index, 1));
    put_version(&writer, 2);
    assert!(has_version(&index, 2));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn any_path_is_opened_read_only() {
    let directory = TempDir::new().unwrap();
    for name in ["file:index.db?mode=memory", "100%41.db", "größe 🦀.db", "a?b#c&d=e.db", "line\nbreak\\.db"] {
        let path = directory.path().join(name);
        put_version(&open(&path).unwrap(), 1);
        let index = open_read_only(&path).unwrap();
        assert!(has_version(&index, 1), "{name}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2 * 5);
}

#[test]
fn a_read_only_opening_ends_with_its_close() {
    let (_directory, path) = place();
    put_version(&open(&path).unwrap(), 1);
    let index = open_read_only(&path).unwrap();
    block_on(index.close()).unwrap();
    block_on(index.close()).unwrap();
    assert_eq!(block_on(index.stats()).unwrap_err().kind(), ErrorKind::Closed);
    let error = block_on(index.commit(vec![put(sample("new"))], OnUnmet::Skip)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
