//! Finds the keys of a YAML file that the schema does not know, and the nearest key that it does.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use serde_saphyr::Spanned;

/// A key that the configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// Dotted path of the key, such as `capture.rng_size`.
    pub path: String,
    /// Line of the key in the file, from 1; 0 when the parser does not say.
    pub line: u64,
    /// The nearest key at that place, if one is near.
    pub nearest: Option<String>,
    /// Every key at that place.
    pub valid: Vec<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        write!(f, "unknown key `{}`", self.path)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => write!(f, "; valid here: {}", self.valid.join(", ")),
        }
    }
}

/// A YAML node with the lines of its keys. Scalars do not matter here.
#[derive(Debug)]
pub(super) enum Node {
    /// A scalar.
    Leaf,
    /// A sequence.
    List(Vec<Node>),
    /// A mapping: key, line, value.
    Map(Vec<(String, u64, Node)>),
}

struct NodeVisitor;

impl<'de> de::Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push((key.value, key.referenced.line(), value));
        }
        Ok(Node::Map(map))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Every key of `node` that `schema` (a JSON schema with `$defs`) does not have, in the order of the file.
#[must_use]
pub(super) fn find(node: &Node, schema: &Value) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    walk(node, schema, schema, "", &mut found);
    found
}

fn walk(node: &Node, schema: &Value, root: &Value, path: &str, found: &mut Vec<UnknownKey>) {
    let schema = resolve(schema, root);
    match node {
        Node::Leaf => {}
        Node::List(items) => {
            let Some(item_schema) = schema.get("items") else { return };
            for (index, item) in items.iter().enumerate() {
                walk(item, item_schema, root, &format!("{path}[{index}]"), found);
            }
        }
        Node::Map(entries) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties");
            for (key, line, value) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (properties.and_then(|p| p.get(key)), additional) {
                    (Some(sub), _) => walk(value, sub, root, &path, found),
                    (None, Some(sub @ Value::Object(_))) => walk(value, sub, root, &path, found),
                    // A type error, not an unknown key: the typed parser says it better.
                    (None, _) if properties.is_none() => {}
                    (None, Some(Value::Bool(true))) => {}
                    (None, _) => {
                        let valid: Vec<String> =
                            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect();
                        found.push(UnknownKey { nearest: nearest(key, &valid), path, line: *line, valid });
                    }
                }
            }
        }
    }
}

/// Follows references and steps through `anyOf` with null (optional sections) to the schema that has properties.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut current = schema;
    for _ in 0..8 {
        if let Some(name) =
            current.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"))
        {
            match root.get("$defs").and_then(|defs| defs.get(name)) {
                Some(target) => current = target,
                None => return current,
            }
        } else if let Some(options) = current.get("anyOf").and_then(Value::as_array) {
            let useful = options.iter().find(|o| o.get("$ref").is_some() || o.get("properties").is_some());
            match useful {
                Some(target) => current = target,
                None => return current,
            }
        } else {
            return current;
        }
    }
    current
}

/// The known name that is nearest, when it is near enough to be a slip: three edits at most, or very alike as a whole.
#[must_use]
pub fn nearest(key: &str, valid: &[String]) -> Option<String> {
    valid
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), strsim::jaro_winkler(key, name), name))
        .filter(|(edits, alike, name)| {
            (*edits <= 3 && *edits * 2 < name.len().max(key.len())) || *alike > 0.85
        })
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, name)| name.clone())
}
