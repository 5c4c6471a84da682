//! `kill -9` at any moment: what was acknowledged is there, nothing is torn, and nothing is left.

use cacheness::backends::fs::{FsBlobs, FsConfig};
use cacheness::backends::sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_testkit::Result;
use cacheness_testkit::crash::{self, Pair, Plan};

#[test]
fn killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing() -> Result<()> {
    const NAME: &str = "crash::killed_at_any_moment_a_store_loses_nothing_and_leaves_nothing";
    crash::run(NAME, Plan::default().kills(200), async |directory, context| {
        let index = SqliteMetadata::open(directory.join("index.db"), &context, SqliteConfig::default())?;
        Ok(Pair::new(index, FsBlobs::open(directory.join("blobs"), &context, FsConfig::default())?))
    })
}
