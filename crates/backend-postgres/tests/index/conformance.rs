//! The contract of an index, by a server.

use crate::common::{OnTokio, Schema, TOKIO};
use cacheness_backend_postgres::PostgresMetadata;
use cacheness_testkit::MetadataSubject;
use std::sync::Arc;

fn subject_with(options: &'static str) -> MetadataSubject {
    let schema = Schema::new();
    let open = move |context: cacheness_storage::OpenContext| {
        let url = schema.url(options);
        async move { PostgresMetadata::open(&url, &context.runtime(Arc::new(OnTokio))).await }
    };
    MetadataSubject::new(open).runner(|task| TOKIO.block_on(task))
}

mod probing {
    use super::*;

    fn subject() -> MetadataSubject {
        subject_with("")
    }

    cacheness_testkit::metadata_suite!(subject());
}

mod listening {
    use super::*;

    fn subject() -> MetadataSubject {
        subject_with("&coherence=notify&table_prefix=Other_&pool_size=3")
    }

    cacheness_testkit::metadata_suite!(subject());
}
