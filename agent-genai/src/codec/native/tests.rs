//! Each form: whole, streamed, failed, cut.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::call::{Api, Part};
use crate::codec::fixture::{self, BARE, CONTENT, json_of};
use crate::codec::spec::{Make, Spec};

fn codec(spec: &Spec, options: CodecOptions) -> Box<dyn Codec> {
    match spec.make {
        Make::Codec(make) => make(options),
        Make::Session(_) => unreachable!("no form is a session"),
    }
}

fn fold(spec: &Spec, request: &Value, items: &[Value], whole: bool) -> Call {
    let mut codec = codec(spec, CONTENT);
    let mut call = Call::new(spec.api, spec.operation, agent_wire::Role::Client);
    call.http.status = Some(200);
    codec.request(request, &mut call);
    for item in items {
        if whole { codec.response(item, &mut call) } else { codec.event("", item, &mut call) }
    }
    codec.finish(&mut call);
    assert!(codec.is_call());
    assert_eq!(codec.held_bytes(), 0);
    call
}

fn text(call: &Call) -> Vec<Part> {
    call.response.messages.iter().flat_map(|message| message.parts.clone()).collect()
}

#[test]
fn llama_cpp() {
    let request = json!({"prompt": "p", "n_predict": 8, "temperature": 0.5, "stop": ["x"], "stream": true});
    let last = json!({"content": "", "stop": true, "model": "m.gguf", "tokens_evaluated": 12, "tokens_predicted": 2,
        "stop_type": "limit", "timings": {"cache_n": 4}});
    let items = [
        json!({"content": "a", "stop": false}),
        json!({"content": "b", "stop": false, "stop_type": "none"}),
        last,
    ];
    let call = fold(&LLAMA_CPP, &request, &items, false);
    assert_eq!(text(&call), [Part::Text("ab".into())]);
    assert_eq!(call.response.finish_reasons, ["limit"]);
    assert_eq!((call.usage.input, call.usage.output, call.usage.cache_read), (Some(12), Some(2), Some(4)));
    assert_eq!(
        (call.request.max_tokens, call.request.temperature, call.request.stream),
        (Some(8), Some(0.5), true)
    );
    assert_eq!(call.request.messages, [said("user", "p")]);
    assert_eq!(call.response.model.as_deref(), Some("m.gguf"));
    let older = json!({"content": "ab", "stop": true, "stopped_eos": true, "stopped_word": false, "tokens_evaluated": 1, "tokens_predicted": 2});
    assert_eq!(
        fold(&LLAMA_CPP, &json!({"input_prefix": "p"}), &[older], true).response.finish_reasons,
        ["eos"]
    );
    let failed = fixture::response(
        codec(&LLAMA_CPP, BARE).as_mut(),
        Api::LlamaCpp,
        400,
        &json!({"error": {"code": 400, "message": "m", "type": "invalid_request_error"}}),
    );
    assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("invalid_request_error"));
}

#[test]
fn tgi() {
    let request =
        json!({"inputs": "p", "parameters": {"max_new_tokens": 9, "top_k": 3, "stop": ["x"], "seed": 4}});
    let whole = json!([{"generated_text": "ab", "details": {"finish_reason": "eos_token", "generated_tokens": 2, "prefill": []}}]);
    let call = fold(&TGI, &request, &[whole], true);
    assert_eq!(text(&call), [Part::Text("ab".into())]);
    assert_eq!(call.response.finish_reasons, ["eos_token"]);
    assert_eq!((call.usage.input, call.usage.output), (None, Some(2)));
    assert_eq!((call.request.max_tokens, call.request.top_k, call.request.seed), (Some(9), Some(3), Some(4)));
    assert_eq!(call.request.stop, ["x"]);
    let items = [
        json!({"index": 1, "token": {"id": 5, "text": "a", "special": false}, "generated_text": null, "details": null}),
        json!({"index": 2, "token": {"id": 6, "text": "b", "special": false}, "generated_text": null, "details": null}),
        json!({"index": 3, "token": {"id": 2, "text": "</s>", "special": true}, "generated_text": "ab",
            "details": {"finish_reason": "eos_token", "generated_tokens": 3, "input_length": 7}}),
    ];
    let call = fold(&TGI, &request, &items, false);
    assert_eq!(text(&call), [Part::Text("ab".into())]);
    assert_eq!((call.usage.input, call.usage.output), (Some(7), Some(3)));
    let mut other = codec(&TGI, BARE);
    fixture::response(other.as_mut(), Api::Tgi, 200, &json!([{"label": "POSITIVE", "score": 0.9}]));
    assert!(!other.is_call(), "a classifier behind the same path");
}

#[test]
fn counts_in_headers() {
    let mut codec = codec(&TGI, BARE);
    let mut call = fixture::call(Api::Tgi);
    let headers = [("x-prompt-tokens", "11"), ("x-generated-tokens", "5")].into_iter().collect();
    codec.response_head(
        &ResponseHead { status: 200, version: agent_wire::Version::Http11, headers },
        &mut call,
    );
    codec.response(&json!({"generated_text": "a"}), &mut call);
    codec.finish(&mut call);
    assert_eq!((call.usage.input, call.usage.output), (Some(11), Some(5)));
}

#[test]
fn watsonx() {
    let request = json!({"model_id": "g/f", "input": "p", "parameters": {"max_new_tokens": 9, "stop_sequences": ["x"], "random_seed": 1}, "project_id": "x"});
    let piece = |text: &str, input: u64, output: u64, reason: &str| json!({"model_id": "g/f", "results": [{"generated_text": text, "generated_token_count": output, "input_token_count": input, "stop_reason": reason}]});
    let items =
        [piece("", 8, 0, "not_finished"), piece("a", 0, 1, "not_finished"), piece("b", 0, 2, "eos_token")];
    let call = fold(&WATSONX, &request, &items, false);
    assert_eq!(text(&call), [Part::Text("ab".into())]);
    assert_eq!((call.usage.input, call.usage.output), (Some(8), Some(2)));
    assert_eq!(call.response.finish_reasons, ["eos_token"]);
    assert_eq!((call.request.model.as_deref(), call.response.model.as_deref()), (Some("g/f"), Some("g/f")));
    assert_eq!((call.request.seed, call.request.stop.len()), (Some(1), 1));
    let chat = json!({"id": "chat-1", "model_id": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}});
    let call = fold(
        &WATSONX,
        &json!({"model_id": "m", "messages": [{"role": "user", "content": "q"}]}),
        &[chat],
        true,
    );
    assert_eq!(text(&call), [Part::Text("hi".into())]);
    assert_eq!(
        (call.usage.input, call.response.id.as_deref(), call.operation),
        (Some(3), Some("chat-1"), Operation::Chat)
    );
}

#[test]
fn dashscope() {
    let item = |text: &str, reason: &str| json!({"output": {"text": text, "finish_reason": reason}, "usage": {"input_tokens": 3, "output_tokens": text.len(), "total_tokens": 9}, "request_id": "r"});
    let request = json!({"model": "qwen-max", "input": {"messages": [{"role": "user", "content": "q"}]}, "parameters": {"temperature": 0.1}});
    let call = fold(&DASHSCOPE, &request, &[item("a", "null"), item("ab", "stop")], false);
    assert_eq!(text(&call), [Part::Text("ab".into())], "each item repeats the text so far");
    assert_eq!((call.usage.input, call.usage.output, call.operation), (Some(3), Some(2), Operation::Chat));
    assert_eq!((call.request.model.as_deref(), call.response.id.as_deref()), (Some("qwen-max"), Some("r")));
    assert_eq!(call.request.messages, [said("user", "q")]);
    let pieces =
        json!({"model": "qwen-max", "input": {"prompt": "p"}, "parameters": {"incremental_output": true}});
    let call = fold(&DASHSCOPE, &pieces, &[item("a", "null"), item("b", "stop")], false);
    assert_eq!(text(&call), [Part::Text("ab".into())]);
    assert_eq!(call.request.messages, [said("user", "p")]);
    let message = json!({"output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"text": "hi"}]}}]},
        "usage": {"input_tokens": 1, "output_tokens": 1}, "request_id": "r"});
    assert_eq!(text(&fold(&DASHSCOPE, &request, &[message], true)), [Part::Text("hi".into())]);
    let failed = fixture::response(
        codec(&DASHSCOPE, BARE).as_mut(),
        Api::DashScope,
        400,
        &json!({"code": "InvalidParameter", "message": "m", "request_id": "r"}),
    );
    assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("InvalidParameter"));
}

#[test]
fn cut_streams_keep_what_came() {
    let mut codec = codec(&LLAMA_CPP, CONTENT);
    let mut call = fixture::call(Api::LlamaCpp);
    codec.event("", &json!({"content": "a", "stop": false}), &mut call);
    call.completeness.truncated = true;
    codec.finish(&mut call);
    assert_eq!(call.response.finish_reasons, ["error"]);
    assert_eq!((call.usage.input, call.usage.output), (None, None));
}

const WORDS: &[&str] = &[
    "content",
    "stop",
    "stop_type",
    "tokens_evaluated",
    "tokens_predicted",
    "generated_text",
    "token",
    "text",
    "special",
    "details",
    "finish_reason",
    "input_length",
    "generated_tokens",
    "results",
    "output",
    "choices",
    "message",
    "usage",
    "input_tokens",
    "output_tokens",
    "input",
    "messages",
    "parameters",
    "prompt",
    "inputs",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        for spec in [&LLAMA_CPP, &TGI, &WATSONX, &DASHSCOPE] {
            let mut codec = codec(spec, if content { CONTENT } else { BARE });
            let mut call = fixture::call(spec.api);
            for body in &bodies {
                codec.request(body, &mut call);
                codec.event("", body, &mut call);
                codec.response(body, &mut call);
            }
            codec.finish(&mut call);
            prop_assert!(content || call.response.messages.is_empty());
            prop_assert!(content || call.request.messages.is_empty());
        }
    }
}
