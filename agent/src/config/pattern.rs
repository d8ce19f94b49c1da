//! Matching of names against patterns in which `*` stands for any characters.

/// Whether `text` matches `pattern`. Without a `*` they must be equal.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pattern.rsplit_once('*').map(|(_, last)| last) else { return rest.is_empty() };
    let middle = pattern.matches('*').count().saturating_sub(1);
    for piece in pieces.take(middle) {
        match rest.find(piece).and_then(|at| rest.get(at + piece.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether `text` matches `pattern`, or there is no pattern to match.
#[must_use]
pub fn matches_if_given(pattern: Option<&str>, text: &str) -> bool {
    pattern.is_none_or(|pattern| matches(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("python3", "python3", true),
            ("python3", "python3.11", false),
            ("python*", "python3.11", true),
            ("*/bin/node", "/usr/bin/node", true),
            ("*/bin/node", "/usr/bin/nodejs", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "ac", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
