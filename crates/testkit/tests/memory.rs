//! The suites over the backends in memory, which are the measure for all others.

mod metadata {
    use cacheness_storage::memory::MemoryMetadata;
    use cacheness_testkit::{MetadataSubject, metadata_suite};

    metadata_suite!(MetadataSubject::new(|context| async move { Ok(MemoryMetadata::new(&context)) }));
}

mod blobs {
    use cacheness_storage::memory::MemoryBlobs;
    use cacheness_testkit::{BlobSubject, blob_suite};

    blob_suite!(BlobSubject::new(|context| async move { Ok(MemoryBlobs::new(&context)) }));
}

mod only_in_memory {
    use cacheness_core::runtime::block_on;
    use cacheness_storage::memory::{self, MemoryMetadata};
    use cacheness_storage::{
        BackendRegistry, BackendUrl, Change, Condition, Cursor, EntryKey, ErrorKind, Filter, MetadataBackend, OnUnmet,
        OpenContext, Query,
    };
    use cacheness_testkit::records::sample;

    #[test]
    fn a_memory_url_names_no_place_and_sets_nothing() {
        let mut registry = BackendRegistry::empty();
        memory::register(&mut registry).unwrap();
        let context = OpenContext::new();
        for (text, expected) in
            [("memory:", None), ("memory:place", Some(ErrorKind::Config)), ("memory:?a=b", Some(ErrorKind::Config))]
        {
            let url: BackendUrl = text.parse().unwrap();
            let metadata = block_on(registry.open_metadata(&url, &context)).err().map(|error| error.kind());
            let blobs = block_on(registry.open_blobs(&url, &context)).err().map(|error| error.kind());
            assert_eq!([metadata, blobs], [expected, expected], "{text}");
        }
    }

    #[test]
    fn a_page_looks_at_so_many_records_and_leaves_the_rest_to_the_next() {
        let store = MemoryMetadata::new(&OpenContext::new());
        let put = |n| Change::Put { record: Box::new(sample(&format!("key {n:05}"))), condition: Condition::Always };
        block_on(store.commit((0..10_001).map(put).collect(), OnUnmet::Abort)).unwrap();
        let nothing = Query::new().filter(!Filter::All);
        let first = block_on(store.page(&nothing, None)).unwrap();
        assert_eq!((first.records, first.next.clone()), (vec![], Some(Cursor::after(EntryKey::new("key 09999")))));
        let second = block_on(store.page(&nothing, first.next)).unwrap();
        assert_eq!((second.records, second.next), (vec![], None));
    }
}
