//! A user for whom permissions hold.

use rustix::fs::chown;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

fn nobody() -> (Uid, Gid) {
    (Uid::from_raw(65534), Gid::from_raw(65534))
}

/// Runs on a thread that is not root's: permissions do not hold for root.
pub(crate) fn without_privileges<T: Send>(run: impl FnOnce() -> T + Send) -> T {
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

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives a directory and all below it to the user without privileges, with these modes.
pub(crate) fn hand_over(path: &Path, directory_mode: u32, file_mode: u32) {
    if path.is_dir() {
        set_mode(path, 0o700);
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path(), directory_mode, file_mode);
        }
    }
    if geteuid().is_root() {
        let (user, group) = nobody();
        chown(path, Some(user), Some(group)).unwrap();
    }
    set_mode(path, if path.is_dir() { directory_mode } else { file_mode });
}
