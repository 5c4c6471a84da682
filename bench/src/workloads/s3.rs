//! Blobs in S3 beside the SDK: large ones in parts, and many small ones at once.

use super::{Bar, Workload};
use crate::Result;
use crate::fixtures::Fixtures;
use crate::floors::s3::{Parts, Place, S3};
use crate::numbers::{noise, spread};
use crate::race::{Pace, Race};
use crate::report::Report;
use crate::servers::{self, tasks};
use crate::timing::all;
use bytes::Bytes;
use cacheness::backends::s3::{S3Blobs, S3Config};
use cacheness::core::Secret;
use cacheness::handlers::{Spool, Spooled};
use cacheness::storage::{BlobBackend, BlobId, Body, GetBlob, PutBlob, Staged};
use std::io::Write;
use std::sync::Arc;
use tokio::runtime::Runtime;

pub(super) const ALL: &[Workload] = &[
    Workload {
        name: "s3_64m_put",
        what: "64 MiB of random bytes from memory into S3, in parts of 8 MiB, four at once",
        bars: &[Bar::RateOfFloor(0.9)],
        run: |workload, _, report| large(workload, report, put_large),
    },
    Workload {
        name: "s3_64m_get",
        what: "64 MiB from S3 into a file, in parts of 8 MiB, four at once",
        bars: &[Bar::RateOfFloor(0.9)],
        run: |workload, _, report| large(workload, report, get_large),
    },
    Workload {
        name: "s3_gets_64",
        what: "blobs of 16 KiB by 64 callers at once; times are by blob",
        bars: &[Bar::RateOfFloor(0.9)],
        run: small,
    },
];

const LARGE: usize = 64 << 20;
const SMALL: usize = 16 << 10;
const SMALL_BLOBS: u64 = 256;

/// A bucket for one workload, ours and the floor in it.
struct Bucket {
    runtime: Runtime,
    ours: Arc<S3Blobs>,
    floor: S3,
    parts: Parts,
}

impl Bucket {
    fn open(workload: &Workload, url: &str) -> Result<Self> {
        let (runtime, place, name) = (servers::tokio()?, Place::parse(url)?, servers::name(workload));
        let config = S3Config::new(&name)
            .region("us-east-1")
            .endpoint_url(&place.endpoint)
            .credentials(Secret::new(&place.access), Secret::new(&place.secret));
        let parts = Parts { size: config.part_size, at_once: config.concurrency };
        let floor = runtime.block_on(S3::make(&place, name))?;
        let context = servers::context(&runtime);
        let ours = Arc::new(runtime.block_on(S3Blobs::open(config, &context))?);
        Ok(Self { runtime, ours, floor, parts })
    }

    fn close(self) -> Result {
        self.runtime.block_on(self.floor.remove())
    }
}

fn blob(number: u64) -> BlobId {
    BlobId::from_bytes(u128::from(number + 1).to_be_bytes())
}

fn large(workload: &Workload, report: &mut Report, race: fn(&Bucket, &Workload, &mut Report) -> Result) -> Result {
    let Some(url) = servers::named(servers::S3, workload, report)? else { return Ok(()) };
    let bucket = Bucket::open(workload, &url)?;
    race(&bucket, workload, report)?;
    bucket.close()
}

const LARGE_PACE: Pace = Pace::bulk(1, 15);

fn put_large(bucket: &Bucket, workload: &Workload, report: &mut Report) -> Result {
    let bytes = Bytes::from(noise(LARGE, 3));
    let Bucket { runtime, ours, floor, parts } = bucket;
    // The blob before is deleted outside the time, and numbers of different subjects are different.
    let put = |first: u64, stage: fn(&Bytes) -> Result<Staged>| {
        let (ready, bytes) = (bytes.clone(), bytes.clone());
        all(
            move |calls| {
                let number = first + calls.start;
                runtime.block_on(ours.delete(&[blob(number.wrapping_sub(1)), blob(number)]))?;
                Ok((number, Some(stage(&ready)?)))
            },
            move |(number, staged)| {
                let staged = staged.take().unwrap_or(Staged::Bytes(bytes.clone()));
                Ok(runtime.block_on(ours.put(&blob(*number), staged, PutBlob::default()))?)
            },
        )
    };
    Race::new(LARGE_PACE)
        .ours(put(1 << 20, |bytes| Ok(Staged::Bytes(bytes.clone()))))
        .floor(
            "aws-sdk-s3",
            all(
                |_| runtime.block_on(floor.delete("floor")),
                |()| runtime.block_on(floor.put_in_parts("floor", bytes.clone(), *parts)),
            ),
        )
        .subject("cacheness, from a file", put(1 << 40, staged))
        .run(workload, report)
}

/// The bytes in a file, as a put from a reader stages them.
fn staged(bytes: &Bytes) -> Result<Staged> {
    let mut spool = Spool::new(0, None);
    spool.write_all(bytes)?;
    match spool.finish()? {
        Spooled::File(file) => Ok(Staged::File(file)),
        Spooled::Memory(_) => Err("the bytes are not in a file".into()),
    }
}

fn get_large(bucket: &Bucket, workload: &Workload, report: &mut Report) -> Result {
    let Bucket { runtime, ours, floor, parts } = bucket;
    let bytes = Bytes::from(noise(LARGE, 3));
    runtime.block_on(ours.put(&blob(0), Staged::Bytes(bytes.clone()), PutBlob::default()))?;
    runtime.block_on(floor.put_in_parts("floor", bytes, *parts))?;
    let get = |_: &mut ()| match runtime.block_on(ours.get(&blob(0), GetBlob::default()))?.map(|payload| payload.body) {
        Some(Body::File { file, size }) if size == LARGE as u64 => Ok(file),
        _ => Err("the blob came in another way".into()),
    };
    Race::new(LARGE_PACE)
        .ours(all(|_| Ok(()), get))
        .floor("aws-sdk-s3", all(|_| Ok(()), |()| runtime.block_on(floor.get_in_parts("floor", *parts))))
        .run(workload, report)
}

fn small(workload: &Workload, _: &Fixtures, report: &mut Report) -> Result {
    let Some(url) = servers::named(servers::S3, workload, report)? else { return Ok(()) };
    let bucket = Bucket::open(workload, &url)?;
    let Bucket { runtime, ours, floor, .. } = &bucket;
    let bytes = Bytes::from(noise(SMALL, 4));
    for number in 0..SMALL_BLOBS {
        runtime.block_on(ours.put(&blob(number), Staged::Bytes(bytes.clone()), PutBlob::default()))?;
        runtime.block_on(floor.put(&number.to_string(), bytes.clone()))?;
    }
    let race = |callers: u64, pace: Pace| {
        let (ours, floor) = (ours.clone(), floor.clone());
        let get = move |_, call| {
            let ours = ours.clone();
            async move {
                let found = ours.get(&blob(spread(call, SMALL_BLOBS)), GetBlob::default()).await?;
                match found.map(|payload| payload.body) {
                    Some(Body::Bytes(bytes)) if bytes.len() == SMALL => Ok(bytes),
                    _ => Err("the blob came in another way".into()),
                }
            }
        };
        let get_raw = move |_, call| {
            let floor = floor.clone();
            async move { floor.get(&spread(call, SMALL_BLOBS).to_string()).await }
        };
        Race::new(pace).ours(tasks(runtime, callers, get)).floor("aws-sdk-s3", tasks(runtime, callers, get_raw))
    };
    let one = Workload { name: "s3_gets_1", what: workload.what, bars: &[], run: workload.run };
    let alone = race(1, Pace::bulk(64, 20)).run_for_rows(&one, report)?;
    let together = race(64, Pace::bulk(1280, 20)).run_for_rows(workload, report)?;
    for (alone, together) in alone.iter().zip(&together) {
        let what = format!("more gets by 64 callers than by one, {}", alone.subject);
        report.figure(workload, &what, alone.median / together.median, "×", None);
    }
    bucket.close()
}
