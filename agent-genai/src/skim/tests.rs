//! The skimmer against serde_json, at every cut, and on bytes that are no JSON.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const WIDE: SkimLimits = SkimLimits {
    max_string: usize::MAX,
    max_numbers: usize::MAX,
    budget: 1 << 20,
    reserve: 0,
    thin: &[],
    drop: &[],
};
const TIGHT: SkimLimits = SkimLimits {
    max_string: 8,
    max_numbers: 2,
    budget: 200,
    reserve: 50,
    thin: &["messages"],
    drop: &["parameters"],
};

fn wide(text: &str) -> Skimmed {
    Skimmer::skim(WIDE, text.as_bytes())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[\\\\\"\u{1F600}é\u{0}\n a]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let key = prop_oneof![
            Just("messages".to_owned()),
            Just("model".into()),
            Just("parameters".into()),
            ".{0,6}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Python's way to write strings: everything beyond ASCII as escapes.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn agrees_with_serde_json_at_every_cut(value in any_json(), pretty: bool, escaped: bool) {
        let mut text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        if escaped {
            text = ascii(&text);
        }
        // serde_json's own view, which may differ from `value` in the last bit of a float.
        let expected: Value = serde_json::from_str(&text).unwrap();
        for cut in 0..=text.len() {
            let mut skimmer = Skimmer::new(WIDE);
            skimmer.push(&text.as_bytes()[..cut]);
            skimmer.push(&text.as_bytes()[cut..]);
            let skimmed = skimmer.finish();
            prop_assert_eq!(skimmed.value(), Some(expected.clone()), "cut at {}", cut);
            prop_assert_eq!(skimmed.ending, Ending::Whole);
            prop_assert!(!skimmed.capped);
        }
    }

    #[test]
    fn a_pruned_text_is_valid_and_small(value in any_json(), size in 1usize..7) {
        let text = ascii(&serde_json::to_string(&value).unwrap());
        let whole = Skimmer::skim(TIGHT, text.as_bytes());
        prop_assert_eq!(whole.ending, Ending::Whole);
        prop_assert!(whole.value().is_some(), "{}", String::from_utf8_lossy(&whole.json));
        let mut skimmer = Skimmer::new(TIGHT);
        for piece in text.as_bytes().chunks(size) {
            skimmer.push(piece);
        }
        prop_assert_eq!(skimmer.finish(), whole);
    }

    #[test]
    fn a_truncated_text_is_closed(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        for cut in 0..text.len() {
            for limits in [WIDE, TIGHT] {
                let skimmed = Skimmer::skim(limits, &text.as_bytes()[..cut]);
                let valid = skimmed.json.is_empty() || serde_json::from_slice::<Value>(&skimmed.json).is_ok();
                prop_assert!(valid, "{} -> {}", &String::from_utf8_lossy(&text.as_bytes()[..cut]), String::from_utf8_lossy(&skimmed.json));
            }
        }
    }

    #[test]
    fn any_bytes_are_safe_and_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..40) {
        let mut skimmer = Skimmer::new(TIGHT);
        for piece in bytes.chunks(size) {
            skimmer.push(piece);
        }
        prop_assert!(skimmer.finish().json.len() <= TIGHT.max_output());
    }

    #[test]
    fn bytes_like_json_are_closed(text in "[\\[\\]{},:\"\\\\u0d8e1.\\-a ntrue]{0,120}", size in 1usize..40) {
        for limits in [WIDE, TIGHT] {
            let mut skimmer = Skimmer::new(limits);
            for piece in text.as_bytes().chunks(size) {
                skimmer.push(piece);
            }
            let skimmed = skimmer.finish();
            let valid = skimmed.json.is_empty() || serde_json::from_slice::<Value>(&skimmed.json).is_ok();
            prop_assert!(valid, "{} -> {}", text, String::from_utf8_lossy(&skimmed.json));
            if serde_json::from_str::<Value>(&text).is_ok() {
                prop_assert_eq!(skimmed.ending, Ending::Whole);
            }
        }
    }
}

#[test]
fn long_strings_are_cut_and_counted() {
    let limits = SkimLimits { max_string: 4, ..WIDE };
    let text = r#"{"a":"12345678","b":"é\u00e9\ud83d\ude00x","c":"1234"}"#;
    let value = Skimmer::skim(limits, text.as_bytes()).value().unwrap();
    let a = value["a"].as_str().unwrap();
    assert_eq!((text_head(a), text_len(a)), (("1234", true), 8));
    let b = value["b"].as_str().unwrap();
    assert_eq!((text_head(b), text_len(b)), (("é", true), 9));
    assert_eq!(text_head(value["c"].as_str().unwrap()), ("1234", false));
}

#[test]
fn numbers_are_elided_and_counted() {
    let limits = SkimLimits { max_numbers: 2, ..WIDE };
    let value = Skimmer::skim(limits, br#"{"embedding":[0.1, -2e-3 ,3,4,5 ],"s":[1],"m":[1,"x",2,3,"y"]}"#)
        .value()
        .unwrap();
    assert_eq!(array_len(value["embedding"].as_array().unwrap()), 5);
    assert_eq!(array_len(value["s"].as_array().unwrap()), 1);
    assert_eq!(value["m"], json!([1, "x", 2, "y", "\u{FDD0}1"]));
}

#[test]
fn thin_and_dropped_members() {
    let text = json!({
        "messages": (0..10).map(|n| json!({"role": "user", "content": "x".repeat(200 + n)})).collect::<Vec<_>>(),
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "parameters": {"top_k": 3},
    });
    let limits = SkimLimits { thin: &["messages"], drop: &["parameters"], ..WIDE };
    let value = Skimmer::skim(limits, text.to_string().as_bytes()).value().unwrap();
    let messages = value["messages"].as_array().unwrap();
    assert_eq!(array_len(messages), 10);
    assert_eq!(text_len(messages[0]["content"].as_str().unwrap()), 200);
    assert_eq!(value["tools"], json!([{"type": "function", "function": {"name": "f"}}]));
    assert_eq!(value["parameters"], json!({"top_k": 3}), "at the root they are settings");
}

#[test]
fn past_the_budget_the_facts_survive() {
    let noise: Vec<Value> =
        (0..5000).map(|n| json!({"k": format!("value {n}"), "deep": {"deeper": [[n]]}})).collect();
    let text = json!({
        "a_first": "x", "choices": [{"index": 0, "message": {"content": "y".repeat(100_000), "noise": noise}, "finish_reason": "stop"}],
        "model": "m", "usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
    });
    // serde_json sorts the keys: the facts come after the bulk.
    let limits = SkimLimits { budget: 10_000, reserve: 1000, ..WIDE };
    let skimmed = Skimmer::skim(limits, text.to_string().as_bytes());
    assert!(skimmed.capped && skimmed.json.len() < limits.max_output());
    let value = skimmed.value().unwrap();
    assert_eq!(value["model"], "m");
    assert_eq!(value["choices"][0]["finish_reason"], "stop");
    assert_eq!(value["usage"]["prompt_tokens"], 1);
}

#[test]
fn endings() {
    assert_eq!(wide(" \n").ending, Ending::Empty);
    assert_eq!(wide("{} \n").ending, Ending::Whole);
    assert_eq!(wide("{\"a\":1").ending, Ending::Truncated);
    assert_eq!(wide("{\"a\":tru").value(), Some(json!({})));
    assert_eq!(wide("{\"a\":1}x").ending, Ending::Invalid(7));
    for size in 1..4 {
        let mut skimmer = Skimmer::new(WIDE);
        b"[3+,4]".chunks(size).for_each(|piece| skimmer.push(piece));
        assert_eq!(skimmer.finish().ending, Ending::Invalid(1), "in pieces of {size}");
    }
    assert_eq!(wide("<html>").ending, Ending::Invalid(0));
    assert_eq!(wide("{\"a\":[1,2,tx]}").value(), Some(json!({"a": [1, 2]})));
    assert_eq!(wide("\u{feff}{\"a\":NaN,\"b\":1e999}").value(), Some(json!({"a": null, "b": null})));
    assert_eq!(wide("{\"a\":\"\\ud83d\"}").value(), Some(json!({"a": "\u{fffd}"})));
}

#[test]
fn counts_that_were_not_finished_are_no_counts() {
    let text = "{\"model\":\"m\",\"usage\":{\"prompt_tokens\":1,\"details\":{\"cached\":2}},\"x\":1}";
    let end = text.find("},\"x\"").unwrap() + 1;
    for cut in 0..text.len() {
        let value = wide(&text[..cut]).value().unwrap_or_default();
        assert_eq!(value.get("usage").is_some(), cut >= end, "{}", &text[..cut]);
    }
    assert_eq!(wide("{\"a\":1,\"usage\":{\"b\":2,\"c\":tx}}").value(), Some(json!({"a": 1})));
    assert_eq!(wide("[{\"usage\":{\"b\":2").value(), Some(json!([{}])));
}

#[test]
fn nesting_is_bounded() {
    let deep = "[".repeat(100_000);
    assert!(wide(&deep).json.len() < 1000);
    let closed = "[".repeat(5000) + &"]".repeat(5000);
    let skimmed = wide(&closed);
    assert!(skimmed.value().is_some() && skimmed.ending == Ending::Whole);
}
