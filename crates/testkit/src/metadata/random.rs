//! Commits made by chance, compared with the store in memory.

use super::steps::{everything, patch_if, put_if, reclaim, remove_if, use_of};
use crate::records::{NOW, annotations, blob, in_blob, inline, version};
use crate::{MetadataSubject, Result, SeededRng};
use cacheness_core::Clock;
use cacheness_storage::memory::MemoryMetadata;
use cacheness_storage::{
    Annotations, Change, Condition, EntryKey, Field, Filter, OnUnmet, OpenContext, Outcome, Patch, Reclaim,
    ReclaimOrder, Reclaimed, Record, Usage,
};
use std::sync::Arc;

const COMMITS: u64 = 400;

pub(super) async fn commits_made_by_chance_agree_with_the_store_in_memory(subject: &MetadataSubject) -> Result<()> {
    let store = subject.open().await?;
    let clock: Arc<dyn Clock> = Arc::new(subject.clock().clone());
    let reference = MemoryMetadata::new(&OpenContext::new().clock(clock));
    let rng = SeededRng::new(5);
    for commit in 0..COMMITS {
        let changes: Vec<_> = (0..1 + rng.below(5)).map(|_| change(&rng)).collect();
        let on_unmet = if rng.below(2) == 0 { OnUnmet::Abort } else { OnUnmet::Skip };
        let expected =
            store_order(cacheness_storage::MetadataBackend::commit(&reference, changes.clone(), on_unmet).await?);
        let outcomes = store_order(store.commit(changes.clone(), on_unmet).await?);
        assert_eq!(outcomes, expected, "commit {commit}, {on_unmet:?}: {changes:#?}");
        if commit % 10 == 9 {
            let plan = plan(&rng);
            let expected = in_order(reclaim(&reference, plan.clone()).await?, &plan);
            let reclaimed = in_order(reclaim(&*store, plan.clone()).await?, &plan);
            assert_eq!((&reclaimed.keys, &reclaimed.condemned), (&expected.keys, &expected.condemned), "{plan:?}");
        }
        assert_eq!(everything(&*store).await?, everything(&reference).await?, "after commit {commit}");
    }
    Ok(())
}

/// Outcomes with their condemned blobs in order.
fn store_order(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
    for outcome in &mut outcomes {
        if let Outcome::Applied { condemned, .. } = outcome {
            condemned.sort();
        }
    }
    outcomes
}

/// What was given back with its condemned blobs in order, and its keys, too, where any order is right.
fn in_order(mut reclaimed: Reclaimed, plan: &Reclaim) -> Reclaimed {
    reclaimed.condemned.sort();
    if matches!(plan, Reclaim::Entries { order: ReclaimOrder::Random, .. }) {
        reclaimed.keys.sort();
    }
    reclaimed
}

/// A reclaim that means the same records in every store: in no order all that its filter means.
fn plan(rng: &SeededRng) -> Reclaim {
    use ReclaimOrder::{Created, Expiry, Hits, Key, Random, Used};
    let order = rng.pick(&[Key, Expiry, Created, Used, Hits, Random]).copied().unwrap_or(Key);
    let (limit, bounds) = if order == Random { (100, 0) } else { (2, rng.below(4)) };
    Reclaim::Entries {
        filter: filter(rng),
        order,
        limit,
        until_bytes: (bounds & 1 > 0).then(|| rng.below(2000)),
        until_entries: (bounds & 2 > 0).then(|| rng.below(6)),
    }
}

fn change(rng: &SeededRng) -> Change {
    let key = key(rng);
    match rng.below(13) {
        0..=4 => put_if(record(rng, &key), condition(rng)),
        5..=6 => patch_if(&key, patch(rng), condition(rng)),
        7 => remove_if(&key, condition(rng)),
        8 => Change::Condemn { blob: blob(rng.below(8)) },
        9..=11 => use_of(&key, NOW.offset(rng.below(9).cast_signed()), rng.below(3)),
        _ => Change::Forget { blob: blob(rng.below(8)) },
    }
}

fn key(rng: &SeededRng) -> String {
    match rng.below(7) {
        0 => EntryKey::system("by chance").to_string(),
        n => format!("key {n}"),
    }
}

/// A record whose blob, if it has one, is as large as its number says.
fn record(rng: &SeededRng, key: &str) -> Record {
    let number = rng.below(8);
    let record = if rng.below(3) == 0 || EntryKey::new(key).is_system() {
        inline(key, vec![0; usize::try_from(rng.below(50)).unwrap_or_default()])
    } else {
        in_blob(key, blob(number), 100 * (number + 1))
    };
    let mut content = record.content;
    content.terms.namespace = (rng.below(2) == 0).then(|| "team".into());
    content.terms.epoch = (rng.below(2) == 0).then(|| rng.below(4));
    Record {
        content,
        version: version(rng.below(6)),
        created_at: NOW.offset(rng.below(12).cast_signed()),
        expires_at: (rng.below(2) == 0).then_some(NOW),
        usage: Usage { accessed_at: (rng.below(2) == 0).then_some(NOW), hits: rng.below(2) },
        annotations: if rng.below(3) == 0 { annotations() } else { Annotations::default() },
        ..record
    }
}

fn patch(rng: &SeededRng) -> Patch {
    Patch {
        expires_at: (rng.below(2) == 0).then(|| (rng.below(2) == 0).then_some(NOW)),
        annotations: (rng.below(2) == 0).then(annotations),
        ..Patch::new(version(rng.below(6)), NOW)
    }
}

fn condition(rng: &SeededRng) -> Condition {
    match rng.below(8) {
        0 => Condition::Absent,
        1 => Condition::AbsentUnless(filter(rng)),
        2 => Condition::Present(filter(rng)),
        3 => Condition::Version(version(rng.below(6))),
        _ => Condition::Always,
    }
}

fn filter(rng: &SeededRng) -> Filter {
    match rng.below(6) {
        0 => Filter::exists(Field::ExpiresAt),
        1 => Filter::gt(Field::Size, 200),
        2 => Filter::eq(Field::Tag, "🦀"),
        3 => Filter::eq(Field::Namespace, "team"),
        4 => Filter::ge(Field::Epoch, 2),
        _ => Filter::All,
    }
}
