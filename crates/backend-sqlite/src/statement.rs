//! Statements that are prepared once.

use crate::failure::failure;
use cacheness_storage::Result;
use rusqlite::{Connection, Params};

/// Runs a statement; returns how many rows it changed.
pub(crate) fn run(connection: &Connection, sql: &'static str, values: impl Params) -> Result<usize> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(failure)
}
