//! A large value passes in bounded memory, up and down.

use crate::common::{self, blob, noise};
use cacheness_handlers::{Spool, Spooled};
use cacheness_storage::{BlobBackend, Body, GetBlob, PutBlob, Staged};
use std::io::{Read, Write};

const MIB: usize = 1 << 20;

/// So many MiB, 1024 on demand.
fn mebibytes() -> u32 {
    std::env::var("CACHENESS_LARGE_MIB").map_or(256, |text| text.parse().unwrap())
}

/// The block of a number: one of noise with the number at its beginning.
fn block(noise: &[u8], number: u32) -> Vec<u8> {
    let mut block = noise.to_vec();
    block[..4].copy_from_slice(&number.to_le_bytes());
    block
}

/// The most memory that this process had at once, in MiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[test]
fn a_large_value_goes_in_and_out_in_bounded_memory() {
    common::run(async {
        let noise = noise(MIB);
        let mut spool = Spool::new(0, None);
        for number in 0..mebibytes() {
            spool.write_all(&block(&noise, number)).unwrap();
        }
        let Spooled::File(file) = spool.finish().unwrap() else { panic!("it is in a file") };
        let (store, _) = common::store().await;
        let before = peak();
        store.put(&blob(1), Staged::File(file), PutBlob::default()).await.unwrap();
        let after_put = peak();
        let payload = store.get(&blob(1), GetBlob::default()).await.unwrap().unwrap();
        let Body::File { mut file, size } = payload.body else { panic!("it is in a file") };
        assert_eq!(size, u64::from(mebibytes()) * MIB as u64);
        let mut found = vec![0; MIB];
        for number in 0..mebibytes() {
            file.read_exact(&mut found).unwrap();
            assert!(found == block(&noise, number), "block {number}");
        }
        store.delete(&[blob(1)]).await.unwrap();
        println!("{before} MiB before, {after_put} after the put, {} after the get", peak());
        // A process that runs other tests beside this one cannot tell.
        if std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test") {
            assert!(peak() < 150, "{after_put} MiB after the put, {} after the get", peak());
        }
    });
}
