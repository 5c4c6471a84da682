//! Which known word a misspelt one was meant to be.

/// The known word that is at most two edits away, and no more than the misspelt one is long. Upper and lower case are the
/// same; of words equally near the one with the same first letter is taken.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_ascii_lowercase();
    let edits = |name: &str| distance(word.as_bytes(), name.as_bytes());
    let name = known.iter().copied().min_by_key(|name| (edits(name), name.bytes().next() != word.bytes().next()))?;
    (edits(name) <= word.len().min(2)).then_some(name)
}

/// The edits (insert, delete, replace a byte) between two words.
///
/// Source: R. A. Wagner, M. J. Fischer, *The String-to-String Correction Problem*, J. ACM 21 (1974).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (1..=other.len()).collect();
    let mut last = other.len();
    for (index, byte) in one.iter().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (above, target) in row.iter_mut().zip(other) {
            let replaced = diagonal + usize::from(byte != target);
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
        }
        last = left;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_fewest_edits_are_counted() {
        for (one, other, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("zstd", "zst", 1),
            ("zsdt", "zstd", 2),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), edits, "{one} {other}");
        }
    }
}
