//! The suites bite: each check fails on a store with the flaw it is there to find, and none fails on the same store
//! without a flaw, which many openings share and whose futures wait.

#![allow(clippy::unwrap_used, reason = "a poisoned lock or a full disk may end a test")]

mod blobs;
mod distort;
mod flaw;
mod flawed_blobs;
mod flawed_metadata;
mod metadata;
mod place;

use cacheness_testkit::Result;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs every check that is said to find a flaw and collects those that find none.
fn blind<F: Copy + std::fmt::Debug>(proofs: &[(F, &[&str])], run: impl Fn(&str, F) -> Result<()>) -> Vec<String> {
    let pairs = proofs.iter().flat_map(|(flaw, checks)| checks.iter().map(move |check| (*flaw, *check)));
    pairs
        .filter(|(flaw, check)| matches!(catch_unwind(AssertUnwindSafe(|| run(check, *flaw))), Ok(Ok(()))))
        .map(|(flaw, check)| format!("{check} does not find {flaw:?}"))
        .collect()
}

/// The checks that no flaw is listed for, and names that are no checks.
fn unproved<F>(proofs: &[(F, &[&'static str])], checks: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let proved: BTreeSet<_> = proofs.iter().flat_map(|(_, checks)| checks.iter().copied()).collect();
    checks.collect::<BTreeSet<_>>().symmetric_difference(&proved).copied().collect()
}
