//! The small pattern language of the price table: `*` is any run of characters, `#` one decimal digit, a leading `!`
//! negates, and everything else stands for itself. Patterns and texts are compared in lower case.

use std::fmt;

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    negated: bool,
    text: Box<str>,
}

impl Glob {
    /// A pattern as written in the table.
    pub(super) fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        match text.strip_prefix('!') {
            Some(rest) => Self { negated: true, text: rest.into() },
            None => Self { negated: false, text: text.into() },
        }
    }

    /// Whether the text, already in lower case, matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        run(self.text.as_bytes(), text.as_bytes()) != self.negated
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", if self.negated { "!" } else { "" }, self.text)
    }
}

/// Greedy match with one point to go back to: the last `*`. At most pattern length times text length steps.
fn run(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                back = Some((p + 1, t));
                p += 1;
            }
            (Some(&sign), Some(&byte)) if sign == byte || (sign == b'#' && byte.is_ascii_digit()) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((after_star, from)) if from < text.len() => {
                    p = after_star;
                    t = from + 1;
                    back = Some((after_star, t));
                }
                _ => return false,
            },
        }
    }
}

/// Rules of which one must hold; each is a list of patterns that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules(pub(super) Vec<Vec<Glob>>);

impl Rules {
    /// The first rule that holds for the text, already in lower case.
    pub(super) fn find(&self, text: &str) -> Option<&[Glob]> {
        self.0.iter().find(|all| all.iter().all(|glob| glob.matches(text))).map(Vec::as_slice)
    }
}

/// A pattern for a host and, after a slash, the beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostGlob {
    host: Glob,
    path: Option<Glob>,
}

impl HostGlob {
    /// `host` or `host/path*`.
    pub(super) fn new(text: &str) -> Self {
        match text.split_once('/') {
            Some((host, path)) => Self { host: Glob::new(host), path: Some(Glob::new(&format!("/{path}"))) },
            None => Self { host: Glob::new(text), path: None },
        }
    }

    /// Whether a request to that host (lower case, without a port) and path matches.
    pub(super) fn matches(&self, host: &str, path: &str) -> bool {
        self.host.matches(host) && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_written() {
        for (pattern, text, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("GPT-4o*", "gpt-4o-mini", true),
            ("*-latest", "claude-latest", true),
            ("*-latest", "claude-latest-2", false),
            ("*claude-3*", "us.anthropic.claude-3-haiku", true),
            ("a-####-##", "a-2026-10", true),
            ("a-####-##", "a-2026-1x", false),
            ("!*-tts", "gemini-tts", false),
            ("!*-tts", "gemini", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*a*a*a*", "aa", false),
            ("*ab", "aab", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn host_and_path_are_matched_apart() {
        let glob = HostGlob::new("router.example/groq*");
        assert!(glob.matches("router.example", "/groq/openai/v1"));
        assert!(!glob.matches("router.example", "/v1"));
        assert!(!HostGlob::new("*.example").matches("example", "/"));
        assert!(!HostGlob::new("api.*").matches("other/api.x", "/"));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_recursive_matcher(pattern in "[ab*#1]{0,8}", text in "[ab1]{0,8}") {
            fn plain(p: &[u8], t: &[u8]) -> bool {
                match p.split_first() {
                    None => t.is_empty(),
                    Some((b'*', rest)) => (0..=t.len()).any(|n| plain(rest, &t[n..])),
                    Some((sign, rest)) => t.split_first().is_some_and(|(byte, tail)| {
                        (sign == byte || (*sign == b'#' && byte.is_ascii_digit())) && plain(rest, tail)
                    }),
                }
            }
            prop_assert_eq!(Glob::new(&pattern).matches(&text), plain(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
