//! A transaction that holds the write lock from its beginning.

use rusqlite::Connection;

/// Rolled back when it is dropped, also in a panic.
pub(crate) struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    /// Takes the write lock, waiting for it as long as the connection's busy timeout says.
    pub(crate) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        run(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    /// Begins a part that can be taken back alone.
    pub(crate) fn begin_part(&self) -> rusqlite::Result<()> {
        run(self.0, "SAVEPOINT part")
    }

    /// Ends a part, kept or taken back. After an error the whole transaction can only be rolled back.
    pub(crate) fn end_part(&self, keep: bool) -> rusqlite::Result<()> {
        if !keep {
            run(self.0, "ROLLBACK TO part")?;
        }
        run(self.0, "RELEASE part")
    }

    /// How many rows the connection has written so far.
    pub(crate) fn written(&self) -> u64 {
        self.0.total_changes()
    }

    /// Whether SQLite took it back because of an error.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_autocommit()
    }

    /// The connection that it is on.
    pub(crate) fn connection(&self) -> &'c Connection {
        self.0
    }

    /// Makes it final. After an error it may or may not be.
    pub(crate) fn commit(self) -> rusqlite::Result<()> {
        run(self.0, "COMMIT")
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Nothing more can be done; the next BEGIN would say so.
            drop(run(self.0, "ROLLBACK"));
        }
    }
}

fn run(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
