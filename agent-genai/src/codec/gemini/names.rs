//! Members of Google's JSON by either of their names, and its enumerations by either of their forms.
//!
//! The JSON mapping of protocol buffers lets a sender write `maxOutputTokens` or `max_output_tokens`, and enumerations as words or,
//! when asked with `$alt=json;enum-encoding=int`, as numbers.

use serde_json::Value;

use crate::codec::json;

/// `finishReason` from 1 on, as far as the numbers of Gemini and Vertex agree.
pub(in crate::codec) const FINISH: &[&str] = &["STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"];
/// `promptFeedback.blockReason` from 1 on.
pub(in crate::codec) const BLOCK: &[&str] = &["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT"];
/// `modality` of token counts from 1 on.
pub(in crate::codec) const MODALITY: &[&str] = &["TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"];
/// `trafficType` from 1 on.
pub(in crate::codec) const TRAFFIC: &[&str] = &["ON_DEMAND", "PROVISIONED_THROUGHPUT"];
/// `functionCallingConfig.mode` from 1 on.
pub(in crate::codec) const CALLING: &[&str] = &["AUTO", "ANY", "NONE"];
/// `responseModalities` from 1 on.
pub(in crate::codec) const ASKED: &[&str] = &["TEXT", "IMAGE", "AUDIO"];

/// The value at a path of camelCase names, each of which may stand in snake_case instead; `None` when a step is missing or null.
pub(in crate::codec) fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| {
        let found = value.get(key).filter(|found| !found.is_null());
        found.or_else(|| {
            let other = snake(key)?;
            value.get(other).filter(|found| !found.is_null())
        })
    })
}

/// A string that is not empty.
pub(in crate::codec) fn string(value: &Value, path: &[&str]) -> Option<String> {
    get(value, path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A count.
pub(in crate::codec) fn count(value: &Value, path: &[&str]) -> Option<u64> {
    get(value, path).and_then(json::as_u64)
}

/// An integer.
pub(in crate::codec) fn integer(value: &Value, path: &[&str]) -> Option<i64> {
    get(value, path).and_then(json::as_i64)
}

/// The elements of an array; the one element where a sender left out the brackets, as the mapping's readers allow.
pub(in crate::codec) fn array<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    match get(value, path) {
        Some(Value::Array(items)) => items,
        Some(item @ Value::Object(_)) => std::slice::from_ref(item),
        _ => &[],
    }
}

/// An enumeration's value as its word. A number without a word here stays a number (`int:7`); the unspecified value is none.
pub(in crate::codec) fn word(value: &Value, words: &[&str]) -> Option<String> {
    if let Some(text) = value.as_str() {
        return (!text.is_empty() && !text.ends_with("_UNSPECIFIED")).then(|| text.to_owned());
    }
    let number = json::as_u64(value).filter(|number| *number > 0)?;
    let known = usize::try_from(number).ok().and_then(|number| words.get(number - 1));
    Some(known.map_or_else(|| format!("int:{number}"), |word| (*word).to_owned()))
}

/// The name in snake_case, when that is another one.
fn snake(key: &str) -> Option<String> {
    if !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut out = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn either_name_and_either_form() {
        let value = json!({"generation_config": {"maxOutputTokens": 5, "top_p": null}, "tools": {"a": 1}});
        assert_eq!(integer(&value, &["generationConfig", "maxOutputTokens"]), Some(5));
        assert_eq!(get(&value, &["generationConfig", "topP"]), None);
        assert_eq!(array(&value, &["tools"]).len(), 1);
        assert_eq!(word(&json!(2), FINISH).as_deref(), Some("MAX_TOKENS"));
        assert_eq!(word(&json!(7), FINISH).as_deref(), Some("int:7"));
        assert_eq!(word(&json!(0), FINISH), None);
        assert_eq!(word(&json!("FINISH_REASON_UNSPECIFIED"), FINISH), None);
        assert_eq!(word(&json!("STOP"), FINISH).as_deref(), Some("STOP"));
    }
}
