//! The tables as they are: whoever changes them writes a migration.

use crate::common::{Schema, TOKIO};

const GOLDEN: &str = include_str!("../golden/schema-v1.txt");

#[test]
fn the_tables_are_those_of_the_golden_file() {
    let schema = Schema::new();
    TOKIO.block_on(async {
        drop(schema.open("").await.unwrap());
        let columns = "SELECT format('%s.%s %s%s', table_name, column_name, data_type, \
            CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END) FROM information_schema.columns \
            WHERE table_schema = '{schema}' ORDER BY table_name, ordinal_position";
        let indexes = "SELECT replace(indexdef, '{schema}.', '') FROM pg_indexes WHERE schemaname = '{schema}' ORDER BY indexname";
        let options = "SELECT format('%s: %s', relname, reloptions) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
            WHERE nspname = '{schema}' AND relkind = 'r' ORDER BY relname";
        let checks = "SELECT format('%s: %s', c.conrelid::regclass::text, pg_get_constraintdef(c.oid)) FROM pg_constraint c \
            JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = '{schema}' AND contype = 'c' ORDER BY 1";
        let mut lines = Vec::new();
        for sql in [columns, indexes, options, checks] {
            lines.extend(schema.ask(sql).await);
        }
        let found = lines.join("\n").replace(&format!("{}.", schema.name), "") + "\n";
        assert_eq!(found, GOLDEN, "the tables changed; found:\n{found}");
    });
}
