//! redb: a B-tree in one file. A commit waits for the device by default, so a put survives a power cut, which ours does not
//! promise by default; without that (`Durability::None`) what was committed since the last durable commit is lost with
//! the process, which ours never loses. There is nothing in between. Many are put or got in one transaction.

use crate::Result;
use crate::numbers::key_of;
use crate::store::{Manner, Opened, Store, absent};
use crate::value::{Batch, Value};
use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};
use std::path::Path;

const TABLE: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("entries");

struct Redb(Database);

pub(super) fn open<V: Value>(path: &Path) -> Opened<V> {
    let store = Redb(Database::create(path)?);
    store.write([])?;
    Ok(Box::new(store))
}

impl Redb {
    fn write<'p>(&self, rows: impl IntoIterator<Item = (u64, &'p [u8])>) -> Result {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (number, payload) in rows {
                table.insert(key_of(number), payload)?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn table(&self) -> Result<ReadOnlyTable<[u8; 16], &'static [u8]>> {
        Ok(self.0.begin_read()?.open_table(TABLE)?)
    }
}

fn read<V: Value>(table: &ReadOnlyTable<[u8; 16], &'static [u8]>, number: u64) -> Result<V> {
    let payload = table.get(key_of(number))?.ok_or_else(|| absent(number))?;
    V::decoded(Bytes::copy_from_slice(payload.value()))
}

impl<V: Value> Store<V> for Redb {
    fn put(&self, number: u64, _value: &V, payload: &[u8]) -> Result {
        self.write([(number, payload)])
    }

    fn get(&self, number: u64) -> Result<V> {
        read(&self.table()?, number)
    }

    fn put_many(&self, batch: &Batch<V>) -> Result {
        self.write(batch.iter().map(|(number, _, payload)| (number, payload)))
    }

    fn get_many(&self, numbers: &[u64]) -> Result<Vec<V>> {
        let table = self.table()?;
        numbers.iter().map(|number| read(&table, *number)).collect()
    }

    fn slower(&self, manner: Manner) -> u64 {
        if manner == Manner::AtOnce { 1 } else { 10 }
    }
}
