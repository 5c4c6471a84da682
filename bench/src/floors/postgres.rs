//! The floor of an index in PostgreSQL: prepared statements of tokio-postgres on the tables of ours.
//!
//! The statements of a put are those of `crates/backend-postgres/src/statements.rs` and are sent as it sends them, in two
//! round trips, without what keeps totals.

use crate::Result;
use bytes::Bytes;
use futures::future::{join, join4};
use std::sync::Arc;
use tokio_postgres::{Client, NoTls, Statement};

const COLUMNS: &str =
    "r.key, r.version, r.created_at, r.updated_at, r.expires_at, r.drop_at, r.blob, r.content, r.signature, r.payload";

/// A connection.
pub(crate) struct Postgres {
    client: Client,
    select: Statement,
    select_payload: Statement,
    lock_records: Statement,
    lock_blobs: Statement,
    begin: Statement,
    insert: Statement,
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
        let table = |name: &str| format!("\"{schema}\".\"cacheness_{name}\"");
        let (records, blobs, settings) = (table("records"), table("blobs"), table("settings"));
        let names = "key, version, created_at, updated_at, expires_at, drop_at, stored_size, blob, content, annotations, \
            search, signature, payload";
        let values = "t.key, t.version, t.created_at, t.updated_at, t.expires_at, t.drop_at, t.stored_size, t.blob, \
            t.content, t.annotations::json, t.search::jsonb, t.signature, t.payload";
        let insert = format!(
            "INSERT INTO {records} ({names}) SELECT {values} FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], \
            $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], $11::text[], \
            $12::bytea[], $13::bytea[]) AS t ({names}) ORDER BY t.key"
        );
        let prepare = async |sql: String| client.prepare(&sql).await;
        Ok(Self {
            select: prepare(format!("SELECT {COLUMNS} FROM {records} r WHERE r.key = $1")).await?,
            select_payload: prepare(format!("SELECT payload FROM {records} WHERE key = $1")).await?,
            lock_records: prepare(format!(
                "SELECT r.key, r.version, r.blob, r.stored_size FROM {records} r WHERE r.key = ANY($1) ORDER BY r.key FOR UPDATE"
            ))
            .await?,
            lock_blobs: prepare(format!(
                "SELECT id, digest, size, refs, condemned_at FROM {blobs} WHERE id = ANY($1 || ARRAY(SELECT blob FROM \
                {records} WHERE key = ANY($2) AND blob IS NOT NULL)) ORDER BY id FOR UPDATE"
            ))
            .await?,
            begin: prepare(format!(
                "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, \
                EXISTS (SELECT FROM {settings} WHERE name = 'notify')"
            ))
            .await?,
            insert: prepare(insert).await?,
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
        let (client, none) = (&self.client, None::<&[u8]>);
        let (keys, nothing): ([&[u8]; 1], [&[u8]; 0]) = ([key.as_bytes()], []);
        // Polled in this order, they are sent in this order, one behind the other.
        let (begun, records, blobs, now) = join4(
            client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
            client.query(&self.lock_records, &[&&keys[..]]),
            client.query(&self.lock_blobs, &[&&nothing[..], &&keys[..]]),
            client.query_one(&self.begin, &[]),
        )
        .await;
        begun?;
        if !records?.is_empty() || !blobs?.is_empty() {
            return Err("the key is there already".into());
        }
        let _announced: bool = now?.try_get(1)?;
        let Template { created_at, stored_size, content, search, payload } = template;
        let (inserted, committed) = join(
            client.execute(
                &self.insert,
                &[
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
                ],
            ),
            client.batch_execute("COMMIT"),
        )
        .await;
        inserted?;
        Ok(committed?)
    }

    /// One statement: no lock, no time of the server, no conditions.
    pub(crate) async fn upsert(&self, key: &str, version: &[u8], template: &Template) -> Result {
        let Template { created_at, stored_size, content, search, payload } = template;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&key.as_bytes(), &version, created_at, stored_size, content, search, payload];
        self.client.execute(&self.upsert, &values).await?;
        Ok(())
    }
}
