//! Headers of export requests: parsed strictly, and never shown.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::resource::percent;

/// Headers that the exporter sets itself.
const RESERVED: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A text that is shown nowhere: not in logs, errors, debug output or the printed configuration.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A text that is never shown.", "type": "string" })
    }
}

/// One header; the value is marked sensitive, so that `Debug` hides it. The error says what is wrong without the value.
fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let lower = name.to_ascii_lowercase();
    let parsed =
        HeaderName::from_bytes(lower.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))?;
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("grpc-") {
        return Err(format!("{lower} is set by the exporter itself"));
    }
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of {lower} has characters that a header cannot have"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// The headers of a configuration.
///
/// # Errors
/// A message for the first header that cannot be sent, without its value.
pub(crate) fn from_map(map: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in map {
        let (name, value) = header(name.trim(), value.reveal().trim())?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Reads the form of `OTEL_EXPORTER_OTLP_HEADERS`: `name=value,name2=value2`, both percent-encoded (the W3C baggage form
/// without properties). Pairs that cannot be sent are left out; the second result says which, by position and name only.
pub(crate) fn parse_list(text: &str) -> (HeaderMap, Vec<String>) {
    let (mut headers, mut problems) = (HeaderMap::new(), Vec::new());
    for (index, pair) in text.split(',').enumerate() {
        let pair = pair.trim();
        if pair.is_empty() {
            continue;
        }
        let Some((name, value)) = pair.split_once('=') else {
            problems.push(format!("pair {} has no `=`", index + 1));
            continue;
        };
        let (Some(name), Some(value)) = (percent::decode(name.trim()), percent::decode(value.trim())) else {
            problems.push(format!("pair {} has a malformed percent-escape", index + 1));
            continue;
        };
        match header(&name, &value) {
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(problem) => problems.push(format!("pair {}: {problem}", index + 1)),
        }
    }
    (headers, problems)
}

/// Takes the values of secret headers out of a text that came from elsewhere (a collector may echo what it was sent).
pub(crate) fn scrub(text: &str, headers: &HeaderMap) -> String {
    headers.values().filter_map(|value| value.to_str().ok()).filter(|value| value.len() >= 4).fold(
        text.to_owned(),
        |text, value| {
            // The scheme of an authorization value is no secret; what follows it is one by itself too.
            let token = value.split_once(' ').map_or(value, |(_, token)| token);
            let text = text.replace(value, "[redacted]");
            if token.len() >= 4 { text.replace(token, "[redacted]") } else { text }
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_standard_list() {
        let (headers, problems) = parse_list("authorization=Basic%20YTpi, X-Tenant = blue ,,empty=");
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(headers["authorization"], "Basic YTpi");
        assert_eq!(headers["x-tenant"], "blue");
        assert_eq!(headers["empty"], "");
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn the_value_may_hold_an_equals_sign() {
        let (headers, problems) = parse_list("api-key=abc==");
        assert!(problems.is_empty());
        assert_eq!(headers["api-key"], "abc==");
    }

    #[test]
    fn bad_pairs_are_named_without_their_values() {
        let (headers, problems) =
            parse_list("nosign,a b=hush1,x=%zzhush2,content-type=hush3,y=hush%0A4,ok=1");
        assert_eq!(headers.len(), 1);
        assert_eq!(problems.len(), 5);
        assert!(!problems.concat().contains("hush"), "{problems:?}");
    }

    #[test]
    fn secrets_do_not_show() {
        let (headers, _) = parse_list("authorization=Bearer%20hush-hush");
        assert!(!format!("{headers:?}").contains("hush"));
        let secret = Secret::new("hush");
        assert!(!format!("{secret:?}").contains("hush"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
        assert_eq!(scrub("bad token hush-hush!", &headers), "bad token [redacted]!");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            let (headers, problems) = parse_list(&text);
            prop_assert!(headers.len() + problems.len() <= text.split(',').count());
        }

        #[test]
        fn encoded_pairs_come_back(pairs in prop::collection::btree_map("x-[a-z]{1,8}", "[ -~]{0,20}", 0..6)) {
            let text = pairs
                .iter()
                .map(|(name, value)| {
                    let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                    format!("{name}={value}")
                })
                .collect::<Vec<_>>()
                .join(",");
            let (headers, problems) = parse_list(&text);
            prop_assert!(problems.is_empty());
            prop_assert_eq!(headers.len(), pairs.len());
            for (name, value) in &pairs {
                prop_assert_eq!(headers[name.as_str()].as_bytes(), value.as_bytes());
            }
        }
    }
}
