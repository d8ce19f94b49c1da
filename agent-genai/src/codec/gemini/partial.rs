//! Arguments of a function call that are streamed: pieces at places named by JSON paths (`$.city`, `$.days[0].name`).

use serde_json::{Map, Value};

use super::names;

/// Deepest path.
const MAX_STEPS: usize = 32;
/// Elements that a piece may leave out of an array: they come in order.
const MAX_SKIPPED: usize = 8;

/// One step of a path.
enum Step<'a> {
    Member(&'a str),
    Index(usize),
}

/// Puts one element of `partialArgs` into the arguments so far. Text at a place that holds text goes behind it.
pub(super) fn put(arguments: &mut Value, piece: &Value) {
    let Some(path) = names::get(piece, &["jsonPath"]).and_then(Value::as_str).and_then(steps) else { return };
    let value = ["stringValue", "numberValue", "boolValue", "nullValue"].iter().find_map(|key| {
        let found = names::get(piece, &[key])?;
        Some(if *key == "nullValue" { Value::Null } else { found.clone() })
    });
    let Some(value) = value else { return };
    let Some(place) = path.iter().try_fold(arguments, |at, step| go(at, step)) else { return };
    match (place, value) {
        (Value::String(before), Value::String(more)) => before.push_str(&more),
        (place, value) => *place = value,
    }
}

/// The place one step further in, made when it is not there yet.
fn go<'a>(at: &'a mut Value, step: &Step<'_>) -> Option<&'a mut Value> {
    match step {
        Step::Member(key) => {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            Some(at.as_object_mut()?.entry((*key).to_owned()).or_insert(Value::Null))
        }
        Step::Index(index) => {
            if at.is_null() {
                *at = Value::Array(Vec::new());
            }
            let items =
                at.as_array_mut().filter(|items| *index <= items.len().saturating_add(MAX_SKIPPED))?;
            while items.len() <= *index {
                items.push(Value::Null);
            }
            items.get_mut(*index)
        }
    }
}

/// The steps of a path: `$`, then `.name`, `['name']`, `[0]`.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut rest = path.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= MAX_STEPS {
            return None;
        }
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, tail) = after.split_at_checked(end)?;
            steps.push(Step::Member(name));
            rest = tail;
        } else {
            let (inner, tail) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inner.trim_matches(['\'', '"']);
            steps.push(match inner.parse::<usize>() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Member(quoted),
            });
            rest = tail;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_are_put_where_they_belong() {
        let mut arguments = Value::Null;
        for piece in [
            json!({"jsonPath": "$.city", "stringValue": "New "}),
            json!({"jsonPath": "$.city", "stringValue": "Delhi"}),
            json!({"json_path": "$.days[1]['n']", "numberValue": 2}),
            json!({"jsonPath": "$.ok", "boolValue": true}),
            json!({"jsonPath": "$.city.x", "numberValue": 1}),
            json!({"jsonPath": "$.days[4000000000]", "numberValue": 1}),
            json!({"jsonPath": "city", "numberValue": 1}),
        ] {
            put(&mut arguments, &piece);
        }
        assert_eq!(arguments, json!({"city": "New Delhi", "days": [null, {"n": 2}], "ok": true}));
    }
}
