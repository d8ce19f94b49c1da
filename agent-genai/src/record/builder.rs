//! Attributes of a span, put together one by one.

use serde_json::Value;

use super::Attributes;

/// Attributes under construction.
pub(super) struct Builder(pub(super) Attributes);

impl Builder {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    pub(super) fn some<T: Into<Value>>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(super) fn text(&mut self, key: &str, value: Option<&String>) {
        self.some(key, value.map(String::as_str));
    }

    pub(super) fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.set(key, values.to_vec());
        }
    }
}
