//! What crates must not pull in, however indirectly, and how much the facade may.

use std::collections::BTreeSet;

use super::Problem;
use crate::failure::Result;
use crate::process;
use crate::workspace::Workspace;

struct Budget {
    package: &'static str,
    /// How cargo is told which features count.
    features: &'static [&'static str],
    /// Packages that must not appear; a trailing `*` stands for any ending.
    without: &'static [&'static str],
    /// The largest number of packages, itself included.
    most: Option<usize>,
}

const TLS: [&str; 5] = ["rustls*", "native-tls*", "openssl*", "ring", "aws-lc*"];

const BUDGETS: &[Budget] = &[
    Budget {
        package: "cacheness-storage",
        features: &["--all-features"],
        without: &["tokio*", "rusqlite", "libsqlite3-sys", "postgres*", TLS[0], TLS[1], TLS[2], TLS[3], TLS[4]],
        most: None,
    },
    Budget {
        package: "cacheness",
        features: &[],
        without: &["tokio-postgres", "aws-*", "arrow*", "parquet", "polars*", "tokio", TLS[0], TLS[1], TLS[2]],
        most: Some(FACADE),
    },
    Budget {
        package: "cacheness-sqlcache",
        features: &["--all-features"],
        without: &["cacheness-storage", "cacheness-handlers"],
        most: None,
    },
];

/// Packages in the tree of the facade with default features: 59 measured at first, and a little room. Raise it only with
/// a reason in the changelog.
const FACADE: usize = 64;

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for budget in BUDGETS.iter().filter(|budget| workspace.package(budget.package).is_some()) {
        let mut arguments = vec!["tree", "--package", budget.package, "--edges", "normal", "--prefix", "none"];
        arguments.extend(["--format", "{p}"]);
        arguments.extend(budget.features);
        let tree = process::capture("cargo", &arguments, &workspace.root)?;
        let packages = packages(&tree);
        println!("tidy {} pulls {} packages", budget.package, packages.len());
        problems.extend(over(budget, &packages).into_iter().map(|what| Problem::new(budget.package, what)));
    }
    Ok(problems)
}

/// The `name vVERSION` of each line of `cargo tree`, once.
fn packages(tree: &str) -> BTreeSet<&str> {
    let lines = tree.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_once(" (").map_or(line, |(package, _)| package).trim()).collect()
}

fn over(budget: &Budget, packages: &BTreeSet<&str>) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages {
        let name = package.split(' ').next().unwrap_or_default();
        let is_meant = |pattern: &&&str| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == **pattern,
        };
        if let Some(pattern) = budget.without.iter().find(is_meant) {
            problems.push(format!("pulls {name}, but must do without {pattern}"));
        }
    }
    if let Some(most) = budget.most.filter(|most| packages.len() > *most) {
        problems.push(format!("pulls {} packages, at most {most} are allowed", packages.len()));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "cacheness v0.1.0 (/x/crates/cacheness)\nserde v1.0.1\nserde_derive v1.0.1 (proc-macro)\n\
                        openssl-sys v0.9.1\nserde v1.0.1 (*)\n";

    fn budget(without: &'static [&'static str], most: Option<usize>) -> Budget {
        Budget { package: "cacheness", features: &[], without, most }
    }

    #[test]
    fn packages_count_once() {
        let expected = ["cacheness v0.1.0", "openssl-sys v0.9.1", "serde v1.0.1", "serde_derive v1.0.1"];
        assert_eq!(packages(TREE).into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn forbidden_packages_are_found_by_name_or_beginning() {
        assert_eq!(
            over(&budget(&["openssl*", "serde"], None), &packages(TREE)),
            ["pulls openssl-sys, but must do without openssl*", "pulls serde, but must do without serde"]
        );
        assert!(over(&budget(&["openssl", "tokio*"], None), &packages(TREE)).is_empty());
    }

    #[test]
    fn the_number_of_packages_is_bounded() {
        assert!(over(&budget(&[], Some(4)), &packages(TREE)).is_empty());
        assert_eq!(over(&budget(&[], Some(3)), &packages(TREE)), ["pulls 4 packages, at most 3 are allowed"]);
    }
}
