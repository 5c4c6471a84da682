//! Rules about the sources themselves.

use super::Problem;
use crate::failure::Result;
use crate::source::{self, Source, is_word};
use crate::workspace::Workspace;

/// What stops a program instead of returning an error.
const PANICS: [&str; 7] = [".unwrap(", ".unwrap_err(", ".expect(", ".expect_err(", "panic!", "todo!", "unimplemented!"];
const MOST_METHODS: usize = 10;
const MOST_LINES: usize = 400;
/// The crates whose public traits are contracts with plug-in authors.
const CONTRACTS: [&str; 2] = ["cacheness-handlers", "cacheness-storage"];

pub(crate) fn panics(workspace: &Workspace) -> Result<Vec<Problem>> {
    each(workspace, source::house(workspace)?, panics_in)
}

pub(crate) fn ttl_in_storage(workspace: &Workspace) -> Result<Vec<Problem>> {
    let Some(storage) = workspace.package("cacheness-storage") else { return Ok(Vec::new()) };
    each(workspace, source::sources(&storage.directory)?, ttl_in)
}

pub(crate) fn contracts(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut all = Vec::new();
    for package in CONTRACTS.iter().filter_map(|name| workspace.package(name)) {
        all.extend(source::sources(&package.directory)?);
    }
    each(workspace, all, loose_traits)
}

pub(crate) fn files(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut all = source::house(workspace)?;
    if let Some(xtask) = workspace.package("xtask") {
        all.extend(source::sources(&xtask.directory)?);
    }
    each(workspace, all, shape)
}

fn each(workspace: &Workspace, all: Vec<Source>, check: fn(&Source) -> Vec<(usize, String)>) -> Result<Vec<Problem>> {
    let place = |source: &Source, line| format!("{}:{line}", workspace.relative(&source.path));
    Ok(all
        .iter()
        .flat_map(|source| check(source).into_iter().map(|(line, what)| Problem::new(place(source, line), what)))
        .collect())
}

fn panics_in(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        for pattern in PANICS {
            let is_whole = |at: usize| {
                let before = line.get(..at).and_then(|text| text.chars().next_back());
                pattern.starts_with('.') || !before.is_some_and(is_word)
            };
            if line.match_indices(pattern).any(|(at, _)| is_whole(at)) {
                found.push((number + 1, format!("`{}` outside tests", pattern.trim_matches(['.', '(']))));
            }
        }
    }
    found
}

fn ttl_in(source: &Source) -> Vec<(usize, String)> {
    let names = source.words().filter(|(_, word)| parts(word).iter().any(|part| part.eq_ignore_ascii_case("ttl")));
    names.map(|(line, word)| (line, format!("`{word}`: the storage floor knows no TTL"))).collect()
}

/// The parts of a name in snake or camel case: `DefaultTtl` and `default_ttl` both have `ttl`, `throttle` does not.
fn parts(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        let begins =
            before.is_some_and(|before| !before.is_uppercase()) || after.is_some_and(|after| after.is_lowercase());
        if letter.is_uppercase() && begins {
            snake.push('_');
        }
        snake.push(*letter);
    }
    snake.split('_').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Public traits with more methods than one can keep in mind, and contracts of backends with methods that an implementation
/// may leave out: a layer that did would bypass what it is put around.
fn loose_traits(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in source.code.match_indices("pub trait ") {
        let (before, rest) = source.code.split_at_checked(at).unwrap_or((&source.code, ""));
        let name: String =
            rest.trim_start_matches("pub trait ").chars().take_while(|letter| is_word(*letter)).collect();
        let line = before.matches('\n').count() + 1;
        let methods = methods(rest);
        if methods.len() > MOST_METHODS {
            let count = methods.len();
            found.push((line, format!("trait {name} has {count} methods, at most {MOST_METHODS} are allowed")));
        }
        for method in methods.iter().filter(|method| method.has_body && name.ends_with("Backend")) {
            let line = line + method.line;
            found.push((line, format!("{name}::{} has a body, so a layer could forget to forward it", method.name)));
        }
    }
    found
}

/// A method of a trait.
struct Method {
    name: String,
    /// Lines below that of the trait.
    line: usize,
    has_body: bool,
}

/// The `fn`s directly inside the first braces.
fn methods(item: &str) -> Vec<Method> {
    let mut found: Vec<Method> = Vec::new();
    let (mut braces, mut brackets, mut line) = (0_usize, 0_usize, 0);
    let (mut before, mut word) = (String::new(), String::new());
    let mut is_head = false;
    for letter in item.chars() {
        if is_word(letter) {
            word.push(letter);
            continue;
        }
        if braces == 1 && before == "fn" && !word.is_empty() {
            found.push(Method { name: word.clone(), line, has_body: false });
            is_head = true;
        }
        if !word.is_empty() {
            before = std::mem::take(&mut word);
        }
        if !letter.is_whitespace() {
            before.clear();
        }
        match letter {
            '\n' => line += 1,
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => {
                if braces == 1
                    && brackets == 0
                    && std::mem::take(&mut is_head)
                    && let Some(method) = found.last_mut()
                {
                    method.has_body = true;
                }
                braces += 1;
            }
            '}' if braces <= 1 => break,
            '}' => braces -= 1,
            ';' if braces == 0 => break,
            ';' if braces == 1 && brackets == 0 => is_head = false,
            _ => {}
        }
    }
    found
}

fn shape(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if source.lines > MOST_LINES {
        found.push((1, format!("{} lines without tests, at most {MOST_LINES} are allowed", source.lines)));
    }
    if !source.text.starts_with("//!") && !source.text.starts_with("#![doc") {
        found.push((1, "does not open with what it is for (`//!`)".into()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("x.rs".into(), text.into())
    }

    fn lines(found: Vec<(usize, String)>) -> Vec<usize> {
        found.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn panics_are_found_in_code_alone() {
        let text = "fn f() {\n  a.unwrap();\n  \"panic!\"; // todo!()\n  b.expect(\"x\");\n  my_panic!();\n  a.unwrap_or(1);\n}\n\
                    #[cfg(test)]\nmod tests {\n fn t() { a.unwrap() }\n}\nfn g() { core::panic!() }\n";
        assert_eq!(lines(panics_in(&source(text))), [2, 4, 12]);
    }

    #[test]
    fn ttl_is_found_as_part_of_a_name_but_not_of_a_word() {
        let text = "/// the ttl\nstruct DefaultTtl;\nlet ttl_of = 1;\nfn throttle() {}\nstruct TTLCache;\nlet shuttle = \"ttl\";\n";
        assert_eq!(lines(ttl_in(&source(text))), [2, 3, 5]);
    }

    #[test]
    fn names_fall_into_parts() {
        assert_eq!(parts("default_ttl"), ["default", "ttl"]);
        assert_eq!(parts("DefaultTtlOf"), ["Default", "Ttl", "Of"]);
        assert_eq!(parts("TTLCache"), ["TTL", "Cache"]);
        assert_eq!(parts("_"), [""; 0]);
    }

    #[test]
    fn a_trait_of_eleven_methods_is_too_broad() {
        let body = |count| "  async fn f(&self) -> Box<dyn Fn()> { fn inner() {} }\n".repeat(count);
        let text = |count| format!("//! x\n\npub trait Wide: Send {{\n{}}}\nfn other() {{}}\n", body(count));
        assert_eq!(lines(loose_traits(&source(&text(11)))), [3]);
        assert!(loose_traits(&source(&text(10))).is_empty());
    }

    #[test]
    fn a_backend_has_no_method_that_a_layer_could_forget() {
        let text = |name| {
            format!(
                "//! x\npub trait {name} {{\n  fn named(&self, of: [u8; 4]) -> Box<dyn Fn(&str)>;\n  async fn given(&self) {{\n    \
                 fn inner() {{}}\n  }}\n  fn last(\n    &self,\n  ) -> bool\n  where\n    Self: Sized,\n  {{\n    true\n  }}\n}}\n"
            )
        };
        assert_eq!(lines(loose_traits(&source(&text("BlobBackend")))), [4, 7]);
        assert!(loose_traits(&source(&text("Handler"))).is_empty());
    }

    #[test]
    fn files_are_short_and_say_what_they_are_for() {
        assert!(shape(&source("//! What.\n")).is_empty());
        assert_eq!(shape(&source("fn f() {}\n")).len(), 1);
        let long = format!("//! What.\n{}", "a;\n".repeat(MOST_LINES));
        assert_eq!(shape(&source(&long)).len(), 1);
        let tested = format!("//! What.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "a;\n".repeat(MOST_LINES));
        assert!(shape(&source(&tested)).is_empty());
    }
}
