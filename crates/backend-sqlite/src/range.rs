//! Ranges of keys, in the order of their bytes.

use cacheness_storage::EntryKey;

/// The first text after all that start with `prefix`; `None` when there is none.
pub(crate) fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // The step over the surrogates leads from U+D7FF to U+E000, which are neighbours in UTF-8, too.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// The first text after all user keys that start with `prefix`.
pub(crate) fn end_of_keys(prefix: &str) -> String {
    let end = end_of_prefix(prefix).unwrap_or_else(|| EntryKey::SYSTEM.to_string());
    end.min(EntryKey::SYSTEM.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_in_byte_order() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("a\u{10FFFF}", Some("b")),
            ("x\u{7F}", Some("x\u{80}")),
            ("\u{D7FF}", Some("\u{E000}")),
            ("\u{FFFF}", Some("\u{10000}")),
            ("a\0", Some("a\u{1}")),
            ("", None),
            ("\u{10FFFF}\u{10FFFF}", None),
        ] {
            assert_eq!(end_of_prefix(prefix).as_deref(), end, "{prefix:?}");
        }
    }

    #[test]
    fn system_keys_lie_beyond_the_end_of_every_prefix() {
        for prefix in ["", "\u{10FFFE}", "\u{10FFFF}", "\u{10FFFF}x"] {
            assert!(*end_of_keys(prefix) <= *EntryKey::system("").as_str(), "{prefix:?}");
        }
    }
}
