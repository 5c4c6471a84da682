//! The tables of a store: their migrations, and what tells a store from strangers' tables. `docs/format.md` explains every
//! column.

use crate::failure::corrupt;
use crate::pool::Session;
use crate::rows::column;
use crate::tables::{NAMES, Tables};
use crate::totals::STRIPES;
use cacheness_storage::{Error, ErrorKind, Result};

/// The oldest server that the statements are written for.
const OLDEST_SERVER: i32 = 130_000;

/// What the migrations of a store say it is.
const APPLICATION: &str = "cacheness";

/// What a server and the schema on it are.
struct Found {
    is_store: bool,
    version: i32,
    others: Vec<String>,
    has_schema: bool,
    fsync: bool,
    follows: bool,
}

/// What is good to know of a store that was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    /// Whether the server writes to its disk for good.
    pub(crate) fsync: bool,
}

/// The steps from nothing to the current version, each one more than the last. They only ever add.
fn migrations(tables: &Tables) -> [String; 1] {
    let Tables { schema, prefix, settings, records, blobs, usage, totals, .. } = tables;
    let index = |name: &str| format!("\"{prefix}{name}\"");
    let last = STRIPES - 1;
    let sequence = format!("\"{schema}\".\"{prefix}records_id_seq\"");
    [format!(
        "CREATE TABLE {settings} (name text PRIMARY KEY, value text NOT NULL);
        CREATE TABLE {records} (
            id bigint NOT NULL GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME {sequence} CACHE 32),
            created_at bigint NOT NULL,
            updated_at bigint NOT NULL,
            expires_at bigint,
            drop_at bigint,
            stored_size bigint NOT NULL,
            key bytea NOT NULL PRIMARY KEY,
            version bytea NOT NULL,
            blob bytea,
            content bytea NOT NULL,
            annotations json,
            search jsonb NOT NULL,
            signature bytea,
            payload bytea,
            CHECK ((blob IS NULL) <> (payload IS NULL))
        ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
            autovacuum_vacuum_insert_scale_factor = 0.1, toast.autovacuum_vacuum_scale_factor = 0.05);
        ALTER TABLE {records} ALTER payload SET STORAGE EXTERNAL;
        CREATE INDEX {by_expiry} ON {records} (expires_at) WHERE expires_at IS NOT NULL;
        CREATE TABLE {blobs} (
            size bigint NOT NULL,
            refs bigint NOT NULL,
            condemned_at bigint,
            id bytea NOT NULL PRIMARY KEY,
            digest bytea,
            CHECK (refs >= 0 AND (refs = 0) = (condemned_at IS NOT NULL))
        ) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
        CREATE INDEX {by_content} ON {blobs} (digest) WHERE condemned_at IS NULL AND length(digest) = 33;
        CREATE INDEX {by_condemnation} ON {blobs} (condemned_at, id) WHERE condemned_at IS NOT NULL;
        CREATE TABLE {usage} (id bigint PRIMARY KEY, accessed_at bigint, hits bigint NOT NULL)
            WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);
        CREATE TABLE {totals} (
            stripe smallint PRIMARY KEY,
            entries bigint NOT NULL,
            bytes bigint NOT NULL,
            blobs bigint NOT NULL,
            condemned bigint NOT NULL
        ) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        INSERT INTO {totals} SELECT stripe, 0, 0, 0, 0 FROM generate_series(0, {last}) AS t (stripe);",
        by_expiry = index("records_by_expiry"),
        by_content = index("blobs_by_content"),
        by_condemnation = index("blobs_by_condemnation"),
    )]
}

/// Makes the store if it is missing and may be made, brings it to the current version, and checks that it is one.
///
/// # Errors
///
/// [`ErrorKind::ForeignStore`] for tables of somebody else, [`ErrorKind::FormatTooNew`] for a later version,
/// [`ErrorKind::Config`] for a server that cannot hold a store and, read-only, for a missing store.
pub(crate) async fn open(session: &mut Session, tables: &Tables, read_only: bool) -> Result<Opened> {
    let current = i32::try_from(migrations(tables).len()).unwrap_or(i32::MAX);
    let found = find(session, tables).await?;
    let opened = Opened { fsync: found.fsync };
    if found.check(tables, current)? == current {
        return match found.follows && !read_only {
            true => Err(follower()),
            false => Ok(opened),
        };
    }
    if read_only {
        let message = format!("there is no store in the schema {}, and read-only none is made", tables.schema);
        return Err(
            Error::new(ErrorKind::Config, message).advice("check schema and table_prefix, or leave read_only out")
        );
    }
    if found.follows {
        return Err(follower());
    }
    session.unsettle();
    session.command("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    migrate(session, tables, current).await?;
    session.command("COMMIT").await?;
    session.settle();
    Ok(opened)
}

fn follower() -> Error {
    Error::new(ErrorKind::ReadOnly, "the server follows another one and takes no changes")
        .advice("name the primary server")
}

async fn migrate(session: &mut Session, tables: &Tables, current: i32) -> Result<()> {
    // One for all stores of a schema, because they make the schema, too.
    let scope = format!("cacheness schema {}", tables.schema);
    session.ask("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[&scope]).await?;
    let found = find(session, tables).await?;
    let version = found.check(tables, current)?;
    let Tables { schema, migrations: table, .. } = tables;
    if !found.has_schema {
        session
            .command(&format!("CREATE SCHEMA \"{schema}\""))
            .await
            .map_err(|error| error.advice("create it, and GRANT it"))?;
    }
    if !found.is_store {
        let sql = format!(
            "CREATE TABLE {table} (number integer PRIMARY KEY, application text NOT NULL, \
            applied_at timestamptz NOT NULL DEFAULT now())"
        );
        session.command(&sql).await?;
    }
    for (migration, number) in migrations(tables).iter().zip(1..).filter(|(_, number)| *number > version) {
        session.command(migration).await?;
        session
            .command(&format!("INSERT INTO {table} (number, application) VALUES ({number}, '{APPLICATION}')"))
            .await?;
    }
    Ok(())
}

/// Looks at server and schema without changing anything.
async fn find(session: &mut Session, tables: &Tables) -> Result<Found> {
    let names: Vec<String> = NAMES.iter().map(|name| format!("{}{name}", tables.prefix)).collect();
    let migrations = format!("{}migrations", tables.prefix);
    let look = "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding'), \
        current_setting('fsync') = 'on', pg_is_in_recovery(), EXISTS (SELECT FROM pg_namespace WHERE nspname = $1), \
        ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE n.nspname = $1 AND c.relname = ANY($2) ORDER BY 1), \
        ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $3 AND a.attnum > 0)";
    let rows = session.ask(look, &[&tables.schema, &names, &migrations]).await?;
    let row = rows.first().ok_or_else(|| corrupt("the server says nothing of itself"))?;
    let server: i32 = column(row, 0)?;
    if server < OLDEST_SERVER {
        let message =
            format!("the server has version {}, and the index needs {}", server / 10_000, OLDEST_SERVER / 10_000);
        return Err(Error::new(ErrorKind::Config, message).advice("update the server"));
    }
    if column::<&str>(row, 1)? != "UTF8" {
        return Err(Error::new(ErrorKind::Config, "the database is not in UTF8")
            .advice("CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"));
    }
    let mut others: Vec<String> = column(row, 5)?;
    let columns: Vec<&str> = column(row, 6)?;
    let has_marks = ["number", "application"].iter().all(|name| columns.contains(name));
    let (mut is_store, mut version) = (false, 0);
    if has_marks {
        let read = format!(
            "SELECT coalesce(max(number), 0), coalesce(bool_and(application = $1), false) FROM {}",
            tables.migrations
        );
        let rows = session.ask(&read, &[&APPLICATION]).await?;
        let row = rows.first().ok_or_else(|| corrupt("the server says nothing of the migrations"))?;
        (version, is_store) = (column(row, 0)?, column(row, 1)?);
    }
    if is_store {
        others.clear();
    }
    Ok(Found {
        is_store,
        version,
        others,
        has_schema: column(row, 4)?,
        fsync: column(row, 2)?,
        follows: column(row, 3)?,
    })
}

impl Found {
    /// The version of the store, 0 when there is none.
    fn check(&self, tables: &Tables, current: i32) -> Result<i32> {
        if let [first, ..] = &*self.others {
            let message = format!("the table {first} in the schema {} belongs to something else", tables.schema);
            return Err(Error::new(ErrorKind::ForeignStore, message)
                .advice("choose another schema or table_prefix; this one is left as it is"));
        }
        if self.version > current {
            let message = format!("the index has schema version {}, and this program knows {current}", self.version);
            return Err(Error::new(ErrorKind::FormatTooNew, message).advice("update cacheness"));
        }
        Ok(if self.is_store { self.version } else { 0 })
    }
}

/// Has every commit of this store announce the keys it changes, from now on and for ever.
///
/// # Errors
///
/// [`ErrorKind::Config`] when that would have to be written and may not be.
pub(crate) async fn announce(session: &mut Session, tables: &Tables, read_only: bool) -> Result<()> {
    let Tables { settings, records, .. } = tables;
    let rows = session.ask(&format!("SELECT EXISTS (SELECT FROM {settings} WHERE name = 'notify')"), &[]).await?;
    if rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(false) {
        return Ok(());
    }
    if read_only {
        return Err(Error::new(
            ErrorKind::Config,
            "nobody announces changes of the store yet, and read-only nothing is changed",
        )
        .advice("open it once for writing with coherence=notify"));
    }
    session.unsettle();
    // Commits read the setting while they hold a lock on the table that this one excludes: those that did not see it are
    // over when it is there.
    let sql = format!(
        "BEGIN; LOCK TABLE {records} IN EXCLUSIVE MODE; \
        INSERT INTO {settings} (name, value) VALUES ('notify', 'on') ON CONFLICT DO NOTHING; COMMIT"
    );
    session.command(&sql).await?;
    session.settle();
    Ok(())
}
