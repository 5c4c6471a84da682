//! The feature list: every promise of the seed documents, what became of it, and the tests that prove it.

mod catalogue;
mod page;
mod status;

use std::collections::BTreeSet;

use crate::failure::{Failure, Result};
use crate::tidy;
use crate::workspace::Workspace;

pub(crate) use catalogue::Catalogue;
pub(crate) use status::{Status, Statuses};

pub(crate) const HELP: &str = "\
Usage: cargo xtask features [--check]

Writes docs/features.md from docs/features/rows.tsv (the promises, which never change) and docs/features/status.txt
(what became of each, one line a row):

  KEY-04 | done     | cacheness-tests::keys::order_never_matters
  PG-01  | planned  | shared cache
  S3-18  | declined | 0007-what-we-decline.md

--check writes nothing and fails when the page is not up to date.";

/// Where the page lives, from the root.
pub(crate) const PAGE: &str = "docs/features.md";
const ROWS: &str = "docs/features/rows.tsv";
const STATUS: &str = "docs/features/status.txt";
/// A proof with this prefix is a rule of `cargo xtask tidy` instead of a test.
const RULE: &str = "tidy:";

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let page = page(workspace)?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => std::fs::write(workspace.root.join(PAGE), page).map_err(Failure::while_doing(format!("writing {PAGE}"))),
        ["--check"] if page == read(workspace, PAGE)? => Ok(()),
        ["--check"] => Err(Failure::Failed(format!("{PAGE} is not up to date: run `cargo xtask features`"))),
        _ => Err(Failure::Usage(HELP.into())),
    }
}

/// The page as it should be.
pub(crate) fn page(workspace: &Workspace) -> Result<String> {
    let (catalogue, statuses) = load(workspace)?;
    Ok(page::render(&catalogue, &statuses))
}

/// Fails when a test that a row names is not among those that `passed`, or when a rule that it names is broken.
pub(crate) fn check(workspace: &Workspace, passed: &[&str]) -> Result<()> {
    let (_, statuses) = load(workspace)?;
    let unproven = unproven(&statuses, passed, |rule| tidy::holds(workspace, rule))?;
    if unproven.is_empty() {
        let (done, all) = (statuses.count(&Status::is_done), statuses.len());
        println!("feature rows: {done} of {all} done, every proof ran and passed");
        return Ok(());
    }
    Err(Failure::Failed(format!("feature rows whose proof did not run and pass:\n{}", unproven.join("\n"))))
}

/// The rows with a proof that did not pass or does not hold.
fn unproven(statuses: &Statuses, passed: &[&str], holds: impl Fn(&str) -> Result<bool>) -> Result<Vec<String>> {
    let passed: BTreeSet<&str> = passed.iter().copied().collect();
    let mut unproven = Vec::new();
    for (id, proof) in statuses.proofs() {
        let is_good = match proof.strip_prefix(RULE) {
            Some(rule) => holds(rule)?,
            None => passed.contains(proof),
        };
        if !is_good {
            unproven.push(format!("  {id}: {proof}"));
        }
    }
    Ok(unproven)
}

fn load(workspace: &Workspace) -> Result<(Catalogue, Statuses)> {
    let at = |file| move |problem: String| Failure::Failed(format!("{file}: {problem}"));
    let catalogue = Catalogue::parse(&read(workspace, ROWS)?).map_err(at(ROWS))?;
    let statuses = Statuses::parse(&read(workspace, STATUS)?).map_err(at(STATUS))?;
    statuses.match_with(&catalogue).map_err(at(STATUS))?;
    for (id, decision) in statuses.decisions() {
        if !workspace.root.join("docs/decisions").join(decision).is_file() {
            return Err(at(STATUS)(format!("{id}: docs/decisions/{decision} does not exist")));
        }
    }
    Ok((catalogue, statuses))
}

fn read(workspace: &Workspace, file: &str) -> Result<String> {
    std::fs::read_to_string(workspace.root.join(file)).map_err(Failure::while_doing(format!("reading {file}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_row_stands_only_while_all_its_proofs_do() {
        let statuses =
            Statuses::parse("A-1 | done | t::one t::two\nA-2 | done | tidy:layers\nA-3 | planned | later").unwrap();
        let broken = |passed: &[&str], rule_holds: bool| unproven(&statuses, passed, |_| Ok(rule_holds)).unwrap();
        assert_eq!(broken(&["t::one", "t::two"], true), [""; 0]);
        assert_eq!(broken(&["t::one"], true), ["  A-1: t::two"]);
        assert_eq!(broken(&["t::one", "t::two"], false), ["  A-2: tidy:layers"]);
    }
}
