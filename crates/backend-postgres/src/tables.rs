//! The names of a store's tables in SQL.

use crate::PostgresConfig;

/// The tables of one store, quoted, with their schema. Schema and prefix were checked to be identifiers.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub(crate) schema: String,
    pub(crate) prefix: String,
    pub(crate) migrations: String,
    pub(crate) settings: String,
    pub(crate) records: String,
    pub(crate) blobs: String,
    pub(crate) usage: String,
    pub(crate) totals: String,
}

/// What the tables of a store are called behind the prefix.
pub(crate) const NAMES: [&str; 6] = ["migrations", "settings", "records", "blobs", "usage", "totals"];

impl Tables {
    pub(crate) fn of(config: &PostgresConfig) -> Self {
        let PostgresConfig { schema, table_prefix: prefix, .. } = config;
        let name = |table: &str| format!("\"{schema}\".\"{prefix}{table}\"");
        let [migrations, settings, records, blobs, usage, totals] = NAMES.map(name);
        Self { schema: schema.clone(), prefix: prefix.clone(), migrations, settings, records, blobs, usage, totals }
    }

    /// What a lock or a channel of this store is named after.
    pub(crate) fn scope(&self, purpose: &str) -> String {
        format!("cacheness {purpose} {}.{}", self.schema, self.prefix)
    }
}
