//! Blanks what is not code, by the lexical rules of the Rust reference ("Comments", "Tokens").

use super::is_word;

/// The source with comments and the insides of literals replaced by spaces; line breaks stay.
pub(crate) fn comments_and_literals(source: &str) -> String {
    let mut scanner = Scanner { rest: source, code: String::with_capacity(source.len()), after_word: false };
    while scanner.step() {}
    scanner.code
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
    /// Whether the letter just taken belongs to a word, so that `r` in `for"` begins no raw string.
    after_word: bool,
}

impl Scanner<'_> {
    /// Takes one token or letter; false at the end.
    fn step(&mut self) -> bool {
        let Some(letter) = self.rest.chars().next() else { return false };
        let length = match letter {
            '/' if self.rest.starts_with("//") => self.rest.find('\n').unwrap_or(self.rest.len()),
            '/' if self.rest.starts_with("/*") => block_comment(self.rest),
            '"' => string(self.rest),
            '\'' => character(self.rest),
            'r' | 'b' | 'c' if !self.after_word => prefixed(self.rest),
            _ => 0,
        };
        if length == 0 {
            self.after_word = is_word(letter);
            self.code.push(letter);
            self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        } else {
            let (token, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
            self.code.extend(token.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
            self.after_word = false;
            self.rest = rest;
        }
        true
    }
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a literal between double quotes with escapes.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or 0 when the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    let Some((_, first)) = letters.next() else { return 0 };
    if first == '\\' {
        letters.next();
        return letters.find(|(_, letter)| *letter == '\'').map_or(text.len(), |(at, _)| at + 1);
    }
    match letters.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

/// The length of a literal with a prefix (`r"`, `br#"`, `b'`, `c"`), or 0 when there is none.
fn prefixed(text: &str) -> usize {
    let prefix = text.len() - text.trim_start_matches(['r', 'b', 'c']).len();
    let (head, body) = text.split_at_checked(prefix).unwrap_or((text, ""));
    match head {
        "b" if body.starts_with('\'') => prefix + character(body),
        "b" | "c" if body.starts_with('"') => prefix + string(body),
        "r" | "br" | "cr" => {
            let inner = body.trim_start_matches('#');
            let hashes = body.len() - inner.len();
            if !inner.starts_with('"') {
                return 0;
            }
            let end = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 1;
            body.get(open..).and_then(|rest| rest.find(&end)).map_or(text.len(), |at| prefix + open + at + end.len())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::comments_and_literals;

    fn words(source: &str) -> Vec<String> {
        comments_and_literals(source).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn comments_are_blank() {
        assert_eq!(words("a // panic!()\nb /* x /* y */ z */ c\n/// doc\nd"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn literals_are_blank() {
        assert_eq!(
            words(r#"f("x.unwrap() \" y", 'a', '\'', b'"', b"q", c"r") g"#),
            ["f(", ",", ",", ",", ",", ",", ")", "g"]
        );
        assert_eq!(words("a r\"\\\" b r#\"x \" y\"# c br##\"\"# z\"## d"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn lifetimes_raw_names_and_words_before_quotes_are_code() {
        assert_eq!(
            words("fn f<'a>(r#type: &'a str) { for_r\"x\" }"),
            ["fn", "f<'a>(r#type:", "&'a", "str)", "{", "for_r", "}"]
        );
    }

    #[test]
    fn lines_are_kept_and_open_ends_are_survived() {
        let source = "a\n\"x\ny\"\n/* z\n*/ b";
        assert_eq!(comments_and_literals(source).lines().count(), source.lines().count());
        for open in ["\"", "r#\"", "/*", "'", "'\\", "b'", "é'é", "\"\\"] {
            comments_and_literals(open);
        }
    }
}
