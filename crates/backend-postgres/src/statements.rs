//! The SQL of a store, written once when it is opened, so that connections can prepare it.

use crate::rows::columns;
use crate::tables::Tables;
use cacheness_storage::Fields;

/// The time of the server in microseconds, when the statement reached it.
pub(crate) const NOW: &str = "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint";

/// Every statement whose text does not depend on a query.
#[derive(Debug)]
pub(crate) struct Statements {
    get: [[String; 2]; 4],
    pages: [String; 4],
    pub(crate) blobs_named: String,
    pub(crate) blob_by_strong_digest: String,
    pub(crate) blob_by_digest: String,
    pub(crate) blobs_condemned: String,
    pub(crate) lock_records: String,
    pub(crate) lock_whole_records: String,
    pub(crate) lock_blobs: String,
    pub(crate) begin: String,
    pub(crate) lock_all: String,
    pub(crate) put: String,
    pub(crate) put_together: String,
    pub(crate) insert_records: String,
    pub(crate) replace_records: String,
    pub(crate) renew_records: String,
    pub(crate) patch_records: String,
    pub(crate) delete_records: String,
    pub(crate) note_uses: String,
    pub(crate) use_only: String,
    pub(crate) insert_blobs: String,
    pub(crate) update_blobs: String,
    pub(crate) delete_blobs: String,
    pub(crate) add_totals: String,
    pub(crate) sum_totals: String,
    pub(crate) notify: String,
    pub(crate) try_reclaim: String,
    pub(crate) lock_candidates: String,
}

/// The columns of a record in the order of [`Written`](crate::rows::Written), with their types.
const WRITTEN: [(&str, &str, &str); 13] = [
    ("key", "bytea", ""),
    ("version", "bytea", ""),
    ("created_at", "bigint", ""),
    ("updated_at", "bigint", ""),
    ("expires_at", "bigint", ""),
    ("drop_at", "bigint", ""),
    ("stored_size", "bigint", ""),
    ("blob", "bytea", ""),
    ("content", "bytea", ""),
    ("annotations", "text", "::json"),
    ("search", "text", "::jsonb"),
    ("signature", "bytea", ""),
    ("payload", "bytea", ""),
];

/// Those of them that a patch changes.
pub(crate) const PATCHED: [&str; 8] =
    ["key", "version", "updated_at", "expires_at", "drop_at", "annotations", "search", "signature"];

/// What can be asked of a record.
const EVERY: [Fields; 4] = [Fields::LEAST, Fields::HEAD, Fields::VALUE, Fields::ALL];

/// What a record is used with: how the count of hits stops at its end instead of overflowing.
const COUNT_HITS: &str = "accessed_at = greatest(u.accessed_at, excluded.accessed_at), \
    hits = u.hits + least(excluded.hits, 9223372036854775807 - u.hits)";

impl Statements {
    pub(crate) fn of(tables: &Tables) -> Self {
        let Tables { records, blobs, usage, totals, settings, .. } = tables;
        let all: Vec<_> = WRITTEN.iter().collect();
        let patched: Vec<_> = WRITTEN.iter().filter(|(name, ..)| PATCHED.contains(name)).collect();
        let assigned = |columns: &[&(&str, &str, &str)]| {
            let assigned = columns.iter().filter(|(name, ..)| *name != "key");
            assigned.map(|(name, _, cast)| format!("{name} = t.{name}{cast}")).collect::<Vec<_>>().join(", ")
        };
        let names = all.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
        let values = all.iter().map(|(name, _, cast)| format!("t.{name}{cast}")).collect::<Vec<_>>().join(", ");
        let lock = |columns: &str| {
            format!("SELECT {columns} FROM {records} r WHERE r.key = ANY($1) ORDER BY r.key FOR UPDATE")
        };
        let lean = "r.key, r.version, r.blob, r.stored_size";
        let head = columns(Fields::LEAST);
        let blob = format!("SELECT id, digest, size, refs, condemned_at FROM {blobs} WHERE");
        Self {
            pages: EVERY.map(|fields| {
                let select = select(tables, fields);
                format!("{select} WHERE r.key >= $1 AND r.key < $2 ORDER BY r.key LIMIT $3")
            }),
            blobs_named: format!("{blob} id = ANY($1)"),
            // The last condition is that of the partial index, which holds the digests that nobody can forge.
            blob_by_strong_digest: format!(
                "{blob} digest = $1 AND condemned_at IS NULL AND length(digest) = 33 LIMIT 1"
            ),
            blob_by_digest: format!("{blob} digest = $1 AND condemned_at IS NULL LIMIT 1"),
            blobs_condemned: format!(
                "{blob} condemned_at IS NOT NULL AND condemned_at <= $1 AND (condemned_at, id) > ($2, $3) \
                ORDER BY condemned_at, id LIMIT $4"
            ),
            get: EVERY.map(|fields| {
                let select = select(tables, fields);
                [format!("{select} WHERE r.key = $1"), format!("{select} WHERE r.key = ANY($1)")]
            }),
            lock_records: lock(lean),
            lock_whole_records: lock(&format!("{lean}, {head}, r.annotations::text, NULL::bigint, NULL::bigint")),
            lock_blobs: format!(
                "SELECT id, digest, size, refs, condemned_at FROM {blobs} WHERE id = ANY($1 || \
                ARRAY(SELECT blob FROM {records} WHERE key = ANY($2) AND blob IS NOT NULL)) ORDER BY id FOR UPDATE"
            ),
            lock_all: format!("LOCK TABLE {records} IN EXCLUSIVE MODE"),
            begin: format!(
                "SELECT {NOW}, EXISTS (SELECT FROM {settings} WHERE name = 'notify'), \
                (SELECT count(*) FROM {records} WHERE key = ANY($1))"
            ),
            put: format!(
                "WITH old AS MATERIALIZED (SELECT id, xmin AS row, version, blob, stored_size FROM {records} \
                WHERE key = ($1::bytea[])[1]), \
                put AS (INSERT INTO {records} AS r ({names}) SELECT {values} FROM {} \
                WHERE NOT EXISTS (SELECT FROM old WHERE $14::boolean OR blob IS NOT NULL) \
                AND NOT EXISTS (SELECT FROM {records} WHERE key = $19::bytea AND blob IS NOT NULL) \
                ON CONFLICT (key) DO UPDATE SET {} WHERE r.xmin = (SELECT row FROM old) RETURNING id), \
                there AS MATERIALIZED (SELECT version, stored_size FROM old WHERE NOT EXISTS (SELECT FROM put) \
                OR id = (SELECT id FROM put)), \
                counted AS (UPDATE {totals} SET entries = entries + 1 - (SELECT count(*) FROM there), \
                bytes = bytes + ($7::bigint[])[1] - coalesce((SELECT stored_size FROM there), 0) \
                WHERE $15::boolean AND stripe = {} AND EXISTS (SELECT FROM put) \
                AND ($7::bigint[])[1] IS DISTINCT FROM (SELECT stored_size FROM there)), \
                gone AS (DELETE FROM {records} WHERE key = $19::bytea AND EXISTS (SELECT FROM put) RETURNING id, version), \
                unused AS (DELETE FROM {usage} WHERE id = (SELECT id FROM gone)), \
                told AS (SELECT pg_notify($17, message) FROM unnest($18::text[]) AS m (message) WHERE EXISTS (SELECT FROM put) \
                AND EXISTS (SELECT FROM {settings} WHERE name = 'notify')) \
                SELECT (SELECT version FROM there), EXISTS (SELECT FROM put), (SELECT version FROM gone), \
                (SELECT count(*) FROM told)",
                unnest(&all),
                excluded(&all),
                free_stripe(totals, 16),
            ),
            // The same for several keys, each of them once.
            put_together: format!(
                "WITH new AS MATERIALIZED (SELECT * FROM unnest({}, $14::boolean[], $15::boolean[], $19::bytea[]) \
                AS t ({names}, absent, counted, removed)), \
                old AS MATERIALIZED (SELECT id, key, xmin AS row, version, blob, stored_size FROM {records} \
                WHERE key = ANY($1::bytea[])), \
                put AS (INSERT INTO {records} AS r ({names}) SELECT {values} FROM new t LEFT JOIN old o ON o.key = t.key \
                WHERE (o.key IS NULL OR NOT t.absent AND o.blob IS NULL) \
                AND NOT EXISTS (SELECT FROM {records} g WHERE g.key = t.removed AND g.blob IS NOT NULL) ORDER BY t.key \
                ON CONFLICT (key) DO UPDATE SET {} WHERE r.xmin = (SELECT o.row FROM old o WHERE o.key = excluded.key) \
                RETURNING r.id, r.key), \
                there AS MATERIALIZED (SELECT o.key, o.version, o.stored_size FROM old o LEFT JOIN put p ON p.key = o.key \
                WHERE p.id IS NULL OR p.id = o.id), \
                change AS (SELECT count(*) - count(h.key) AS entries, \
                (coalesce(sum(t.stored_size), 0) - coalesce(sum(h.stored_size), 0))::bigint AS bytes \
                FROM put p JOIN new t ON t.key = p.key LEFT JOIN there h ON h.key = p.key WHERE t.counted), \
                counted AS (UPDATE {totals} s SET entries = s.entries + c.entries, bytes = s.bytes + c.bytes FROM change c \
                WHERE s.stripe = {} AND (c.entries <> 0 OR c.bytes <> 0)), \
                gone AS (DELETE FROM {records} WHERE key = ANY(ARRAY(SELECT t.removed FROM put p JOIN new t ON t.key = p.key \
                WHERE t.removed IS NOT NULL)) RETURNING id, key, version), \
                unused AS (DELETE FROM {usage} WHERE id = ANY(ARRAY(SELECT id FROM gone))), \
                told AS (SELECT pg_notify($17, message) FROM unnest($18::text[]) AS m (message) WHERE EXISTS (SELECT FROM put) \
                AND EXISTS (SELECT FROM {settings} WHERE name = 'notify')) \
                SELECT t.key, h.version, p.key IS NOT NULL, g.version, (SELECT count(*) FROM told) FROM new t \
                LEFT JOIN put p ON p.key = t.key LEFT JOIN there h ON h.key = t.key LEFT JOIN gone g ON g.key = t.removed",
                arrays(&all),
                excluded(&all),
                free_stripe(totals, 16),
            ),
            insert_records: format!(
                "INSERT INTO {records} ({names}) SELECT {values} FROM {} ORDER BY t.key",
                unnest(&all)
            ),
            replace_records: format!(
                "UPDATE {records} r SET {} FROM {} WHERE r.key = t.key",
                assigned(&all),
                unnest(&all)
            ),
            // Not a removal and an insertion: whoever waits for the row would find none.
            renew_records: format!(
                "WITH gone AS (DELETE FROM {usage} WHERE id = ANY(ARRAY(SELECT id FROM {records} WHERE key = ANY($1)))) \
                UPDATE {records} r SET id = DEFAULT, {} FROM {} WHERE r.key = t.key",
                assigned(&all),
                unnest(&all)
            ),
            patch_records: format!(
                "UPDATE {records} r SET {} FROM {} WHERE r.key = t.key",
                assigned(&patched),
                unnest(&patched)
            ),
            delete_records: format!(
                "WITH gone AS (DELETE FROM {records} WHERE key = ANY($1) RETURNING id) \
                DELETE FROM {usage} WHERE id = ANY(ARRAY(SELECT id FROM gone))"
            ),
            note_uses: format!(
                "INSERT INTO {usage} AS u (id, accessed_at, hits) SELECT r.id, t.at, t.hits \
                FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS t (key, at, hits) JOIN {records} r ON r.key = t.key \
                ORDER BY r.id ON CONFLICT (id) DO UPDATE SET {COUNT_HITS}"
            ),
            use_only: format!(
                "WITH found AS MATERIALIZED (SELECT r.id, r.key, r.version, t.at, t.hits \
                FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS t (key, at, hits) JOIN {records} r ON r.key = t.key), \
                noted AS (INSERT INTO {usage} AS u (id, accessed_at, hits) SELECT id, at, hits FROM found \
                WHERE $4 OR (SELECT count(*) FROM found) = cardinality($1) ORDER BY id \
                ON CONFLICT (id) DO UPDATE SET {COUNT_HITS}) SELECT key, version FROM found"
            ),
            insert_blobs: format!(
                "INSERT INTO {blobs} (id, digest, size, refs, condemned_at) SELECT * FROM \
                unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (id, digest, size, refs, at) \
                ORDER BY t.id"
            ),
            update_blobs: format!(
                "UPDATE {blobs} b SET digest = t.digest, size = t.size, refs = t.refs, condemned_at = t.at FROM \
                unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (id, digest, size, refs, at) \
                WHERE b.id = t.id"
            ),
            delete_blobs: format!("DELETE FROM {blobs} WHERE id = ANY($1)"),
            add_totals: format!(
                "UPDATE {totals} SET entries = entries + $2, bytes = bytes + $3, blobs = blobs + $4, \
                condemned = condemned + $5 WHERE stripe = {}",
                free_stripe(totals, 1)
            ),
            sum_totals: format!(
                "SELECT least(sum(entries), 9223372036854775807)::bigint, least(sum(bytes), 9223372036854775807)::bigint, \
                least(sum(blobs), 9223372036854775807)::bigint, least(sum(condemned), 9223372036854775807)::bigint, {NOW} \
                FROM {totals}"
            ),
            notify: "SELECT pg_notify($1, message) FROM unnest($2::text[]) AS t (message)".into(),
            try_reclaim: "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))".into(),
            lock_candidates: format!("{} SKIP LOCKED", lock(lean)),
        }
    }

    /// Reads records, by one key or by an array of keys.
    pub(crate) fn get(&self, fields: Fields, many: bool) -> &str {
        let [one, several] = of(&self.get, fields);
        if many { several } else { one }
    }

    /// Reads the records from one key on until before another one, as many as asked for.
    pub(crate) fn page(&self, fields: Fields) -> &str {
        of::<String>(&self.pages, fields)
    }
}

/// The one of [`EVERY`].
fn of<T>([least, head, value, all]: &[T; 4], fields: Fields) -> &T {
    match (fields.payload, fields.annotations) {
        (false, false) => least,
        (false, true) => head,
        (true, false) => value,
        (true, true) => all,
    }
}

/// A `SELECT` of the [`columns`] of records, without its conditions.
pub(crate) fn select(tables: &Tables, fields: Fields) -> String {
    format!("SELECT {} FROM {}", columns(fields), from(tables, fields))
}

/// The tables that [`columns`] are of.
pub(crate) fn from(tables: &Tables, fields: Fields) -> String {
    let Tables { records, usage, .. } = tables;
    let join = if fields.annotations { format!(" LEFT JOIN {usage} u ON u.id = r.id") } else { String::new() };
    format!("{records} r{join}")
}

/// The stripe of a number that is bound, or another one that nobody holds.
fn free_stripe(totals: &str, bound: usize) -> String {
    format!(
        "coalesce((SELECT stripe FROM {totals} WHERE stripe = ${bound}::smallint FOR UPDATE SKIP LOCKED), \
        (SELECT stripe FROM {totals} FOR UPDATE SKIP LOCKED LIMIT 1), ${bound}::smallint)"
    )
}

/// What an insertion that meets a row sets.
fn excluded(columns: &[&(&str, &str, &str)]) -> String {
    let names = columns.iter().map(|(name, ..)| *name).filter(|name| *name != "key");
    names.map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ")
}

fn unnest(columns: &[&(&str, &str, &str)]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, ..)| *name).collect();
    format!("unnest({}) AS t ({})", arrays(columns), names.join(", "))
}

/// The values of columns, from the first on.
fn arrays(columns: &[&(&str, &str, &str)]) -> String {
    let numbered = columns.iter().zip(1..);
    let arrays: Vec<_> = numbered.map(|((_, kind, _), number): (_, u32)| format!("${number}::{kind}[]")).collect();
    arrays.join(", ")
}
