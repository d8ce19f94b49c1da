//! JSON values as OTLP attribute values.

use agent_genai::record::Attributes;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value as Any};
use serde_json::Value;

/// Attributes whose value is a JSON document: a string on spans whatever its shape, also when it is an empty list. Several
/// backends drop structured values here, and the conventions allow the string.
const DOCUMENTS: &[&str] = &[
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
    "gen_ai.memory.records",
];

/// One attribute with a value.
pub(crate) fn key_value(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

/// Attributes in order; nulls are left out.
pub(crate) fn attributes(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().filter_map(|(key, value)| Some(key_value(key, attribute_value(key, value)?))).collect()
}

/// The value of one attribute, `None` for null.
pub(crate) fn attribute_value(key: &str, value: &Value) -> Option<AnyValue> {
    match value {
        Value::Array(_) | Value::Object(_) if DOCUMENTS.contains(&key) => Some(text(value.to_string())),
        _ => any_value(value),
    }
}

/// A JSON value: scalars as they are, arrays of one scalar type as arrays (integers among floats become floats), all else as a
/// JSON string. `None` for null.
pub(crate) fn any_value(value: &Value) -> Option<AnyValue> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(array(items).unwrap_or_else(|| text(value.to_string()))),
        Value::Object(_) => Some(text(value.to_string())),
        scalar => Some(AnyValue { value: scalar_value(scalar) }),
    }
}

fn text(text: String) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(text)) }
}

fn scalar_value(value: &Value) -> Option<Any> {
    match value {
        Value::Bool(flag) => Some(Any::BoolValue(*flag)),
        Value::String(text) => Some(Any::StringValue(text.clone())),
        // Beyond the range of a signed 64-bit integer only a double is left.
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(Any::IntValue(integer)),
            None => number.as_f64().map(Any::DoubleValue),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An array of scalars of one type; `None` when the items differ or are no scalars.
fn array(items: &[Value]) -> Option<AnyValue> {
    let mut values = items.iter().map(scalar_value).collect::<Option<Vec<Any>>>()?;
    let floats = values.iter().any(|value| matches!(value, Any::DoubleValue(_)));
    if floats {
        for (value, item) in values.iter_mut().zip(items) {
            *value = Any::DoubleValue(item.as_f64()?);
        }
    }
    let kind = values.first().map(std::mem::discriminant);
    if values.iter().any(|value| Some(std::mem::discriminant(value)) != kind) {
        return None;
    }
    let values = values.into_iter().map(|value| AnyValue { value: Some(value) }).collect();
    Some(AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(json: &Value) -> Any {
        any_value(json).unwrap().value.unwrap()
    }

    #[test]
    fn scalars_keep_their_type() {
        assert_eq!(value(&json!(true)), Any::BoolValue(true));
        assert_eq!(value(&json!(-3)), Any::IntValue(-3));
        assert_eq!(value(&json!(1.0)), Any::DoubleValue(1.0));
        assert_eq!(value(&json!(u64::MAX)), Any::DoubleValue(18_446_744_073_709_551_615.0));
        assert_eq!(value(&json!("x")), Any::StringValue("x".to_owned()));
        assert_eq!(any_value(&Value::Null), None);
    }

    #[test]
    fn arrays_of_one_type_are_arrays() {
        let Any::ArrayValue(array) = value(&json!(["stop", "length"])) else { panic!("an array") };
        assert_eq!(array.values.len(), 2);
        let Any::ArrayValue(array) = value(&json!([1, 2.5])) else { panic!("an array") };
        assert_eq!(array.values[0].value, Some(Any::DoubleValue(1.0)));
        assert_eq!(value(&json!([])), Any::ArrayValue(ArrayValue::default()));
    }

    #[test]
    fn everything_else_is_a_json_string() {
        for json in [json!({"a": 1}), json!([1, "a"]), json!([{"a": 1}]), json!([null]), json!([[1]])] {
            assert_eq!(value(&json), Any::StringValue(json.to_string()));
        }
    }

    #[test]
    fn documents_are_strings_even_when_empty() {
        let empty = attribute_value("gen_ai.tool.definitions", &json!([])).unwrap();
        assert_eq!(empty.value, Some(Any::StringValue("[]".to_owned())));
        let already = attribute_value("gen_ai.tool.call.arguments", &json!("{broken")).unwrap();
        assert_eq!(already.value, Some(Any::StringValue("{broken".to_owned())));
    }
}
