//! Nothing in the repository tells where it was made: no paths of a build machine, no registry but crates.io.

use super::Problem;
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

/// Beginnings of absolute paths that only mean something on one machine. In pieces, so that this file passes.
const PATHS: [&str; 5] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
    concat!("C:\\", "Users\\"),
];
/// Host names that end like this exist in one network only.
const PRIVATE_HOSTS: [&str; 5] = [".internal", ".intranet", ".corp", ".lan", ".local"];
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    // A clone in CI may belong to another user than the one who checks it.
    let arguments = ["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let files = process::capture("git", &arguments, &workspace.root)?;
    let mut problems = Vec::new();
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        let path = workspace.root.join(file);
        if !path.is_file() {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(Failure::while_doing(format!("reading {file}")))?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let found = if file.ends_with("Cargo.lock") { foreign_sources(&text) } else { places(&text) };
        problems.extend(found.into_iter().map(|(line, what)| Problem::new(format!("{file}:{line}"), what)));
        if file == ".cargo/config.toml" {
            problems.extend(
                tables(&text).filter(|table| *table != "[alias]").map(|table| {
                    Problem::new(file, format!("sets {table}: a checkout must not change how cargo works"))
                }),
            );
        }
    }
    Ok(problems)
}

fn places(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(path) = PATHS.iter().find(|path| begins_path(line, path)) {
            found.push((number + 1, format!("a path of one machine ({path})")));
        }
        if let Some(host) = hosts(line).find(|host| PRIVATE_HOSTS.iter().any(|end| host.ends_with(end))) {
            found.push((number + 1, format!("a host of one network ({host})")));
        }
    }
    found
}

/// Whether the path begins here, rather than being the middle of a longer one or of an address.
fn begins_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | '~' | '}' | '>'))
    })
}

/// The hosts of all `http` addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    let starts = line.match_indices("http").filter_map(|(at, _)| line.get(at + 4..));
    starts.filter_map(|rest| rest.strip_prefix("s").unwrap_or(rest).strip_prefix("://")).filter_map(|rest| {
        let authority = rest.split(|letter: char| letter == '/' || letter.is_whitespace()).next()?;
        authority
            .rsplit('@')
            .next()?
            .split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '.' | '-'))
            .next()
    })
}

fn foreign_sources(lock: &str) -> Vec<(usize, String)> {
    let sources = lock.lines().enumerate().filter_map(|(number, line)| {
        let source = line.strip_prefix("source = \"")?.strip_suffix('"')?;
        (source != CRATES_IO).then(|| (number + 1, "a source other than crates.io".to_owned()))
    });
    sources.collect()
}

fn tables(config: &str) -> impl Iterator<Item = &str> {
    config.lines().map(str::trim).filter(|line| line.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found_where_they_begin() {
        for path in PATHS {
            assert_eq!(places(&format!("a\nlet x = \"{path}main\";")).len(), 1, "{path}");
            assert_eq!(places(&format!("see https://example.org{path} and ..{path}")), [], "{path}");
        }
    }

    #[test]
    fn hosts_of_one_network_are_found() {
        let address = |host: &str| format!("fetch http://{host}/index");
        assert_eq!(places(&address(concat!("mirror", ".lan:8080"))).len(), 1);
        assert_eq!(places(&address(concat!("user:word@mirror", ".internal"))).len(), 1);
        assert_eq!(places(&address("crates.io")), []);
    }

    #[test]
    fn locked_packages_come_from_crates_io() {
        assert_eq!(foreign_sources(&format!("source = \"{CRATES_IO}\"\n")), []);
        assert_eq!(foreign_sources("a\nsource = \"git+https://example.org/x#1\"\n").len(), 1);
    }
}
