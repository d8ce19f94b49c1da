//! Values at paths written as text: members apart by slashes, `*` for each element or member.

use serde_json::Value;

use crate::codec::json;
use crate::skim;

/// Most values that a path with stars may lead to.
const MAX_VALUES: usize = 4096;

/// All values at a path; null is none.
fn all<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut values = vec![value];
    for step in path.split('/') {
        let next = values.into_iter().flat_map(|value| -> Box<dyn Iterator<Item = &'a Value> + 'a> {
            match (step, value) {
                ("*", Value::Array(items)) => Box::new(items.iter()),
                ("*", Value::Object(members)) => Box::new(members.values()),
                _ => Box::new(value.get(step).into_iter()),
            }
        });
        values = next.filter(|value| !value.is_null()).take(MAX_VALUES).collect();
    }
    values
}

/// The first value at a path.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    all(value, path).into_iter().next()
}

/// The arrays at a path.
pub(super) fn arrays<'a>(value: &'a Value, path: &str) -> Vec<&'a [Value]> {
    all(value, path).into_iter().filter_map(Value::as_array).map(Vec::as_slice).collect()
}

/// Whether something stands there that says anything: no null, no empty string, list or object.
pub(super) fn is_given(value: &Value, path: &str) -> bool {
    all(value, path).into_iter().any(|value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    })
}

/// A text or a number as text; of a list of texts all, apart by line ends.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::Array(items) => {
            let texts: Vec<&str> =
                items.iter().filter_map(Value::as_str).map(|text| skim::text_head(text).0).collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        other => as_text(other),
    }
}

/// A text or a number as text.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(skim::text_head(text).0.to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An integer.
pub(super) fn number(value: &Value, path: &str) -> Option<i64> {
    at(value, path).and_then(json::as_i64)
}

/// A number.
pub(super) fn float(value: &Value, path: &str) -> Option<f64> {
    at(value, path).and_then(|value| json::f64_at(value, &[]))
}

/// The segment of a URL path that follows this one, the last such.
pub(in crate::codec) fn segment_after(path: &str, word: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let at = segments.iter().rposition(|segment| *segment == word)?;
    segments.get(at + 1).map(|name| decoded(name))
}

/// The segment of a URL path that comes before this one, the last such.
pub(super) fn segment_before(path: &str, word: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let at = segments.iter().rposition(|segment| *segment == word)?;
    segments.get(at.checked_sub(1)?).map(|name| decoded(name))
}

fn decoded(segment: &str) -> String {
    crate::recognise::percent_decoded(segment)
}
