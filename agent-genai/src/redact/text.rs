//! Credentials in free text: the keys of known providers, bearer tokens, JSON web tokens, PEM blocks, and what addresses
//! carry. One pass, no backtracking: each byte is looked at a bounded number of times.

use std::borrow::Cow;

use super::{REDACTED, names};

/// Beginnings of keys, and how many characters of a key must follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 8),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("csk-", 16),
    ("AIza", 30),
    ("GOCSPX-", 16),
    ("ya29.", 16),
    ("gsk_", 16),
    ("xai-", 16),
    ("hf_", 16),
    ("pplx-", 16),
    ("r8_", 16),
    ("ek_", 16),
    ("nvapi-", 16),
    ("tvly-", 16),
    ("lsv2_", 16),
    ("tgp_v1_", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("npm_", 30),
    ("xoxb-", 8),
    ("xoxa-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
];
/// First bytes of everything that is looked for at the beginning of a word.
const FIRST: &[u8] = b"sSrRcAGyghxpentleEbB";
/// Words after which a credential stands.
const SCHEMES: &[&str] = &["bearer ", "basic "];
/// Shortest credential after such a word: shorter ones are words of a sentence.
const LEAST_TOKEN: usize = 16;
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";

/// The text with each credential replaced by [`REDACTED`](super::REDACTED); borrowed when there is none.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let fresh =
            at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|b| !b.is_ascii_alphanumeric());
        let found = match byte {
            b'?' | b'&' => parameter(bytes, at),
            b':' => password(bytes, at),
            b'-' => pem(text, at),
            _ if fresh && FIRST.contains(&byte) => key(bytes, at),
            _ => None,
        };
        match found {
            Some((from, to)) => {
                out.push_str(text.get(copied..from).unwrap_or_default());
                out.push_str(REDACTED);
                copied = to;
                at = to;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Length of the run of bytes from `at` for which `keep` holds.
fn run(bytes: &[u8], at: usize, keep: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| keep(**byte)).count()
}

/// Characters of keys; `*` because providers echo keys with their middle masked.
fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*')
}

/// Characters of bearer tokens (RFC 6750, section 2.1).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b'*')
}

/// A key that begins here.
fn key(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at..)?;
    for (prefix, least) in PREFIXES {
        if rest.starts_with(prefix.as_bytes()) {
            let from = at + prefix.len();
            // A trailing dot or dash ends a sentence rather than a key, but losing it costs nothing.
            let length = run(bytes, from, |byte| is_key_byte(byte) || (*prefix == "ya29." && byte == b'.'));
            if length >= *least {
                return Some((at, from + length));
            }
        }
    }
    // Only where a run of its characters begins, so that no run is looked at twice.
    let inside = at
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|byte| matches!(byte, b'-' | b'_'));
    let token = || if inside { None } else { web_token(rest) };
    amazon(rest).or_else(token).or_else(|| scheme(rest)).map(|(from, to)| (at + from, at + to))
}

/// An AWS access key id: four fixed letters and sixteen more.
fn amazon(rest: &[u8]) -> Option<(usize, usize)> {
    if !rest.starts_with(b"AKIA") && !rest.starts_with(b"ASIA") {
        return None;
    }
    let length = run(rest, 0, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let ended = !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
    (length == 20 && ended).then_some((0, length))
}

/// A JSON web token: two or three parts in base64url, the first two beginning with an encoded `{"`.
fn web_token(rest: &[u8]) -> Option<(usize, usize)> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let head = run(rest, 0, part);
    if !rest.get(head..)?.starts_with(b".eyJ") {
        return None;
    }
    let body = head + 1 + run(rest, head + 1, part);
    let signed = rest.get(body) == Some(&b'.');
    Some((0, if signed { body + 1 + run(rest, body + 1, part) } else { body }))
}

/// A credential after the name of an authentication scheme.
fn scheme(rest: &[u8]) -> Option<(usize, usize)> {
    for scheme in SCHEMES {
        if rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes())) {
            let length = run(rest, scheme.len(), is_token_byte);
            if length >= LEAST_TOKEN {
                return Some((scheme.len(), scheme.len() + length));
            }
        }
    }
    None
}

/// The value of a secret query parameter whose name begins after this `?` or `&`.
fn parameter(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let name = bytes.get(at + 1..)?;
    let length = name.iter().take(names::LONGEST_PARAMETER + 1).position(|byte| *byte == b'=')?;
    let text = std::str::from_utf8(name.get(..length)?).ok()?;
    if !names::is_secret_parameter(text) {
        return None;
    }
    let from = at + 1 + length + 1;
    let ends = |byte: u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'&' | b'#' | b'"' | b'\'' | b'<' | b'>' | b')' | b'`')
    };
    let length = run(bytes, from, |byte| !ends(byte));
    let value = bytes.get(from..from + length)?;
    (length > 0 && value != REDACTED.as_bytes()).then_some((from, from + length))
}

/// `user:password` between this `://` and the host.
fn password(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if !bytes.get(at..)?.starts_with(b"://") {
        return None;
    }
    let from = at + 3;
    let ends = |byte: u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>')
    };
    let authority = bytes.get(from..from + run(bytes, from, |byte| !ends(byte)))?;
    let user = authority.iter().rposition(|byte| *byte == b'@')?;
    let found = authority.get(..user)?;
    (found.contains(&b':')).then_some((from, from + user))
}

/// A PEM block, up to its end or, cut off, to the end of the text.
fn pem(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    if !rest.starts_with(PEM_BEGIN) {
        return None;
    }
    let Some(end) = rest.find(PEM_END) else { return Some((at, text.len())) };
    let label = end + PEM_END.len();
    let close = rest.get(label..).and_then(|tail| tail.find("-----")).map_or(rest.len(), |n| label + n + 5);
    Some((at, at + close))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Built at run time, so that no scanner takes the test for a leak.
    fn keys() -> Vec<String> {
        let filler = |n: usize| "aB3dE6gH9".chars().cycle().take(n).collect::<String>();
        let mut keys: Vec<String> =
            PREFIXES.iter().map(|(prefix, least)| format!("{prefix}{}", filler(*least + 5))).collect();
        keys.push(format!("sk-ant-api03-{}-{}AA", filler(40), filler(20)));
        keys.push(format!("sk-proj-{}****{}", filler(8), filler(4)));
        keys.push(format!("AKIA{}", "ABCD2345".repeat(2)));
        keys.push(format!("eyJ{}.eyJ{}.{}", filler(20), filler(30), filler(43)));
        keys.push(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", filler(64)));
        keys
    }

    #[test]
    fn keys_of_every_kind_go_and_what_is_around_them_stays() {
        for key in keys() {
            for (before, after) in
                [("", ""), ("key: ", ", ok"), ("(\"", "\")"), ("=", "\n"), ("é", "é"), ("/", "/x")]
            {
                let text = format!("{before}{key}{after}");
                assert_eq!(redact_text(&text), format!("{before}{REDACTED}{after}"), "{text}");
            }
        }
    }

    #[test]
    fn schemes_keep_their_name() {
        let token = "abcdef/0123456789+==";
        assert_eq!(
            redact_text(&format!("Authorization: Bearer {token}")),
            "Authorization: Bearer [redacted]"
        );
        assert_eq!(redact_text(&format!("basic {token}!")), "basic [redacted]!");
        assert_eq!(redact_text("a basic understanding"), "a basic understanding");
    }

    #[test]
    fn a_cut_pem_block_is_cut_to_the_end() {
        assert_eq!(redact_text("x -----BEGIN RSA PRIVATE KEY-----\nMIIE"), "x [redacted]");
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in [
            "",
            "a risk-averse disk-based task-list-for-everyone-here",
            "gpt-4o-mini, sk-learn, hf_hub, xai-sdk",
            "https://host.example/path?q=key&page=2&tokens=5",
            "mail me@host.example: at 10:30",
            "eyJ is how JSON begins in base64",
            "AKIA and ASIA are prefixes; AKIAxyz",
            "-- a dash ----- and more",
            "Ünïcödé ??&&== ://",
        ] {
            assert!(matches!(redact_text(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_never_survives(before in "\\PC{0,20}", after in "\\PC{0,20}", index in any::<proptest::sample::Index>()) {
            let keys = keys();
            let key = index.get(&keys);
            let cleaned = redact_text(&format!("{before} {key} {after}")).into_owned();
            prop_assert!(!cleaned.contains(key.as_str()));
        }

        #[test]
        fn any_text_is_taken_and_twice_is_once(text in "(\\PC|[?&=:/@.\\- ]|sk-|key=|://|-----BEGIN |-----END |eyJ|Bearer ){0,60}") {
            let once = redact_text(&text).into_owned();
            prop_assert_eq!(redact_text(&once).into_owned(), once);
        }
    }
}
