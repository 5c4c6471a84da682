//! The time of the store is the one that filters, conditions and condemnations go by.

use super::steps::{applied, apply, keys, put_all, put_if, reclaim, remove, unmet};
use crate::records::{blob, in_blob, sample, version};
use crate::{MetadataSubject, Result};
use cacheness_core::{Clock, Timestamp};
use cacheness_storage::{
    BlobQuery, Condition, Field, Filter, Locality, MetadataBackend, Operand, Query, Reclaim, ReclaimOrder, Record,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MICROS: i64 = 3_600_000_000;

/// Live at the time of the store.
fn live() -> Filter {
    Filter::gt(Field::ExpiresAt, Operand::Now(0))
}

/// Puts one record that expired an hour ago, and one that will in an hour.
async fn past_and_future(store: &dyn MetadataBackend) -> Result<()> {
    let now = store.stats().await?.now;
    let expiring = |key, micros| Record { expires_at: Some(now.offset(micros)), ..sample(key) };
    put_all(store, [expiring("past", -HOUR_MICROS), expiring("future", HOUR_MICROS)]).await
}

fn has_own_clock(store: &dyn MetadataBackend) -> bool {
    store.info().locality == Locality::Shared
}

pub(super) async fn the_store_goes_by_the_clock_it_was_given(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    if has_own_clock(&*store) {
        let first = store.stats().await?.now;
        assert!(store.stats().await?.now >= first, "a shared store has a time of its own, which passes");
        return Ok(());
    }
    for time in [subject.clock().now(), Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX)] {
        subject.clock().set(time);
        assert_eq!(store.stats().await?.now, time);
    }
    Ok(())
}

pub(super) async fn now_in_a_query_is_the_time_of_the_store(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    past_and_future(&*store).await?;
    let found = async |filter| keys(&*store, &Query::new().filter(filter)).await;
    assert_eq!(found(live()).await?, ["future"]);
    assert_eq!(found(!live()).await?, ["past"]);
    assert_eq!(found(Filter::gt(Field::ExpiresAt, Operand::Now(2 * HOUR_MICROS))).await?, [""; 0]);
    assert_eq!(found(Filter::gt(Field::ExpiresAt, Operand::Now(-2 * HOUR_MICROS))).await?, ["future", "past"]);
    assert_eq!(found(Filter::gt(Field::ExpiresAt, Operand::Now(i64::MAX))).await?, [""; 0], "time saturates");
    if !has_own_clock(&*store) {
        subject.clock().advance(HOUR - Duration::from_micros(1));
        assert_eq!(found(live()).await?, ["future"]);
        subject.clock().advance(Duration::from_micros(1));
        assert_eq!(found(live()).await?, [""; 0], "an entry is live while now is before its expiry");
        subject.clock().advance(HOUR);
        assert_eq!(found(live()).await?, [""; 0]);
    }
    Ok(())
}

pub(super) async fn now_in_a_condition_is_the_time_of_the_store(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    past_and_future(&*store).await?;
    let new = |key| Record { version: version(2), ..sample(key) };
    let if_not_live = |key| put_if(new(key), Condition::AbsentUnless(live()));
    let if_live = |key| put_if(new(key), Condition::Present(live()));
    assert_eq!(apply(&*store, if_live("past")).await?, unmet(Some(version(1))));
    assert_eq!(apply(&*store, if_not_live("future")).await?, unmet(Some(version(1))));
    assert_eq!(apply(&*store, if_not_live("past")).await?, applied(Some(version(1)), &[]));
    assert_eq!(apply(&*store, if_live("future")).await?, applied(Some(version(1)), &[]));
    Ok(())
}

pub(super) async fn now_in_a_reclaim_is_the_time_of_the_store(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    past_and_future(&*store).await?;
    let filter = Filter::le(Field::ExpiresAt, Operand::Now(0));
    let plan =
        Reclaim::Entries { filter, order: ReclaimOrder::Expiry, limit: 100, until_bytes: None, until_entries: None };
    reclaim(&*store, plan).await?;
    assert_eq!(keys(&*store, &Query::new()).await?, ["future"]);
    Ok(())
}

pub(super) async fn a_blob_is_condemned_at_the_time_of_the_store(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    put_all(&*store, [in_blob("key", blob(1), 10)]).await?;
    let before = store.stats().await?.now;
    apply(&*store, remove("key")).await?;
    let after = store.stats().await?.now;
    let condemned_until = async |until| -> Result<usize> {
        Ok(store.blobs(&BlobQuery::Condemned { until, after: None, limit: 10 }).await?.len())
    };
    assert_eq!(condemned_until(before.offset(-1)).await?, 0);
    assert_eq!(condemned_until(after).await?, 1);
    if !has_own_clock(&*store) {
        subject.clock().advance(HOUR);
        apply(&*store, cacheness_storage::Change::Condemn { blob: blob(1) }).await?;
        assert_eq!(condemned_until(after).await?, 1, "condemning again does not make it younger");
    }
    Ok(())
}
