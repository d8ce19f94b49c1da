//! The query of `/v1/calls`: which calls, how many, and whether to follow.

use std::fmt::Write;
use std::str::FromStr;

use serde_json::Value;

use crate::console::{Filter, StatusFilter};

/// What a reader of `/v1/calls` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallsQuery {
    /// The newest so many calls that the filter accepts; all for `None`.
    pub last: Option<usize>,
    /// And everything that comes.
    pub follow: bool,
    /// Which calls.
    pub filter: Filter,
}

impl CallsQuery {
    /// Reads the pairs of a query.
    ///
    /// # Errors
    /// For a name that does not exist or a value that makes no sense; the message names it.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut query = Self::default();
        let filter = &mut query.filter;
        for (name, value) in pairs {
            match name.as_str() {
                "last" => query.last = Some(parse(&name, &value)?),
                "follow" => query.follow = value.is_empty() || parse(&name, &value)?,
                "provider" => filter.provider = Some(value),
                "model" => filter.model = Some(value),
                "service" => filter.service = Some(value),
                "process" => filter.process = Some(parse(&name, &value)?),
                "finish_reason" => filter.finish_reason = Some(value),
                "min_cost" => filter.min_cost = Some(parse(&name, &value)?),
                "min_tokens" => filter.min_tokens = Some(parse(&name, &value)?),
                "min_duration" => filter.min_duration = Some(parse(&name, &value)?),
                "status" => {
                    filter.status = Some(match value.as_str() {
                        "ok" => StatusFilter::Ok,
                        "error" => StatusFilter::Error,
                        _ => return Err(format!("`status` is `{value}`: it must be ok or error")),
                    });
                }
                _ => return Err(format!("unknown parameter `{name}`")),
            }
        }
        Ok(query)
    }

    /// The query as it is written in a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut pairs = Vec::new();
        if let Some(last) = self.last {
            pairs.push(("last".to_owned(), last.to_string()));
        }
        if self.follow {
            pairs.push(("follow".to_owned(), "true".to_owned()));
        }
        if let Ok(Value::Object(filter)) = serde_json::to_value(&self.filter) {
            for (name, value) in filter {
                match value {
                    Value::Null => {}
                    Value::String(text) => pairs.push((name, text)),
                    other => pairs.push((name, other.to_string())),
                }
            }
        }
        pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
    }
}

fn parse<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{name}` is `{value}`, which makes no sense there"))
}

/// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3).
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
