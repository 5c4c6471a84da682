//! The contract of an index, on a file and in memory.

use cacheness_backend_sqlite::{SqliteConfig, SqliteMetadata};
use cacheness_testkit::MetadataSubject;

mod file {
    use super::*;

    fn subject() -> MetadataSubject {
        MetadataSubject::in_directory(|directory, context| async move {
            SqliteMetadata::open(directory.join("index.db"), &context, SqliteConfig::default())
        })
    }

    cacheness_testkit::metadata_suite!(subject());
}

mod memory {
    use super::*;

    fn subject() -> MetadataSubject {
        MetadataSubject::new(
            |context| async move { SqliteMetadata::open(":memory:", &context, SqliteConfig::default()) },
        )
    }

    cacheness_testkit::metadata_suite!(subject());
}
