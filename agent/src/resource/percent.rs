//! Percent-decoding, as the list-shaped `OTEL_*` variables use it (RFC 3986, no `+` for space).

/// Decodes `%XX`; `None` when an escape is malformed or the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::decode;

    #[test]
    fn decodes_escapes_and_keeps_the_rest() {
        assert_eq!(decode("Basic%20YWJj%3D"), Some("Basic YWJj=".to_owned()));
        assert_eq!(decode("a+b"), Some("a+b".to_owned()));
        assert_eq!(decode("caf%C3%a9"), Some("café".to_owned()));
        assert_eq!(decode(""), Some(String::new()));
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for text in ["%", "%2", "a%zz", "%+1", "%ff"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn undoes_encoding(text in ".*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded), Some(text));
        }

        #[test]
        fn takes_anything(text in ".*") {
            let _ = decode(&text);
        }
    }
}
