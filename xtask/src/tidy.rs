//! `cargo xtask tidy`: the house rules that no compiler and no lint checks.

mod budgets;
mod code;
mod documented;
mod documents;
mod layers;
mod packages;
mod places;

use std::fmt;

pub(crate) use packages::PACKED;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Usage: cargo xtask tidy [RULE...]

Checks the house rules, all of them or those named, and prints what breaks them:

  layers      a crate of crates/ imports only from lower floors; dev-dependencies go by path, without a version
  budgets     what crates must not pull in, and how many packages the facade may
  panics      no unwrap, expect, panic!, todo!, unimplemented! outside tests
  no-ttl      the storage crate has no name with `ttl` in it
  traits      a contract has at most 10 methods; those of backends have no bodies, so that no layer forgets one
  length      a file has at most 400 lines, tests apart, and opens with what it is for
  packages    every crate has a README (a library as its crate docs) and both licences
  documented  the lints for missing documentation are on in every crate, and nothing switches them off
  places      no paths of a build machine, no registry but crates.io
  decisions   docs/decisions/NNNN-title.md with Context, Decision, Consequences
  features    docs/features.md is what its sources say";

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A file, perhaps with a line, or a crate.
    place: String,
    what: String,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.what)
    }
}

struct Rule {
    name: &'static str,
    check: fn(&Workspace) -> Result<Vec<Problem>>,
}

impl Rule {
    /// What breaks the rule; a rule that cannot be checked is broken.
    fn problems(&self, workspace: &Workspace) -> Vec<Problem> {
        (self.check)(workspace).unwrap_or_else(|failure| vec![Problem::new(self.name, failure.to_string())])
    }
}

const RULES: &[Rule] = &[
    Rule { name: "layers", check: layers::check },
    Rule { name: "budgets", check: budgets::check },
    Rule { name: "panics", check: code::panics },
    Rule { name: "no-ttl", check: code::ttl_in_storage },
    Rule { name: "traits", check: code::contracts },
    Rule { name: "length", check: code::files },
    Rule { name: "packages", check: packages::check },
    Rule { name: "documented", check: documented::check },
    Rule { name: "places", check: places::check },
    Rule { name: "decisions", check: documents::decisions },
    Rule { name: "features", check: documents::features },
];

pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    if let Some(unknown) = arguments.iter().find(|name| !RULES.iter().any(|rule| rule.name == *name)) {
        return Err(Failure::Usage(format!("no rule is called `{unknown}`\n\n{HELP}")));
    }
    let mut broken = 0;
    for rule in RULES.iter().filter(|rule| arguments.is_empty() || arguments.iter().any(|name| name == rule.name)) {
        let problems = rule.problems(workspace);
        println!("tidy {:<11}{}", rule.name, if problems.is_empty() { "ok" } else { "broken" });
        for problem in &problems {
            println!("  {problem}");
        }
        broken += problems.len();
    }
    match broken {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 break of a house rule".into())),
        many => Err(Failure::Failed(format!("{many} breaks of house rules"))),
    }
}

/// Whether one rule holds, for the feature rows that name it as their proof.
pub(crate) fn holds(workspace: &Workspace, name: &str) -> Result<bool> {
    match RULES.iter().find(|rule| rule.name == name) {
        Some(rule) => Ok(rule.problems(workspace).is_empty()),
        None => Err(Failure::Failed(format!("no tidy rule is called `{name}`"))),
    }
}
