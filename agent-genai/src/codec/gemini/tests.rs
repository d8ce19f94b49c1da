//! The rules of `generateContent`, each on a small document.

use agent_wire::{Headers, RequestHead, Version};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Gemini, SPEC, WRAPPED};
use crate::call::{Api, Call, Message, Part, ToolCall, ToolChoice};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{Codec, CodecOptions, RequestFacts};

const API: Api = Api::Gemini;

fn request(body: &Value) -> Call {
    fixture::request(&mut Gemini::new(CONTENT), API, body)
}

fn response(body: &Value) -> Call {
    fixture::response(&mut Gemini::new(CONTENT), API, 200, body)
}

fn stream(items: &[Value]) -> Call {
    fixture::stream(&mut Gemini::new(CONTENT), API, items)
}

fn output(call: &Call) -> &[Part] {
    &call.response.messages[0].parts
}

fn answer(parts: &Value, reason: &str) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 4, "totalTokenCount": 17,
            "cachedContentTokenCount": 2, "trafficType": "ON_DEMAND"},
        "modelVersion": "gemini-x-001", "responseId": "r1"})
}

#[test]
fn request_settings_in_both_spellings() {
    let camel = json!({"generationConfig": {"temperature": 0, "topP": 0.9, "topK": 3.0, "maxOutputTokens": 64, "seed": 7,
            "candidateCount": 2, "stopSequences": ["x"], "presencePenalty": -1.5, "frequencyPenalty": 1.0,
            "responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"},
            "thinkingConfig": {"thinkingBudget": 512, "thinkingLevel": "low"}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "systemInstruction": {"parts": {"text": "Be kind"}}, "labels": {"team": "a"}, "serviceTier": "flex",
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}, {"googleSearch": {}}],
        "contents": [{"parts": [{"text": "Hi"}]}]});
    let snake = json!({"generation_config": {"temperature": 0, "top_p": 0.9, "top_k": 3, "max_output_tokens": 64, "seed": 7,
            "candidate_count": 2, "stop_sequences": ["x"], "presence_penalty": -1.5, "frequency_penalty": 1.0,
            "response_mime_type": "application/json", "response_schema": {"type": "OBJECT"},
            "thinking_config": {"thinking_budget": 512, "thinking_level": "low"}},
        "tool_config": {"function_calling_config": {"mode": 2, "allowed_function_names": ["f"]}},
        "system_instruction": {"parts": [{"text": "Be kind"}]}, "labels": {"team": "a"}, "service_tier": "flex",
        "tools": [{"function_declarations": {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}}, {"googleSearch": {}}],
        "contents": {"parts": {"text": "Hi"}, "role": "user"}});
    for body in [camel, snake] {
        let r = request(&body).request;
        assert_eq!(
            (r.temperature, r.top_p, r.top_k, r.max_tokens),
            (Some(0.0), Some(0.9), Some(3), Some(64))
        );
        assert_eq!((r.seed, r.choice_count, r.reasoning_budget), (Some(7), Some(2), Some(512)));
        assert_eq!((r.presence_penalty, r.frequency_penalty), (Some(-1.5), Some(1.0)));
        assert_eq!(r.stop, ["x"]);
        assert_eq!((r.reasoning_level.as_deref(), r.output_type.as_deref()), (Some("low"), Some("json")));
        let format = r.response_format.unwrap();
        assert_eq!((format.kind.as_str(), format.schema), ("json_schema", Some(json!({"type": "OBJECT"}))));
        assert_eq!(r.tool_choice, Some(ToolChoice::Tool("f".into())));
        assert_eq!(
            (r.service_tier.as_deref(), r.metadata),
            (Some("flex"), vec![("team".into(), "a".into())])
        );
        let tools: Vec<_> = r.tools.iter().map(|tool| (tool.kind.as_str(), tool.name.as_str())).collect();
        assert_eq!(tools, [("function", "f"), ("googleSearch", "googleSearch")]);
        assert_eq!(r.system, [Part::Text("Be kind".into())]);
        let user = Message {
            role: "user".into(),
            parts: vec![Part::Text("Hi".into())],
            name: None,
            finish_reason: None,
        };
        assert_eq!(r.messages, [user]);
    }
}

#[test]
fn forms_of_the_answer_asked_for() {
    let asked = |config: Value| {
        let r = request(&json!({"generationConfig": config})).request;
        (r.output_type, r.response_format.map(|format| format.kind))
    };
    assert_eq!(asked(json!({"responseModalities": ["TEXT"]})), (Some("text".into()), None));
    assert_eq!(asked(json!({"responseModalities": ["TEXT", "IMAGE"]})), (Some("image".into()), None));
    assert_eq!(asked(json!({"responseModalities": [3]})), (Some("speech".into()), None));
    assert_eq!(asked(json!({"responseMimeType": "text/x.enum"})), (None, Some("text/x.enum".into())));
    let mode =
        |mode: Value| request(&json!({"toolConfig": {"functionCallingConfig": mode}})).request.tool_choice;
    assert_eq!(mode(json!({"mode": "AUTO"})), Some(ToolChoice::Auto));
    assert_eq!(mode(json!({"mode": "ANY"})), Some(ToolChoice::Required));
    assert_eq!(mode(json!({"mode": 3})), Some(ToolChoice::None));
    assert_eq!(mode(json!({"mode": "VALIDATED"})), Some(ToolChoice::Other(json!({"mode": "VALIDATED"}))));
    assert_eq!(mode(json!({})), None);
}

#[test]
fn history() {
    let call = request(&json!({"contents": [
        {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"file_data": {"file_uri": "gs://b/v.mp4", "mime_type": "video/mp4"}}]},
        {"role": "model", "parts": [{"text": "hm", "thought": true}, {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}]},
        {"role": "function", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"result": 2}}}]},
        {"role": "model", "parts": [{"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t"}}, {"toolResponse": {"tool_type": "X", "id": "t"}},
            {"thoughtSignature": "s"}, {"newPart": {"x": 1}, "thoughtSignature": "s"}]},
    ]}));
    let messages = &call.request.messages;
    let roles: Vec<_> = messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"]);
    assert_eq!(
        messages[0].parts[1],
        Part::Blob { modality: "image".into(), mime_type: Some("image/png".into()), content: "AAAA".into() }
    );
    assert!(matches!(&messages[0].parts[2], Part::Uri { modality, .. } if modality == "video"));
    assert_eq!(messages[1].parts[0], Part::Reasoning("hm".into()));
    assert!(matches!(&messages[1].parts[1], Part::ToolCall(call) if call.arguments == Some(json!({"a": 1}))));
    assert_eq!(
        messages[2].parts,
        [Part::ToolCallResponse { id: Some("c1".into()), response: json!({"result": 2}) }]
    );
    assert!(
        matches!(&messages[3].parts[0], Part::ServerToolCall { name, .. } if name == "GOOGLE_SEARCH_WEB")
    );
    assert!(matches!(&messages[3].parts[1], Part::ServerToolCallResponse { .. }));
    assert_eq!(messages[3].parts[2..], [Part::Generic { kind: "newPart".into(), value: json!({"x": 1}) }]);
}

#[test]
fn a_whole_answer() {
    let call = response(&answer(
        &json!([{"text": "hm", "thought": true}, {"text": "Hi"}, {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}]),
        "STOP",
    ));
    let r = &call.response;
    assert_eq!((r.id.as_deref(), r.model.as_deref()), (Some("r1"), Some("gemini-x-001")));
    assert_eq!(
        (r.finish_reasons.as_slice(), r.service_tier.as_deref()),
        (&["STOP".to_owned()][..], Some("ON_DEMAND"))
    );
    let u = &call.usage;
    assert_eq!((u.input, u.output, u.reasoning, u.cache_read), (Some(10), Some(7), Some(4), Some(2)));
    let calls: Vec<_> = r.tool_calls.iter().map(|call| (call.kind.as_str(), call.name.as_str())).collect();
    assert_eq!(calls, [("function", "f"), ("executableCode", "code_execution")]);
    assert_eq!(output(&call)[..2], [Part::Reasoning("hm".into()), Part::Text("Hi".into())]);
    assert_eq!(output(&call).len(), 5);
    assert_eq!((call.error, r.messages[0].finish_reason.as_deref()), (None, Some("STOP")));
}

#[test]
fn a_stream_joins_texts_and_keeps_candidates_apart() {
    let chunk = |index: u64, text: &str, thought: bool| json!({"candidates": [{"index": index, "content": {"parts": [{"text": text, "thought": thought}]}}]});
    let mut last = answer(&json!([{"text": "c"}]), "MAX_TOKENS");
    last["candidates"][0]["finishReason"] = json!(2);
    let call = stream(&[
        json!({"usageMetadata": {"trafficType": "ON_DEMAND"}}),
        chunk(0, "x", true),
        chunk(0, "a", false),
        chunk(1, "z", false),
        chunk(0, "b", false),
        last,
        json!({"candidates": [{"index": 1, "finishReason": "SAFETY"}]}),
    ]);
    assert_eq!(output(&call), [Part::Reasoning("x".into()), Part::Text("abc".into())]);
    assert_eq!(call.response.messages[1].parts, [Part::Text("z".into())]);
    assert_eq!(call.response.finish_reasons, ["MAX_TOKENS", "SAFETY"]);
    assert_eq!(call.usage.output, Some(7));
}

#[test]
fn streamed_arguments() {
    let chunk = |call: Value| json!({"candidates": [{"content": {"parts": [{"functionCall": call}]}}]});
    let items = [
        chunk(json!({"name": "f", "id": "c", "willContinue": true})),
        chunk(
            json!({"partialArgs": [{"jsonPath": "$.a", "stringValue": "x", "willContinue": true}], "willContinue": true}),
        ),
        chunk(json!({"partialArgs": [{"jsonPath": "$.a", "stringValue": "y"}], "willContinue": true})),
        chunk(json!({})),
        chunk(json!({"name": "f", "id": "d", "args": {}})),
    ];
    let call = stream(&items);
    let made = |id: &str, arguments: Value| ToolCall {
        id: Some(id.into()),
        name: "f".into(),
        kind: "function".into(),
        arguments: Some(arguments),
    };
    assert_eq!(call.response.tool_calls, [made("c", json!({"a": "xy"})), made("d", json!({}))]);
    let bare = fixture::stream(&mut Gemini::new(BARE), API, &items);
    assert_eq!(bare.response.tool_calls.len(), 2);
    assert!(bare.response.tool_calls.iter().all(|call| call.arguments.is_none()));
}

#[test]
fn a_refused_prompt() {
    let call =
        response(&json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}));
    assert_eq!(
        (call.response.finish_reasons.as_slice(), call.error),
        (&["PROHIBITED_CONTENT".to_owned()][..], None)
    );
    assert_eq!((call.usage.input, call.usage.output), (Some(9), Some(0)));
    assert_eq!(response(&json!({"promptFeedback": {"blockReason": 1}})).response.finish_reasons, ["SAFETY"]);
}

#[test]
fn errors_in_every_place() {
    let error = json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}});
    let kind = |call: Call| call.error.map(|error| (error.kind, error.message));
    let said = Some(("RESOURCE_EXHAUSTED".to_owned(), "slow down".to_owned()));
    assert_eq!(kind(fixture::response(&mut Gemini::new(BARE), API, 429, &error)), said);
    assert_eq!(kind(fixture::response(&mut Gemini::new(BARE), API, 429, &json!([error]))), said);
    assert_eq!(kind(response(&json!([error]))), said);
    let cut = stream(&[json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}), error]);
    assert_eq!(cut.response.finish_reasons, ["error"]);
    assert_eq!(kind(cut), said);
}

#[test]
fn a_cut_stream_has_no_reason() {
    let mut codec = Gemini::new(CONTENT);
    let mut call = fixture::call(API);
    let chunk = json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": 0}],
        "usageMetadata": {"promptTokenCount": 19, "totalTokenCount": 19}});
    codec.event("", &chunk, &mut call);
    call.completeness.truncated = true;
    codec.finish(&mut call);
    // The count of the output had not come yet.
    assert_eq!((call.usage.input, call.usage.output), (Some(19), None));
    assert_eq!(
        (call.response.finish_reasons.as_slice(), output(&call)),
        (&["error".to_owned()][..], &[Part::Text("a".into())][..])
    );
}

#[test]
fn the_wrapped_form_and_the_head() {
    let row = SPEC.rows.iter().find(|row| row.path == WRAPPED[1]).unwrap();
    let headers: Headers = [("x-vertex-ai-llm-shared-request-type", "flex")].into_iter().collect();
    let head = RequestHead {
        method: "POST".into(),
        target: "/v1internal:streamGenerateContent".into(),
        version: Version::Http11,
        headers,
    };
    let mut codec = Gemini::new(CONTENT);
    let mut call = fixture::call(API);
    codec.begin(&RequestFacts { row: Some(row), model: Some("v1internal"), head: &head }, &mut call);
    codec.request(&json!({"model": "gemini-x", "project": "p", "request": {"contents": [{"parts": [{"text": "q"}]}], "session_id": "s1"}}), &mut call);
    codec.event("", &json!({"response": answer(&json!([{"text": "a"}]), "STOP"), "traceId": "t"}), &mut call);
    codec.finish(&mut call);
    let r = &call.request;
    assert_eq!(
        (r.model.as_deref(), r.conversation_id.as_deref(), r.stream),
        (Some("gemini-x"), Some("s1"), true)
    );
    assert_eq!((r.messages.len(), r.service_tier.as_deref()), (1, Some("flex")));
    assert_eq!(output(&call), [Part::Text("a".into())]);
    assert_eq!(call.usage.output, Some(7));
}

#[test]
fn nothing_of_the_content_without_content() {
    let body = json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"parts": [{"text": "Hi"}]}],
        "generationConfig": {"responseSchema": {"type": "OBJECT"}},
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {}}]}]});
    let r = fixture::request(&mut Gemini::new(BARE), API, &body).request;
    assert!(r.system.is_empty() && r.messages.is_empty());
    assert_eq!((r.tools[0].description.as_ref(), r.tools[0].parameters.as_ref()), (None, None));
    assert!(r.response_format.is_some_and(|format| format.schema.is_none()));
    let item = answer(
        &json!([{"text": "Hi"}, {"functionCall": {"name": "f", "args": {"a": 1}}}, {"toolCall": {"toolType": "T"}}]),
        "STOP",
    );
    let call = fixture::stream(&mut Gemini::new(BARE), API, &[item]);
    assert!(call.response.messages.is_empty());
    assert_eq!(call.response.tool_calls.len(), 2);
    assert!(call.response.tool_calls.iter().all(|call| call.arguments.is_none()));
}

#[test]
fn content_past_the_cap_is_dropped_and_said() {
    let options = CodecOptions { content: true, max_content: 4 };
    let item = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}}]});
    let call = fixture::stream(&mut Gemini::new(options), API, &[item("abc"), item("de"), item("f")]);
    assert_eq!(output(&call), [Part::Text("abc".into())]);
    assert!(call.completeness.body_capped);
}

const WORDS: &[&str] = &[
    "contents",
    "parts",
    "text",
    "thought",
    "functionCall",
    "name",
    "args",
    "partialArgs",
    "jsonPath",
    "$.a[0]",
    "stringValue",
    "willContinue",
    "inlineData",
    "mimeType",
    "data",
    "fileData",
    "functionResponse",
    "toolCall",
    "toolType",
    "executableCode",
    "candidates",
    "content",
    "finishReason",
    "index",
    "groundingMetadata",
    "webSearchQueries",
    "usageMetadata",
    "promptTokenCount",
    "totalTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "promptTokensDetails",
    "modality",
    "AUDIO",
    "tokenCount",
    "promptFeedback",
    "blockReason",
    "error",
    "response",
    "request",
    "generationConfig",
    "responseModalities",
    "tools",
    "functionDeclarations",
    "toolConfig",
    "functionCallingConfig",
    "mode",
    "labels",
    "systemInstruction",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(fixture::json_of(WORDS), 1..4), content: bool, status in prop_oneof![Just(200), Just(429)]) {
        let options = CodecOptions { content, max_content: 256 };
        fixture::request(&mut Gemini::new(options), API, &bodies[0]);
        let call = fixture::response(&mut Gemini::new(options), API, status, &bodies[0]);
        prop_assert!(content || call.response.messages.is_empty());
        let call = fixture::stream(&mut Gemini::new(options), API, &bodies);
        prop_assert!(call.usage.reasoning.unwrap_or(0) <= call.usage.output.unwrap_or(u64::MAX));
        prop_assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
    }
}
