//! Finds the items that exist only in tests.

use std::ops::Range;

/// Attributes that make an item a test item, as rustfmt writes them.
const TEST_ATTRIBUTES: [&str; 2] = ["#[cfg(test)]", "#[cfg(all(test,"];

/// Code without its test items, and the number of lines outside them. Expects comments and literals to be blank.
pub(crate) fn without_tests(code: &str) -> (String, usize) {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.lines().count();
    let mut end = 0;
    for item in test_items(code) {
        let text = code.get(item.clone()).unwrap_or_default();
        lines = lines.saturating_sub(text.lines().count());
        kept.push_str(code.get(end..item.start).unwrap_or_default());
        kept.extend(text.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        end = item.end;
    }
    kept.push_str(code.get(end..).unwrap_or_default());
    (kept, lines)
}

/// The names of test modules that live in files of their own.
pub(crate) fn test_modules(code: &str) -> Vec<String> {
    let items = test_items(code).into_iter().filter_map(|item| code.get(item));
    items.filter_map(|item| Some(item.strip_suffix(';')?.rsplit_once("mod ")?.1.trim().to_owned())).collect()
}

/// From the attribute to the end of each test item.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(start) = next_attribute(code, at) {
        let end = start + item_length(code.get(start..).unwrap_or_default());
        items.push(start..end);
        at = end;
    }
    items
}

fn next_attribute(code: &str, from: usize) -> Option<usize> {
    let rest = code.get(from..)?;
    TEST_ATTRIBUTES.iter().filter_map(|attribute| rest.find(attribute)).min().map(|at| from + at)
}

/// The length of an item with its attributes: to its closing brace, its semicolon, or, for fields and variants, to the
/// comma or to the brace that closes what they stand in.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in item.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' if depth == 0 => return at,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            ',' if depth == 0 && !has_generics(item.get(..at).unwrap_or_default()) => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Whether a comma after this text separates type parameters rather than fields.
fn has_generics(head: &str) -> bool {
    let closed = head.matches('>').count() - head.matches("->").count();
    head.matches('<').count() > closed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(code: &str) -> String {
        without_tests(code).0.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn test_modules_functions_and_imports_are_left_out() {
        assert_eq!(kept("a;\n#[cfg(test)]\nmod tests {\n fn f() { x }\n}\nb;"), "a; b;");
        assert_eq!(kept("#[cfg(test)]\n#[allow(x)]\nfn f<A, B>(a: [u8; 4]) -> B { c }\nb;"), "b;");
        assert_eq!(kept("#[cfg(test)]\nuse a::b;\nuse c;"), "use c;");
        assert_eq!(kept("#[cfg(all(test, unix))]\nmod t { }\nuse c;"), "use c;");
    }

    #[test]
    fn fields_of_test_builds_end_where_they_end() {
        assert_eq!(kept("struct S { a: u8, #[cfg(test)] b: Map<K, V>, c: u8 } d"), "struct S { a: u8, c: u8 } d");
        assert_eq!(kept("struct S { #[cfg(test)] b: u8 } d"), "struct S { } d");
    }

    #[test]
    fn lines_of_test_items_do_not_count() {
        assert_eq!(without_tests("a\nb\n#[cfg(test)]\nmod t {\n}\n").1, 2);
    }

    #[test]
    fn modules_in_files_of_their_own_are_named() {
        assert_eq!(
            test_modules("mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) mod fakes;\n"),
            ["tests", "fakes"]
        );
    }
}
