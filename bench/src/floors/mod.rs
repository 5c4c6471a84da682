//! The floors: what an expert writes by hand for one workload, with nothing that is not asked for.

pub(crate) mod files;
pub(crate) mod hop;
#[cfg(feature = "remote")]
pub(crate) mod postgres;
#[cfg(feature = "remote")]
pub(crate) mod s3;
pub(crate) mod sqlite;
