//! Read-only openings by a user who may not write: neither the files nor their directory.

use crate::other_process::{Writer, has_version, put_version};
use crate::{open, open_read_only, place};
use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_storage::{ErrorKind, OpenContext};
use rustix::fs::chown;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn nobody() -> (Uid, Gid) {
    (Uid::from_raw(65534), Gid::from_raw(65534))
}

/// Runs on a thread that is not root's: permissions do not hold for root.
fn without_privileges<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if geteuid().is_root() {
                let (nobody, nogroup) = nobody();
                set_thread_groups(&[]).unwrap();
                set_thread_res_gid(nogroup, nogroup, nogroup).unwrap();
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            run()
        });
        thread.join().unwrap()
    })
}

/// Gives the directory of an index and its files to the user without privileges, with these modes.
fn hand_over(path: &Path, directory_mode: u32, mode: u32) {
    let directory = path.parent().unwrap();
    let files = fs::read_dir(directory).unwrap().map(|entry| (entry.unwrap().path(), mode));
    for (path, mode) in files.chain([(directory.to_owned(), directory_mode)]) {
        if geteuid().is_root() {
            let (user, group) = nobody();
            chown(&path, Some(user), Some(group)).unwrap();
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn an_index_is_read_where_nothing_can_be_written() {
    for (directory_mode, mode) in [(0o500, 0o400), (0o500, 0o600), (0o700, 0o400)] {
        let (_directory, path) = place();
        put_version(&open(&path).unwrap(), 1);
        hand_over(&path, directory_mode, mode);
        let found = without_privileges(|| has_version(&open_read_only(&path).unwrap(), 1));
        assert!(found, "{directory_mode:o} {mode:o}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
        hand_over(&path, 0o700, 0o600);
    }
}

#[test]
fn the_log_of_a_killed_writer_is_read_where_nothing_can_be_written() {
    for (directory_mode, mode) in [(0o500, 0o400), (0o500, 0o600), (0o700, 0o400)] {
        let (_directory, path) = place();
        let mut writer = Writer::start(&path);
        writer.put(1);
        writer.put(2);
        drop(writer);
        hand_over(&path, directory_mode, mode);
        let found = without_privileges(|| has_version(&open_read_only(&path).unwrap(), 2));
        assert!(found, "{directory_mode:o} {mode:o}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 4);
        hand_over(&path, 0o700, 0o600);
    }
}

#[test]
fn a_live_writer_is_followed_where_nothing_can_be_written() {
    for (directory_mode, mode) in [(0o500, 0o400), (0o500, 0o600), (0o700, 0o400)] {
        let (_directory, path) = place();
        let mut writer = Writer::start(&path);
        writer.put(1);
        hand_over(&path, directory_mode, mode);
        without_privileges(|| {
            let index = open_read_only(&path).unwrap();
            for n in 2..2500 {
                writer.put(n);
                assert!(has_version(&index, n), "{n}, {directory_mode:o} {mode:o}");
            }
        });
        hand_over(&path, 0o700, 0o600);
    }
}

#[test]
fn a_log_without_its_shared_memory_is_refused_where_nothing_can_be_written() {
    let (_directory, path) = place();
    let mut writer = Writer::start(&path);
    writer.put(1);
    drop(writer);
    fs::remove_file(path.with_file_name("index.db-shm")).unwrap();
    hand_over(&path, 0o500, 0o400);
    let error = without_privileges(|| open_read_only(&path).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    hand_over(&path, 0o700, 0o600);
}

#[test]
fn an_index_that_cannot_be_read_is_refused_by_name() {
    for (directory_mode, mode) in [(0o500, 0o000), (0o000, 0o600)] {
        let (_directory, path) = place();
        put_version(&open(&path).unwrap(), 1);
        hand_over(&path, directory_mode, mode);
        let error = without_privileges(|| open_read_only(&path).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        assert!(error.to_string().contains("index.db"), "{error}");
        hand_over(&path, 0o700, 0o600);
    }
}

/// A process that opens an index first says so, then fills the shared memory. Who may only read waits in between.
#[test]
fn a_writer_that_is_just_opening_the_index_is_waited_for() {
    let (_directory, path) = place();
    let mut writer = Writer::start(&path);
    writer.put(0);
    let open = &|busy_timeout_ms| {
        let config = SqliteConfig::default().busy_timeout_ms(busy_timeout_ms);
        SqliteMetadata::open(&path, &OpenContext::new().read_only(true), config)
    };
    let mut memory = fs::OpenOptions::new().write(true).open(path.with_file_name("index.db-shm")).unwrap();
    hand_over(&path, 0o500, 0o400);
    let mut opened: Option<SqliteMetadata> = None;
    for n in 1..3 {
        memory.rewind().unwrap();
        memory.write_all(&[0; 32768]).unwrap();
        let (opening, began) = (opened.take(), &AtomicBool::new(false));
        opened = thread::scope(|scope| {
            let read = move || {
                began.store(true, Ordering::SeqCst);
                let index = opening.unwrap_or_else(|| open(60_000).unwrap());
                assert!(has_version(&index, n - 1) || has_version(&index, n));
                index
            };
            let reading = scope.spawn(move || without_privileges(read));
            while !began.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let error = without_privileges(|| open(1).unwrap_err());
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
            writer.put(n);
            Some(reading.join().unwrap())
        });
    }
    hand_over(&path, 0o700, 0o600);
}
