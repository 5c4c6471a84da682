//! `kill -9` at any moment: what was acknowledged is there, nothing is torn, and nothing is left.
#![cfg(unix)]

use acme_redb::{RedbBlobs, RedbConfig, RedbMetadata};
use cacheness_testkit::Error;
use cacheness_testkit::crash::{self, Pair, Plan};

#[test]
fn killed_at_any_moment_a_file_loses_nothing_and_leaves_nothing() -> Result<(), Error> {
    const NAME: &str = "killed_at_any_moment_a_file_loses_nothing_and_leaves_nothing";
    crash::run(NAME, Plan::default().kills(30).alone(), async |directory, context| {
        let file = directory.join("store.redb");
        let index = RedbMetadata::open(&file, &context, RedbConfig::default())?;
        Ok(Pair::new(index, RedbBlobs::open(&file, &context, RedbConfig::default())?))
    })
}
