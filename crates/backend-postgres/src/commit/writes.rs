//! What a transaction writes, as arrays: one statement for each kind of change, however many there are.

use super::held::{BlobSlot, Held, Slot, State};
use crate::backend::Store;
use crate::pipeline::{Step, Values};
use crate::pool::Session;
use crate::rows::Written;
use crate::totals::Totals;
use cacheness_storage::{BlobId, BlobRecord, EntryKey, Result, Timestamp, Usage};

/// The rows to write.
pub(crate) struct Writes<'h> {
    changed: Vec<&'h EntryKey>,
    deleted: Vec<&'h [u8]>,
    inserted: Written<'h>,
    replaced: Written<'h>,
    renewed: Written<'h>,
    patched: Written<'h>,
    used: Used<'h>,
    new_blobs: Blobs<'h>,
    changed_blobs: Blobs<'h>,
    forgotten: Vec<&'h [u8]>,
    totals: Totals,
}

/// Uses as columns.
#[derive(Default)]
struct Used<'h> {
    keys: Vec<&'h [u8]>,
    at: Vec<Option<i64>>,
    hits: Vec<i64>,
}

/// Blobs as columns.
#[derive(Default)]
struct Blobs<'h> {
    ids: Vec<&'h [u8]>,
    digests: Vec<Option<Vec<u8>>>,
    sizes: Vec<i64>,
    references: Vec<i64>,
    condemned_at: Vec<Option<i64>>,
}

impl<'h> Writes<'h> {
    /// What the changes add up to.
    pub(crate) fn of(held: &'h Held) -> Result<Self> {
        let mut writes = Self {
            changed: Vec::new(),
            deleted: Vec::new(),
            inserted: Written::default(),
            replaced: Written::default(),
            renewed: Written::default(),
            patched: Written::default(),
            used: Used::default(),
            new_blobs: Blobs::default(),
            changed_blobs: Blobs::default(),
            forgotten: Vec::new(),
            totals: held.difference(),
        };
        for (key, slot) in &held.records {
            writes.slot(key, slot)?;
        }
        for (id, blob) in &held.blobs {
            writes.blob(id, blob);
        }
        Ok(writes)
    }

    fn slot(&mut self, key: &'h EntryKey, slot: &'h Slot) -> Result<()> {
        let bytes = key.as_str().as_bytes();
        let was_there = slot.before.is_some();
        match &slot.now {
            None if was_there => self.deleted.push(bytes),
            Some(State::Put(record)) if !was_there => self.inserted.push(record)?,
            Some(State::Put(record)) if slot.removed => self.renewed.push(record)?,
            Some(State::Put(record)) => self.replaced.push(record)?,
            Some(State::Patched(record)) => self.patched.push(record)?,
            Some(State::Stored | State::Read(_)) | None => {}
        }
        if slot.now.is_none() && was_there || matches!(slot.now, Some(State::Put(_) | State::Patched(_))) {
            self.changed.push(key);
        }
        if slot.now.is_some() && slot.used != Usage::default() {
            self.used.push(bytes, slot.used);
        }
        Ok(())
    }

    fn blob(&mut self, id: &'h BlobId, slot: &'h BlobSlot) {
        match (&slot.before, &slot.now) {
            (None, Some(now)) => self.new_blobs.push(id, now),
            (Some(before), Some(now)) if before != now => self.changed_blobs.push(id, now),
            (Some(_), None) => self.forgotten.push(id.as_bytes()),
            _ => {}
        }
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty()
            && self.used.keys.is_empty()
            && self.new_blobs.ids.is_empty()
            && self.changed_blobs.ids.is_empty()
            && self.forgotten.is_empty()
    }

    /// The keys whose records change.
    pub(crate) fn changed_keys(&self) -> impl Iterator<Item = &'h EntryKey> {
        self.changed.iter().copied()
    }

    /// The statements, in an order in which no two transactions can wait for each other: what is locked first, then new
    /// keys in their order, then new blobs in theirs, and the totals last.
    pub(crate) async fn steps<'w>(
        &'w self,
        store: &Store,
        session: &mut Session,
        stripe: &'w i16,
    ) -> Result<Vec<Step<'w>>> {
        let statements = &store.statements;
        let Totals { entries, bytes, blobs, condemned } = &self.totals;
        let wanted: [(bool, &str, Values<'w>); 10] = [
            (!self.deleted.is_empty(), &statements.delete_records, vec![&self.deleted]),
            (!self.replaced.is_empty(), &statements.replace_records, self.replaced.all()),
            (!self.renewed.is_empty(), &statements.renew_records, self.renewed.all()),
            (!self.patched.is_empty(), &statements.patch_records, self.patched.patched()),
            (!self.inserted.is_empty(), &statements.insert_records, self.inserted.all()),
            (!self.used.keys.is_empty(), &statements.note_uses, vec![&self.used.keys, &self.used.at, &self.used.hits]),
            (!self.changed_blobs.ids.is_empty(), &statements.update_blobs, self.changed_blobs.all()),
            (!self.forgotten.is_empty(), &statements.delete_blobs, vec![&self.forgotten]),
            (!self.new_blobs.ids.is_empty(), &statements.insert_blobs, self.new_blobs.all()),
            (self.totals != Totals::default(), &statements.add_totals, vec![stripe, entries, bytes, blobs, condemned]),
        ];
        let mut steps = Vec::new();
        for (_, sql, values) in wanted.into_iter().filter(|(is_wanted, ..)| *is_wanted) {
            steps.push(Step::Statement(session.prepared(sql).await?, values));
        }
        Ok(steps)
    }
}

impl Written<'_> {
    /// Every column, in the order of the statements.
    pub(super) fn all(&self) -> Values<'_> {
        vec![
            &self.keys,
            &self.versions,
            &self.created_at,
            &self.updated_at,
            &self.expires_at,
            &self.drop_at,
            &self.stored_sizes,
            &self.blobs,
            &self.contents,
            &self.annotations,
            &self.search,
            &self.signatures,
            &self.payloads,
        ]
    }

    /// The columns that a patch changes, in the order of [`PATCHED`](crate::statements::PATCHED).
    fn patched(&self) -> Values<'_> {
        vec![
            &self.keys,
            &self.versions,
            &self.updated_at,
            &self.expires_at,
            &self.drop_at,
            &self.annotations,
            &self.search,
            &self.signatures,
        ]
    }
}

impl<'h> Used<'h> {
    fn push(&mut self, key: &'h [u8], used: Usage) {
        self.keys.push(key);
        self.at.push(used.accessed_at.map(Timestamp::as_micros));
        self.hits.push(i64::try_from(used.hits).unwrap_or(i64::MAX));
    }
}

impl<'h> Blobs<'h> {
    fn push(&mut self, id: &'h BlobId, blob: &BlobRecord) {
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.ids.push(id.as_bytes());
        self.digests.push(blob.digest.map(|digest| digest.to_bytes()));
        self.sizes.push(count(blob.size));
        self.references.push(count(blob.references));
        self.condemned_at.push(blob.condemned_at.map(Timestamp::as_micros));
    }

    fn all(&self) -> Values<'_> {
        vec![&self.ids, &self.digests, &self.sizes, &self.references, &self.condemned_at]
    }
}
