//! `kill -9` at any moment, beside blobs in a directory.

use cacheness_backend_fs::json::{JsonConfig, JsonMetadata};
use cacheness_backend_fs::{FsBlobs, FsConfig};
use cacheness_core::Result;
use cacheness_testkit::crash::{self, Pair, Plan};

#[test]
fn killed_at_any_moment_an_index_loses_nothing_and_leaves_nothing() -> Result<()> {
    const NAME: &str = "crash::killed_at_any_moment_an_index_loses_nothing_and_leaves_nothing";
    crash::run(NAME, Plan::default().kills(60), async |directory, context| {
        let index = JsonMetadata::open(directory.join("index.jsonl"), &context, JsonConfig::new())?;
        Ok(Pair::new(index, FsBlobs::open(directory.join("blobs"), &context, FsConfig::new())?))
    })
}
