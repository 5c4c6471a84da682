//! What the index does beyond its contract: damaged records stand in nobody's way, and pages are bounded.

use acme_redb::{RedbConfig, RedbMetadata};
use cacheness_storage::{
    BlobQuery, Change, Condition, Cursor, EntryKey, ErrorKind, Field, Fields, Filter, MetadataBackend, OnUnmet, Query,
    Reclaim, ReclaimOrder, Record, Result,
};
use cacheness_testkit::MetadataSubject;
use cacheness_testkit::records::{NOW, blob, sample};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use std::path::Path;

/// A row as the file holds it.
type Row = (
    &'static [u8; 16],
    (i64, i64, Option<i64>, Option<i64>),
    Option<&'static [u8; 16]>,
    u64,
    &'static [u8],
    Option<&'static str>,
    Vec<&'static str>,
    Option<&'static str>,
    Option<&'static [u8]>,
);
const RECORDS: TableDefinition<&str, Row> = TableDefinition::new("records");
const PAYLOADS: TableDefinition<&str, &[u8]> = TableDefinition::new("payloads");
const USES: TableDefinition<&str, (Option<i64>, u64)> = TableDefinition::new("uses");

/// Takes away the content descriptor of one record and the payload of another.
fn damage(path: &Path, no_descriptor: &str, no_payload: &str) -> Result<(), redb::Error> {
    let transaction = Database::open(path)?.begin_write()?;
    let row = (&[0; 16], (0, 0, None, None), None, 16, [].as_slice(), None, Vec::new(), None, None);
    assert!(transaction.open_table(RECORDS)?.insert(no_descriptor, row)?.is_some());
    assert!(transaction.open_table(PAYLOADS)?.remove(no_payload)?.is_some());
    Ok(transaction.commit()?)
}

/// How many records, payloads and uses there are.
fn rows(path: &Path) -> Result<[u64; 3], redb::Error> {
    let snapshot = Database::open(path)?.begin_read()?;
    let records = snapshot.open_table(RECORDS)?.len()?;
    Ok([records, snapshot.open_table(PAYLOADS)?.len()?, snapshot.open_table(USES)?.len()?])
}

/// Takes away the table of uses.
fn forget_uses(path: &Path) -> Result<(), redb::Error> {
    let transaction = Database::open(path)?.begin_write()?;
    assert!(transaction.delete_table(USES)?);
    Ok(transaction.commit()?)
}

async fn put(index: &dyn MetadataBackend, record: Record) -> Result<()> {
    let change = Change::Put { record: Box::new(record), condition: Condition::Always };
    let outcomes = index.commit(vec![change], OnUnmet::Abort).await?;
    assert!(outcomes[0].is_applied());
    Ok(())
}

fn subject(path: &Path) -> MetadataSubject {
    let path = path.to_owned();
    MetadataSubject::new(move |context| {
        let index = RedbMetadata::open(&path, &context, RedbConfig::default());
        async { index }
    })
}

#[test]
fn a_damaged_record_is_named_spared_and_replaced() -> Result<()> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("store.redb");
    let subject = subject(&path);
    subject.block_on(async {
        let index = subject.open().await?;
        for key in ["a", "b", "c", "d"] {
            put(&*index, sample(key)).await?;
        }
        index.close().await?;
        damage(&path, "b", "c").unwrap();

        let index = subject.open().await?;
        for key in ["b", "c"] {
            let error = index.get(&[key.into()], Fields::ALL).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&format!("{key:?}")), "{error}");
        }
        let page = index.page(&Query::new().fields(Fields::ALL), None).await?;
        assert_eq!(page.records, [sample("a"), sample("d")]);
        assert_eq!(page.unreadable, ["b", "c"].map(EntryKey::new));

        for key in ["b", "c"] {
            put(&*index, sample(key)).await?;
            assert_eq!(index.get(&[key.into()], Fields::ALL).await?, [Some(sample(key))]);
        }
        let plan = Reclaim::Entries {
            filter: Filter::All,
            order: ReclaimOrder::Key,
            limit: 9,
            until_bytes: None,
            until_entries: None,
        };
        assert_eq!(index.reclaim(&plan).await?.keys.len(), 4);
        assert_eq!(index.stats().await?.bytes, 0);
        Ok(())
    })
}

#[test]
fn a_file_from_before_uses_were_told_is_read_and_takes_them() -> Result<()> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("store.redb");
    let subject = subject(&path);
    subject.block_on(async {
        let index = subject.open().await?;
        put(&*index, sample("key")).await?;
        index.close().await?;
        forget_uses(&path).unwrap();

        let index = subject.open().await?;
        assert_eq!(index.get(&["key".into()], Fields::ALL).await?, [Some(sample("key"))]);
        let used = Change::Use { key: "key".into(), at: NOW, hits: 2 };
        assert!(index.commit(vec![used], OnUnmet::Abort).await?[0].is_applied());
        index.close().await?;
        let found = subject.open().await?.get(&["key".into()], Fields::ALL).await?;
        assert_eq!(found[0].as_ref().map(|record| record.usage.hits), Some(2));
        Ok(())
    })
}

#[test]
fn nothing_is_left_of_a_record_that_is_removed() -> Result<()> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("store.redb");
    let subject = subject(&path);
    subject.block_on(async {
        let index = subject.open().await?;
        put(&*index, sample("key")).await?;
        let used = Change::Use { key: "key".into(), at: NOW, hits: 2 };
        let remove = Change::Remove { key: "key".into(), condition: Condition::Always };
        assert!(index.commit(vec![used, remove], OnUnmet::Abort).await?[1].is_applied());
        index.close().await?;
        assert_eq!(rows(&path).unwrap(), [0; 3]);
        Ok(())
    })
}

#[test]
fn a_page_looks_at_so_many_records_only() -> Result<()> {
    let home = tempfile::tempdir()?;
    let subject = subject(&home.path().join("store.redb"));
    subject.block_on(async {
        let index = subject.open().await?;
        let put = |n| Change::Put { record: Box::new(sample(&format!("{n:05}"))), condition: Condition::Always };
        index.commit((0..10_002).map(put).collect(), OnUnmet::Abort).await?;
        let last = Query::new().filter(Filter::eq(Field::Key, "10001")).fields(Fields::LEAST);
        let page = index.page(&last, None).await?;
        assert!(page.records.is_empty());
        assert_eq!(page.next, Some(Cursor::after("09999".into())));
        let page = index.page(&last, page.next).await?;
        assert_eq!((page.records.len(), page.next), (1, None));
        Ok(())
    })
}

#[test]
fn metadata_that_could_not_be_read_back_is_refused() -> Result<()> {
    let home = tempfile::tempdir()?;
    let subject = subject(&home.path().join("store.redb"));
    subject.block_on(async {
        let index = subject.open().await?;
        let mut record = sample("key");
        let nested = (0..200).fold(serde_json::Value::Null, |inner, _| vec![inner].into());
        record.annotations.metadata.insert("nested".into(), nested);
        let put = Change::Put { record: Box::new(record), condition: Condition::Always };
        let error = index.commit(vec![put], OnUnmet::Abort).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Serialization);
        assert_eq!(index.stats().await?.entries, 0);
        Ok(())
    })
}

#[test]
fn condemned_blobs_behind_the_end_are_none() -> Result<()> {
    let home = tempfile::tempdir()?;
    let subject = subject(&home.path().join("store.redb"));
    subject.block_on(async {
        let index = subject.open().await?;
        index.commit(vec![Change::Condemn { blob: blob(1) }], OnUnmet::Abort).await?;
        let after = Some((NOW.offset(1), blob(1)));
        assert_eq!(index.blobs(&BlobQuery::Condemned { until: NOW, after, limit: 9 }).await?, []);
        Ok(())
    })
}
