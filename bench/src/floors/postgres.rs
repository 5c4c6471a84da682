//! The floor of an index in PostgreSQL: prepared statements of tokio-postgres on the tables of ours.
//!
//! The statement of a put is that of `crates/backend-postgres/src/statements.rs` without what keeps totals and tells others.

use crate::Result;
use bytes::Bytes;
use std::sync::Arc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

const COLUMNS: &str =
    "r.key, r.version, r.created_at, r.updated_at, r.expires_at, r.drop_at, r.blob, r.content, r.signature, r.payload";

/// The columns of a put.
const NAMES: &str = "key, version, created_at, updated_at, expires_at, drop_at, stored_size, blob, content, annotations, search, \
    signature, payload";

/// A connection.
pub(crate) struct Postgres {
    client: Client,
    select: Statement,
    select_payload: Statement,
    put: Statement,
    upsert: Statement,
}

/// What is the same in all records of a run.
pub(crate) struct Template {
    created_at: i64,
    stored_size: i64,
    content: Vec<u8>,
    search: String,
    payload: Vec<u8>,
}

impl Postgres {
    pub(crate) async fn connect(url: &str, schema: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        let records = format!("\"{schema}\".\"cacheness_records\"");
        let renewed: Vec<_> = NAMES.split(", ").skip(1).map(|name| format!("{name} = excluded.{name}")).collect();
        let values = "t.key, t.version, t.created_at, t.updated_at, t.expires_at, t.drop_at, t.stored_size, t.blob, \
            t.content, t.annotations::json, t.search::jsonb, t.signature, t.payload";
        let put = format!(
            "WITH old AS MATERIALIZED (SELECT id, xmin AS row, version, blob FROM {records} WHERE key = ($1::bytea[])[1]), \
            put AS (INSERT INTO {records} AS r ({NAMES}) SELECT {values} FROM unnest($1::bytea[], $2::bytea[], \
            $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], \
            $11::text[], $12::bytea[], $13::bytea[]) AS t ({NAMES}) \
            WHERE NOT EXISTS (SELECT FROM old WHERE $14::boolean OR blob IS NOT NULL) \
            ON CONFLICT (key) DO UPDATE SET {} WHERE r.xmin = (SELECT row FROM old) RETURNING id), \
            there AS MATERIALIZED (SELECT version FROM old WHERE NOT EXISTS (SELECT FROM put) \
            OR id = (SELECT id FROM put)) \
            SELECT (SELECT version FROM there), EXISTS (SELECT FROM put)",
            renewed.join(", ")
        );
        let prepare = async |sql: String| client.prepare(&sql).await;
        Ok(Self {
            select: prepare(format!("SELECT {COLUMNS} FROM {records} r WHERE r.key = $1")).await?,
            select_payload: prepare(format!("SELECT payload FROM {records} WHERE key = $1")).await?,
            put: prepare(put).await?,
            upsert: prepare(format!(
                "INSERT INTO {records} (key, version, created_at, updated_at, stored_size, content, search, payload) \
                VALUES ($1, $2, $3, $3, $4, $5, $6::text::jsonb, $7) ON CONFLICT (key) DO UPDATE SET \
                version = excluded.version, updated_at = excluded.updated_at, stored_size = excluded.stored_size, \
                content = excluded.content, search = excluded.search, payload = excluded.payload"
            ))
            .await?,
            client,
        })
    }

    /// Runs commands without values.
    pub(crate) async fn run(url: &str, commands: &str) -> Result {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client.batch_execute(commands).await?)
    }

    /// The first column of a query's first row.
    pub(crate) async fn count(&self, query: &str) -> Result<i64> {
        Ok(self.client.query_one(query, &[]).await?.try_get(0)?)
    }

    /// What a get of ours reads, and the bytes of the payload.
    pub(crate) async fn get(&self, key: &str) -> Result<Bytes> {
        let row = self.client.query_one(&self.select, &[&key.as_bytes()]).await?;
        Ok(Bytes::copy_from_slice(row.try_get(9)?))
    }

    /// The payload and nothing else.
    pub(crate) async fn get_payload(&self, key: &str) -> Result<Bytes> {
        let row = self.client.query_one(&self.select_payload, &[&key.as_bytes()]).await?;
        Ok(Bytes::copy_from_slice(row.try_get(0)?))
    }

    pub(crate) async fn template(&self, schema: &str, key: &str) -> Result<Arc<Template>> {
        let read = format!(
            "SELECT created_at, stored_size, content, search::text, payload FROM \"{schema}\".cacheness_records WHERE key = $1"
        );
        let row = self.client.query_one(&read, &[&key.as_bytes()]).await?;
        Ok(Arc::new(Template {
            created_at: row.try_get(0)?,
            stored_size: row.try_get(1)?,
            content: row.try_get(2)?,
            search: row.try_get(3)?,
            payload: row.try_get(4)?,
        }))
    }

    /// What a put of ours does, but for the totals.
    pub(crate) async fn put(&self, key: &str, version: &[u8], template: &Template) -> Result {
        let (keys, none) = ([key.as_bytes()], None::<&[u8]>);
        let Template { created_at, stored_size, content, search, payload } = template;
        let values: [&(dyn ToSql + Sync); 14] = [
            &&keys[..],
            &&[version][..],
            &&[created_at][..],
            &&[created_at][..],
            &&[None::<i64>][..],
            &&[None::<i64>][..],
            &&[stored_size][..],
            &&[none][..],
            &&[&content[..]][..],
            &&[None::<&str>][..],
            &&[search][..],
            &&[none][..],
            &&[&payload[..]][..],
            &false,
        ];
        match self.client.query_one(&self.put, &values).await?.try_get(1)? {
            true => Ok(()),
            false => Err("somebody else put under the key".into()),
        }
    }

    /// An upsert that knows nothing of versions, blobs and conditions.
    pub(crate) async fn upsert(&self, key: &str, version: &[u8], template: &Template) -> Result {
        let Template { created_at, stored_size, content, search, payload } = template;
        let values: [&(dyn ToSql + Sync); 7] =
            [&key.as_bytes(), &version, created_at, stored_size, content, search, payload];
        self.client.execute(&self.upsert, &values).await?;
        Ok(())
    }
}
