//! The floors of the house: a crate imports only from lower ones.

use super::Problem;
use crate::failure::Result;
use crate::workspace::{Dependency, Package, Workspace};

/// The floor of a crate of ours; `None` for a name that has none.
fn floor(name: &str) -> Option<u8> {
    match name.strip_prefix("cacheness-").unwrap_or(name) {
        "core" | "macros" => Some(0),
        "generations" | "handlers" | "sql" => Some(1),
        "storage" | "sqlcache" => Some(2),
        "cache" | "testkit" => Some(3),
        "cacheness" | "cli" | "tower" => Some(4),
        name if name.starts_with("handler-") => Some(2),
        name if name.starts_with("backend-") => Some(3),
        _ => None,
    }
}

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    Ok(problems(workspace.crates()))
}

fn problems<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in packages {
        let Some(own) = floor(&package.name) else {
            problems.push(Problem::new(&package.name, "stands on no floor: give it one in xtask/src/tidy/layers.rs"));
            continue;
        };
        let ours = package.dependencies.iter().filter(|dependency| dependency.has_path);
        problems.extend(ours.filter_map(|on| problem(own, on)).map(|what| Problem::new(&package.name, what)));
    }
    problems
}

fn problem(own: u8, on: &Dependency) -> Option<String> {
    let name = &on.name;
    if on.is_dev {
        let versioned = on.requirement != "*";
        return versioned
            .then(|| format!("dev-dependency {name} carries a version: `path` alone, so that packing leaves it out"));
    }
    match floor(name) {
        None => Some(format!("imports {name}, which stands on no floor")),
        Some(other) if other >= own => Some(format!("(floor {own}) imports {name} (floor {other})")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(name: &str) -> Dependency {
        Dependency { name: name.into(), is_dev: false, requirement: "^0.1.0".into(), has_path: true }
    }

    fn package(name: &str, dependencies: Vec<Dependency>) -> Package {
        Package {
            id: name.into(),
            name: name.into(),
            version: "0.1.0".into(),
            directory: "crates".into(),
            readme: None,
            is_library: true,
            publishes: true,
            dependencies,
        }
    }

    fn found(name: &str, dependencies: Vec<Dependency>) -> Vec<String> {
        problems([package(name, dependencies)].iter()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_from_lower_floors_and_from_outside_are_fine() {
        let serde = Dependency { has_path: false, ..on("serde") };
        assert_eq!(found("cacheness-backend-fs", vec![on("cacheness-core"), on("cacheness-storage"), serde]), [""; 0]);
    }

    #[test]
    fn imports_from_the_same_or_a_higher_floor_are_refused() {
        assert_eq!(
            found("cacheness-storage", vec![on("cacheness-cache"), on("cacheness-handler-ndarray")]),
            [
                "cacheness-storage: (floor 2) imports cacheness-cache (floor 3)",
                "cacheness-storage: (floor 2) imports cacheness-handler-ndarray (floor 2)"
            ]
        );
        assert_eq!(found("cacheness-macros", vec![on("cacheness-core")]).len(), 1);
    }

    #[test]
    fn dev_dependencies_may_climb_but_carry_no_version() {
        let by_path = Dependency { is_dev: true, requirement: "*".into(), ..on("cacheness-testkit") };
        let versioned = Dependency { is_dev: true, ..on("cacheness-testkit") };
        assert_eq!(found("cacheness-storage", vec![by_path]), [""; 0]);
        assert_eq!(found("cacheness-storage", vec![versioned]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        assert_eq!(found("cacheness-misc", vec![]).len(), 1);
        assert_eq!(found("cacheness-cache", vec![on("xtask")]).len(), 1);
    }
}
