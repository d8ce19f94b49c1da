//! Cohere's APIs: whole, streamed, failed, without content.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::chat::CohereChat;
use super::chat_v1::CohereChatV1;
use super::embed::CohereEmbeddings;
use super::legacy::CohereLegacy;
use crate::call::{Api, Part, ToolChoice, Unit};
use crate::codec::Codec;
use crate::codec::fixture::{self, BARE, CONTENT, json_of};

#[test]
fn chat_whole() {
    let body = json!({"id": "i", "finish_reason": "TOOL_CALL", "message": {"role": "assistant",
            "tool_plan": "plan. ", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}],
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]},
        "usage": {"billed_units": {"input_tokens": 45.0, "output_tokens": 29.0},
            "tokens": {"input_tokens": 1469.0, "output_tokens": 42.0, "reasoning_tokens": 7}, "cached_tokens": 1024}});
    let call = fixture::response(&mut CohereChat::new(CONTENT), Api::CohereChat, 200, &body);
    let usage = &call.usage;
    assert_eq!((usage.input, usage.output, usage.cache_read), (Some(1469), Some(42), Some(1024)));
    assert_eq!((usage.billed_input, usage.billed_output, usage.reasoning), (Some(45), Some(29), Some(7)));
    assert_eq!(call.response.id.as_deref(), Some("i"));
    assert_eq!(call.response.model, None);
    assert_eq!(call.response.finish_reasons, ["TOOL_CALL"]);
    assert_eq!(call.response.tool_calls[0].arguments, Some(json!({"x": 1})));
    assert_eq!(
        call.response.messages[0].parts[..2],
        [Part::Reasoning("plan. hm".into()), Part::Text("a".into())]
    );
    let bare = fixture::response(&mut CohereChat::new(BARE), Api::CohereChat, 200, &body);
    assert!(bare.response.messages.is_empty());
    assert_eq!(bare.response.tool_calls[0].name, "f");
    assert_eq!(bare.response.tool_calls[0].arguments, None);
}

#[test]
fn chat_streamed() {
    let items = [
        json!({"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}}}),
        json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}}),
        json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}),
        json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "ab"}}}}),
        json!({"type": "content-end", "index": 0}),
        json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": {"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}}}}),
        json!({"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": "{\"a\":"}}}}}),
        json!({"type": "tool-call-start", "index": 1, "delta": {"message": {"tool_calls": {"id": "u", "type": "function", "function": {"name": "f", "arguments": "{}"}}}}}),
        json!({"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": {"arguments": "2}"}}}}}),
        json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": {"billed_units": {"input_tokens": 8, "output_tokens": 2}, "tokens": {"input_tokens": 503, "output_tokens": 4}}}}),
    ];
    let call = fixture::stream(&mut CohereChat::new(CONTENT), Api::CohereChat, &items);
    assert_eq!(call.response.id.as_deref(), Some("i"));
    let calls: Vec<_> =
        call.response.tool_calls.iter().map(|call| (call.id.as_deref(), call.arguments.clone())).collect();
    assert_eq!(calls, [(Some("t"), Some(json!({"a": 2}))), (Some("u"), Some(json!({})))]);
    assert_eq!(call.usage.input, Some(503));
    assert_eq!(
        call.response.messages[0].parts[..2],
        [Part::Reasoning("I will".into()), Part::Text("ab".into())]
    );
    // Cut: what came is kept, and the reason is ours.
    let mut codec = CohereChat::new(CONTENT);
    let mut call = fixture::call(Api::CohereChat);
    items.iter().take(4).for_each(|item| codec.event("", item, &mut call));
    call.completeness.truncated = true;
    codec.finish(&mut call);
    assert_eq!(call.response.finish_reasons, ["error"]);
    assert_eq!((call.usage.input, call.usage.output), (None, None));
}

#[test]
fn chat_requests() {
    let call = fixture::request(
        &mut CohereChat::new(CONTENT),
        Api::CohereChat,
        &json!({"model": "m", "k": 3, "p": 0.5,
        "messages": [{"role": "user", "content": "q"}], "tool_choice": "required", "stop_sequences": ["s"],
        "tools": [{"type": "function", "function": {"name": "f"}}], "response_format": {"type": "json_object"}}),
    );
    let request = &call.request;
    assert_eq!((request.top_k, request.top_p, request.stop.len()), (Some(3), Some(0.5), 1));
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!((request.tools.len(), request.output_type.as_deref()), (1, Some("json")));
    assert_eq!(request.messages[0].parts, [Part::Text("q".into())]);
    let early = fixture::request(
        &mut CohereChatV1::new(CONTENT),
        Api::CohereChatV1,
        &json!({"model": "m", "message": "now", "preamble": "be",
        "chat_history": [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b", "tool_calls": [{"name": "f", "parameters": {"x": 1}}]}],
        "tools": [{"name": "f", "description": "d", "parameter_definitions": {"x": {"type": "int"}}}],
        "tool_results": [{"call": {"name": "f"}, "outputs": [{"y": 2}]}]}),
    );
    let roles: Vec<&str> = early.request.messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "tool"]);
    assert_eq!(early.request.system, [Part::Text("be".into())]);
    assert_eq!(early.request.tools[0].name, "f");
}

#[test]
fn first_chat_whole_and_in_lines() {
    let whole = json!({"response_id": "r", "generation_id": "g", "text": "ab", "finish_reason": "COMPLETE",
        "tool_calls": [{"name": "f", "parameters": {"x": 1}}],
        "meta": {"billed_units": {"input_tokens": 7, "output_tokens": 80}, "tokens": {"input_tokens": 69, "output_tokens": 81}, "cached_tokens": 48}});
    let call = fixture::response(&mut CohereChatV1::new(CONTENT), Api::CohereChatV1, 200, &whole);
    let lines = [
        json!({"is_finished": false, "event_type": "stream-start", "generation_id": "g"}),
        json!({"is_finished": false, "event_type": "text-generation", "text": "a"}),
        json!({"is_finished": false, "event_type": "text-generation", "text": "b"}),
        json!({"is_finished": true, "event_type": "stream-end", "response": whole, "finish_reason": "COMPLETE"}),
    ];
    let mut codec = CohereChatV1::new(CONTENT);
    let streamed = fixture::stream(&mut codec, Api::CohereChatV1, &lines);
    assert!(codec.has_ended());
    for call in [call, streamed] {
        assert_eq!(call.response.id.as_deref(), Some("r"));
        assert_eq!(call.response.finish_reasons, ["COMPLETE"]);
        assert_eq!(
            (call.usage.input, call.usage.billed_input, call.usage.cache_read),
            (Some(69), Some(7), Some(48))
        );
        assert_eq!(call.response.messages[0].parts[0], Part::Text("ab".into()));
        assert_eq!(call.response.tool_calls[0].arguments, Some(json!({"x": 1})));
    }
}

#[test]
fn counts_of_the_first_answers() {
    let body = json!({"response_id": "r", "text": "a", "token_count": {"prompt_tokens": 3, "response_tokens": 4, "billed_tokens": 5}});
    let call = fixture::response(&mut CohereChatV1::new(BARE), Api::CohereChatV1, 200, &body);
    assert_eq!((call.usage.input, call.usage.output), (Some(3), Some(4)));
}

#[test]
fn billed_units_stand_in_only_for_what_was_never_told() {
    let body = json!({"response_id": "r", "text": "a", "meta": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}});
    let whole = fixture::response(&mut CohereChatV1::new(BARE), Api::CohereChatV1, 200, &body);
    assert_eq!((whole.usage.input, whole.usage.output, whole.usage.billed_input), (Some(3), Some(4), None));
    let mut codec = CohereChatV1::new(BARE);
    let mut cut = fixture::call(Api::CohereChatV1);
    codec.response(&body, &mut cut);
    cut.completeness.truncated = true;
    codec.finish(&mut cut);
    assert_eq!(
        (cut.usage.input, cut.usage.billed_input),
        (None, Some(3)),
        "the tokens may have stood behind"
    );
}

#[test]
fn generate() {
    let whole = json!({"id": "i", "generations": [{"id": "g", "text": "ab", "finish_reason": "COMPLETE"}],
        "meta": {"billed_units": {"input_tokens": 5, "output_tokens": 57}}});
    let call = fixture::response(&mut CohereLegacy::new(CONTENT), Api::CohereLegacy, 200, &whole);
    assert_eq!((call.usage.input, call.usage.output, call.usage.billed_input), (Some(5), Some(57), None));
    let lines = [
        json!({"text": "a", "is_finished": false, "event_type": "text-generation"}),
        json!({"text": "b", "is_finished": false, "event_type": "text-generation"}),
        json!({"is_finished": true, "event_type": "stream-end", "finish_reason": "COMPLETE", "response": whole}),
    ];
    let mut codec = CohereLegacy::new(CONTENT);
    let streamed = fixture::stream(&mut codec, Api::CohereLegacy, &lines);
    assert!(codec.has_ended() && codec.is_call());
    assert_eq!(streamed.response.messages, call.response.messages);
    assert_eq!(streamed.response.finish_reasons, ["COMPLETE"]);
    assert_eq!(streamed.usage, call.usage);
    // Another server's path of the same name.
    let mut codec = CohereLegacy::new(CONTENT);
    fixture::response(&mut codec, Api::CohereLegacy, 200, &json!({"pdf": "x"}));
    assert!(!codec.is_call());
}

#[test]
fn embeddings_are_counted() {
    let body = json!({"id": "i", "embeddings": {"float": [[0.1, 0.2, "\u{FDD0}1534"], "\u{FDD0}2"], "ubinary": [[1]]},
        "meta": {"billed_units": {"input_tokens": 4, "image_tokens": 0, "images": 2}}});
    let call = fixture::response(&mut CohereEmbeddings, Api::CohereEmbeddings, 200, &body);
    assert_eq!((call.response.vector_count, call.response.vector_dimension), (Some(3), Some(1536)));
    assert_eq!((call.usage.input, call.usage.output, call.usage.billed_input), (Some(4), None, None));
    assert_eq!(call.usage.units[0].unit, Unit::ImageInput);
    let bits = fixture::response(
        &mut CohereEmbeddings,
        Api::CohereEmbeddings,
        200,
        &json!({"embeddings": {"binary": [[1, 2]]}}),
    );
    assert_eq!(bits.response.vector_dimension, Some(16));
    let request = fixture::request(
        &mut CohereEmbeddings,
        Api::CohereEmbeddings,
        &json!({"model": "m", "texts": ["a", "b"], "output_dimension": 256, "embedding_types": ["float"]}),
    );
    assert_eq!((request.request.input_count, request.request.dimensions), (Some(2), Some(256)));
}

#[test]
fn failures() {
    let body = json!({"id": "i", "message": "model 'x' not found"});
    for codec in [
        Box::new(CohereChat::new(BARE)) as Box<dyn Codec>,
        Box::new(CohereChatV1::new(BARE)),
        Box::new(CohereEmbeddings),
        Box::new(CohereLegacy::new(BARE)),
    ] {
        let mut codec = codec;
        let call = fixture::response(codec.as_mut(), Api::CohereChat, 404, &body);
        let error = call.error.unwrap();
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("404", "model 'x' not found"));
        assert!(codec.is_call());
    }
    let streamed = json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "went wrong"}});
    let call = fixture::stream(&mut CohereChat::new(BARE), Api::CohereChat, &[streamed]);
    assert_eq!(call.error.map(|error| error.message).as_deref(), Some("went wrong"));
}

#[test]
fn shapes() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    assert!(!(super::chat_v1::SPEC.request)(&body));
    assert!((super::chat::SPEC.request)(&body));
    assert_eq!((super::chat::SPEC.response)("", &json!({"choices": [{"message": {}}]})), None);
}

const WORDS: &[&str] = &[
    "type",
    "event_type",
    "message-start",
    "message-end",
    "content-delta",
    "stream-end",
    "text-generation",
    "delta",
    "message",
    "content",
    "text",
    "thinking",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "parameters",
    "index",
    "usage",
    "meta",
    "tokens",
    "billed_units",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "response",
    "generations",
    "is_finished",
    "embeddings",
    "float",
    "chat_history",
    "tool_results",
    "outputs",
    "messages",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        let options = if content { CONTENT } else { BARE };
        let codecs: [Box<dyn Codec>; 4] = [
            Box::new(CohereChat::new(options)), Box::new(CohereChatV1::new(options)),
            Box::new(CohereLegacy::new(options)), Box::new(CohereEmbeddings),
        ];
        for mut codec in codecs {
            let mut call = fixture::call(Api::CohereChat);
            for body in &bodies {
                codec.request(body, &mut call);
                codec.event("", body, &mut call);
                codec.response(body, &mut call);
            }
            codec.finish(&mut call);
            prop_assert!(content || call.response.messages.is_empty());
            prop_assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
        }
    }
}

#[test]
fn other_values_are_no_content() {
    let call = fixture::response(
        &mut CohereChat::new(CONTENT),
        Api::CohereChat,
        200,
        &json!({"message": {"content": Value::Null}}),
    );
    assert!(call.response.messages[0].parts.is_empty());
}
