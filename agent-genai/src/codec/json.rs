//! Small accessors over JSON values: tolerant of how providers write the same fact.

use rust_decimal::Decimal;
use serde_json::Value;

/// The value at a path of object keys; `None` when a step is missing or the value is null.
pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// A non-empty string at a path.
pub(crate) fn str_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A non-empty string at a path, owned.
pub(crate) fn string_at(value: &Value, path: &[&str]) -> Option<String> {
    str_at(value, path).map(str::to_owned)
}

/// A count at a path: an integer, a float without a fraction (Cohere), or digits in a string. Negative numbers are not counts.
pub(crate) fn u64_at(value: &Value, path: &[&str]) -> Option<u64> {
    as_u64(at(value, path)?)
}

/// See [`u64_at`].
pub(crate) fn as_u64(value: &Value) -> Option<u64> {
    as_i64(value).and_then(|number| u64::try_from(number).ok()).or_else(|| value.as_u64())
}

/// An integer at a path, also when written as a float or in a string.
pub(crate) fn i64_at(value: &Value, path: &[&str]) -> Option<i64> {
    as_i64(at(value, path)?)
}

/// See [`i64_at`].
pub(crate) fn as_i64(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(integral)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The integer that a float stands for, when it is one and fits exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked to be integral and within 2^53")]
fn integral(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

/// A number at a path, also when written in a string.
pub(crate) fn f64_at(value: &Value, path: &[&str]) -> Option<f64> {
    match at(value, path)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A truth value at a path.
pub(crate) fn bool_at(value: &Value, path: &[&str]) -> Option<bool> {
    at(value, path).and_then(Value::as_bool)
}

/// The elements at a path; empty when there is no array.
pub(crate) fn array_at<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A decimal number, exact as written; from a number or a string.
pub(crate) fn as_decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// Strings of an array, or the one string that stands in its place (`stop`, `encoding_format`).
pub(crate) fn strings_at(value: &Value, path: &[&str]) -> Vec<String> {
    match at(value, path) {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Tool arguments that came as text: parsed when they are valid JSON, else the text itself; nothing when there is none.
pub(crate) fn arguments(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

/// Tool arguments in either form: an object as it is, text as [`arguments`] reads it.
pub(crate) fn arguments_value(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => arguments(text),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_come_as_integers_floats_and_strings() {
        let value = json!({"a": 3, "b": 4.0, "c": "5", "d": -1, "e": 1.5, "f": null, "g": {"h": 18446744073709551615u64}});
        assert_eq!(u64_at(&value, &["a"]), Some(3));
        assert_eq!(u64_at(&value, &["b"]), Some(4));
        assert_eq!(u64_at(&value, &["c"]), Some(5));
        assert_eq!(u64_at(&value, &["d"]), None);
        assert_eq!(i64_at(&value, &["d"]), Some(-1));
        assert_eq!(u64_at(&value, &["e"]), None);
        assert_eq!(at(&value, &["f"]), None);
        assert_eq!(u64_at(&value, &["g", "h"]), Some(u64::MAX));
    }

    #[test]
    fn arguments_keep_what_does_not_parse() {
        assert_eq!(arguments("{\"a\":1}"), Some(json!({"a": 1})));
        assert_eq!(arguments("{\"a\":"), Some(json!("{\"a\":")));
        assert_eq!(arguments(" "), None);
        assert_eq!(arguments_value(&json!({"x": []})), Some(json!({"x": []})));
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(as_decimal(&json!(1e-5)), "0.00001".parse().ok());
        assert_eq!(as_decimal(&json!("0.0012")), "0.0012".parse().ok());
        assert_eq!(as_decimal(&json!({})), None);
    }
}
