//! The contract, check by check.

use cacheness_backend_fs::json::{JsonConfig, JsonMetadata};
use cacheness_testkit::MetadataSubject;

fn subject() -> MetadataSubject {
    MetadataSubject::in_directory(async |directory, context| {
        JsonMetadata::open(directory.join("index.jsonl"), &context, JsonConfig::new().max_entries(100_000))
    })
}

cacheness_testkit::metadata_suite!(subject());
