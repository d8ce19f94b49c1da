//! What the Responses and Messages codecs share about content: a budget, and the removal of what is secret or opaque.

use serde_json::{Map, Value};

use crate::call::Part;

/// Room for the facts of a stream's items (ids, names, indexes). More than any answer needs; a hostile stream stops here.
const MAX_FACTS: usize = 1 << 20;

/// Members that are secret or opaque by nature; they never enter a [`Part`].
const OPAQUE: [&str; 8] = [
    "encrypted_content",
    "encrypted_index",
    "encrypted_stdout",
    "fingerprint",
    "signature",
    "authorization",
    "authorization_token",
    "obfuscation",
];

/// Bounds what one stream may make the fold hold, in bytes.
#[derive(Debug)]
pub(super) struct Budget {
    content: usize,
    facts: usize,
    held: usize,
    exceeded: bool,
}

impl Budget {
    /// A budget of `max_content` bytes of content.
    pub(super) fn new(max_content: usize) -> Self {
        Self { content: max_content, facts: MAX_FACTS, held: 0, exceeded: false }
    }

    /// Asks for room for content. Once refused, all later content is refused, so that what is kept is a prefix.
    pub(super) fn content(&mut self, bytes: usize) -> bool {
        if self.exceeded || bytes > self.content {
            self.exceeded = true;
            return false;
        }
        self.content = self.content.saturating_sub(bytes);
        self.held = self.held.saturating_add(bytes);
        true
    }

    /// Asks for room for the facts of one item.
    pub(super) fn facts(&mut self, bytes: usize) -> bool {
        if bytes > self.facts {
            self.exceeded = true;
            return false;
        }
        self.facts = self.facts.saturating_sub(bytes);
        self.held = self.held.saturating_add(bytes);
        true
    }

    /// Gives back room taken with [`Budget::content`].
    pub(super) fn release(&mut self, bytes: usize) {
        self.content = self.content.saturating_add(bytes);
        self.held = self.held.saturating_sub(bytes);
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether anything was refused.
    pub(super) fn exceeded(&self) -> bool {
        self.exceeded
    }
}

/// Rough size in memory of a JSON value, in bytes.
pub(crate) fn weight(value: &Value) -> usize {
    const NODE: usize = 32;
    match value {
        Value::String(text) => NODE.saturating_add(text.len()),
        Value::Array(items) => items.iter().fold(NODE, |sum, item| sum.saturating_add(weight(item))),
        Value::Object(members) => members
            .iter()
            .fold(NODE, |sum, (key, value)| sum.saturating_add(key.len()).saturating_add(weight(value))),
        _ => NODE,
    }
}

/// A copy without opaque members, at any depth.
pub(super) fn scrubbed(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(scrubbed).collect()),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(key, _)| !OPAQUE.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), scrubbed(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The same for an object that becomes a part: also without nulls, which parts never carry, and without `left_out`.
pub(super) fn scrubbed_members(members: &Map<String, Value>, left_out: &[&str]) -> Map<String, Value> {
    members
        .iter()
        .filter(|(key, value)| !value.is_null() && !left_out.contains(&key.as_str()))
        .filter(|(key, _)| !OPAQUE.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), scrubbed(value)))
        .collect()
}

/// The provider's object as a part of its own type.
pub(super) fn generic(kind: &str, value: &Value) -> Part {
    let value = match value {
        Value::Object(members) => Value::Object(scrubbed_members(members, &[])),
        other => scrubbed(other),
    };
    Part::Generic { kind: kind.to_owned(), value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_budget_stays_refused_for_content_only() {
        let mut budget = Budget::new(10);
        assert!(budget.content(6));
        assert!(!budget.content(5));
        assert!(!budget.content(1));
        assert!(budget.facts(100));
        assert_eq!(budget.held(), 106);
        budget.release(6);
        assert_eq!(budget.held(), 100);
        assert!(budget.exceeded());
        assert!(!budget.facts(MAX_FACTS));
    }

    #[test]
    fn opaque_members_go_at_any_depth() {
        let value = json!({"a": [{"encrypted_content": "x", "b": 1}], "authorization": "secret"});
        assert_eq!(scrubbed(&value), json!({"a": [{"b": 1}]}));
    }
}
