//! redb: a B-tree in one file. A commit waits for the device by default, so a put survives a power cut, which ours does not
//! promise by default; without that (`Durability::None`) what was committed since the last durable commit is lost with
//! the process, which ours never loses. There is nothing in between.

use crate::numbers::key_of;
use crate::sample::{Sample, Samples};
use crate::store::{Contender, Store, absent};
use crate::{Failure, Result};
use bytes::Bytes;
use redb::{Database, ReadableDatabase, TableDefinition};
use std::ops::Range;
use std::path::Path;

const TABLE: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("entries");

struct Redb(Database);

pub(super) fn open(path: &Path) -> Result<Box<dyn Contender>> {
    let store = Redb(Database::create(path)?);
    store.write([])?;
    Ok(Box::new(store))
}

impl Redb {
    fn write<'p>(&self, rows: impl IntoIterator<Item = Result<(u64, &'p [u8])>>) -> Result {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for row in rows {
                let (number, payload) = row?;
                table.insert(key_of(number), payload)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Store for Redb {
    fn put(&self, number: u64, _sample: &Sample, payload: &[u8]) -> Result {
        self.write([Ok((number, payload))])
    }

    fn get(&self, number: u64) -> Result<Sample> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let payload = table.get(key_of(number))?.ok_or_else(|| absent(number))?;
        Sample::decoded(Bytes::copy_from_slice(payload.value()))
    }

    fn fill(&self, numbers: Range<u64>, samples: &Samples) -> Result {
        self.write(numbers.map(|number| Ok::<_, Failure>((number, samples.of(number)?.1))))
    }
}
