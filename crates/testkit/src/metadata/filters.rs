//! Filters mean the same everywhere: what [`Filter::matches`] says.

use super::population::{composed, filters, population};
use super::steps::{Store, applied, pages, patch_if, put_all, reclaim, unmet};
use crate::records::{NOW, sample, version};
use crate::{MetadataSubject, Result, SeededRng};
use cacheness_core::ErrorKind;
use cacheness_storage::{
    Condition, Cursor, EntryKey, Field, Fields, Filter, MAX_FILTER_DEPTH, OnUnmet, Patch, Query, Reclaim, ReclaimOrder,
    Record,
};

pub(super) async fn every_comparison_of_every_field_means_the_same(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let records = population();
    put_all(&*store, records.clone()).await?;
    for filter in filters() {
        agrees(&*store, &records, &filter).await?;
        agrees(&*store, &records, &!filter).await?;
    }
    Ok(())
}

pub(super) async fn composed_filters_mean_the_same(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let records = population();
    put_all(&*store, records.clone()).await?;
    let (rng, filters) = (SeededRng::new(2), filters());
    for _ in 0..300 {
        agrees(&*store, &records, &composed(&rng, &filters, 4)).await?;
    }
    Ok(())
}

pub(super) async fn conditions_mean_the_same_as_filters(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let records = population();
    put_all(&*store, records.clone()).await?;
    let (rng, filters) = (SeededRng::new(3), filters());
    for _ in 0..100 {
        let filter = composed(&rng, &filters, 1);
        let unchanged = |record: &Record| Patch::new(record.version, record.updated_at);
        let patch =
            |record: &Record| patch_if(record.key.as_str(), unchanged(record), Condition::Present(filter.clone()));
        let outcomes = store.commit(records.iter().map(patch).collect(), OnUnmet::Skip).await?;
        let expected: Vec<_> = records
            .iter()
            .map(|record| {
                let version = Some(record.version);
                if filter.matches(record, NOW) { applied(version, &[]) } else { unmet(version) }
            })
            .collect();
        assert_eq!(outcomes, expected, "{filter:?}");
    }
    Ok(())
}

async fn agrees(store: &Store, records: &[Record], filter: &Filter) -> Result<()> {
    let mut expected: Vec<_> =
        records.iter().filter(|record| filter.matches(record, NOW)).map(|record| record.key.clone()).collect();
    expected.sort();
    let found = pages(store, &Query::new().filter(filter.clone()).fields(Fields::LEAST)).await?;
    let found: Vec<_> = found.into_iter().map(|record| record.key).collect();
    assert_eq!(found, expected, "{filter:?}");
    Ok(())
}

pub(super) async fn filters_may_be_wide(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let records = population();
    put_all(&*store, records.clone()).await?;
    let keys = (0..40_000).map(|n| format!("value {n:02}"));
    agrees(&*store, &records, &Filter::in_(Field::Key, keys)).await?;
    let sizes = (0..2000).map(|n| Filter::eq(Field::Size, n * 20));
    agrees(&*store, &records, &Filter::Or(sizes.clone().collect())).await?;
    agrees(&*store, &records, &Filter::And(sizes.map(|filter| !filter).collect())).await
}

pub(super) async fn a_filter_nested_too_deep_is_refused(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [sample("key")]).await?;
    let nested =
        |levels: usize| (1..levels).fold(Filter::eq(Field::Key, "key"), |inner, _| Filter::Not(Box::new(inner)));
    let deepest = nested(MAX_FILTER_DEPTH);
    assert!(deepest.check().is_ok());
    let found = pages(&*store, &Query::new().filter(deepest.clone())).await?.len();
    assert_eq!(found, usize::from(deepest.matches(&sample("key"), NOW)));

    let deeper = nested(MAX_FILTER_DEPTH + 1);
    let mut query = Query::new();
    query.filter = deeper.clone();
    for after in [None, Some(Cursor::after(EntryKey::new("a")))] {
        let refused = store.page(&query, after).await.map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::InvalidQuery));
    }
    let plan = Reclaim::Entries {
        filter: deeper.clone(),
        order: ReclaimOrder::Key,
        limit: 10,
        until_bytes: None,
        until_entries: None,
    };
    let refused = store.reclaim(&plan).await.map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::InvalidQuery));
    for condition in [Condition::Present(deeper.clone()), Condition::AbsentUnless(deeper)] {
        let change = patch_if("key", Patch::new(version(2), NOW), condition);
        let refused = store.commit(vec![change], OnUnmet::Skip).await.map_err(|error| error.kind());
        assert_eq!(refused, Err(ErrorKind::InvalidQuery));
    }
    Ok(())
}

pub(super) async fn a_reclaim_means_the_same_as_filters(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let (rng, filters) = (SeededRng::new(4), filters());
    for _ in 0..50 {
        let records = population();
        put_all(&*store, records.clone()).await?;
        let filter = composed(&rng, &filters, 1);
        let mut expected: Vec<_> =
            records.iter().filter(|record| filter.matches(record, NOW)).map(|record| record.key.clone()).collect();
        expected.sort();
        let plan = Reclaim::Entries {
            filter: filter.clone(),
            order: ReclaimOrder::Key,
            limit: 1000,
            until_bytes: None,
            until_entries: None,
        };
        assert_eq!(reclaim(&*store, plan).await?.keys, expected, "{filter:?}");
    }
    Ok(())
}
