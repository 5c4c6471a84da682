//! References to blobs: how many records name one, and which are condemned.

use crate::failure::{Result, unknown};
use crate::schema::{CONDEMNED, CONTENTS, REFERENCES, Reference, from_digest, to_digest};
use cacheness_storage::{BlobId, BlobQuery, BlobRecord, Timestamp};
use redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};
use std::ops::Bound;

/// Answers a query.
pub(crate) fn query(snapshot: &ReadTransaction, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
    let references = snapshot.open_table(REFERENCES)?;
    let ids: Vec<BlobId> = match query {
        BlobQuery::Named(ids) => ids.clone(),
        BlobQuery::Content(digest) => {
            let digest = from_digest(digest)?;
            let mut found = snapshot.open_table(CONTENTS)?.range((digest, &[0; 16])..=(digest, &[0xff; 16]))?;
            found.next().transpose()?.map(|(place, _)| BlobId::from_bytes(*place.value().1)).into_iter().collect()
        }
        BlobQuery::Condemned { until, after, limit } => {
            let from = match after {
                Some((at, id)) => Bound::Excluded((at.as_micros(), id.as_bytes())),
                None => Bound::Unbounded,
            };
            let to = Bound::Included((until.as_micros(), &[0xff; 16]));
            let found = snapshot.open_table(CONDEMNED)?.range((from, to))?.take(*limit);
            found.map(|place| Ok(BlobId::from_bytes(*place?.0.value().1))).collect::<Result<_>>()?
        }
        _ => return Err(unknown("the query of blobs").into()),
    };
    ids.into_iter().filter_map(|id| find(&references, id).transpose()).collect()
}

fn find(
    references: &impl ReadableTable<&'static [u8; 16], Reference<'static>>,
    id: BlobId,
) -> Result<Option<BlobRecord>> {
    let Some(row) = references.get(id.as_bytes())? else { return Ok(None) };
    let (count, size, digest, condemned_at) = row.value();
    let mut blob = BlobRecord::condemned(id, Timestamp::from_micros(0));
    blob.references = count;
    blob.size = size;
    blob.digest = digest.map(to_digest).transpose()?;
    blob.condemned_at = condemned_at.map(Timestamp::from_micros);
    Ok(Some(blob))
}

/// The references inside a write transaction.
pub(crate) struct References<'t> {
    by_name: Table<'t, &'static [u8; 16], Reference<'static>>,
    condemned: Table<'t, (i64, &'static [u8; 16]), ()>,
    contents: Table<'t, (&'static [u8], &'static [u8; 16]), ()>,
}

impl<'t> References<'t> {
    pub(crate) fn of(transaction: &'t WriteTransaction) -> Result<Self> {
        Ok(Self {
            by_name: transaction.open_table(REFERENCES)?,
            condemned: transaction.open_table(CONDEMNED)?,
            contents: transaction.open_table(CONTENTS)?,
        })
    }

    pub(crate) fn get(&self, id: BlobId) -> Result<Option<BlobRecord>> {
        find(&self.by_name, id)
    }

    /// Writes what is known of a blob in the place of what was, or forgets it; returns what was.
    pub(crate) fn set(&mut self, id: BlobId, blob: Option<&BlobRecord>) -> Result<Option<BlobRecord>> {
        let name = id.as_bytes();
        let before = self.get(id)?;
        if let Some(BlobRecord { digest, condemned_at, .. }) = &before {
            match (condemned_at, digest) {
                (Some(at), _) => drop(self.condemned.remove((at.as_micros(), name))?),
                (None, Some(digest)) => drop(self.contents.remove((from_digest(digest)?, name))?),
                (None, None) => {}
            }
        }
        let Some(BlobRecord { references, size, digest, condemned_at, .. }) = blob else {
            self.by_name.remove(name)?;
            return Ok(before);
        };
        let digest = digest.as_ref().map(from_digest).transpose()?;
        match (condemned_at, digest) {
            (Some(at), _) => drop(self.condemned.insert((at.as_micros(), name), ())?),
            (None, Some(digest)) => drop(self.contents.insert((digest, name), ())?),
            (None, None) => {}
        }
        self.by_name.insert(name, (*references, *size, digest, condemned_at.map(Timestamp::as_micros)))?;
        Ok(before)
    }
}
