//! The floors: what an expert writes by hand for one workload, with nothing that is not asked for.

pub(crate) mod files;
pub(crate) mod hop;
pub(crate) mod sqlite;
