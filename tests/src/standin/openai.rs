//! The stand-in's OpenAI side: chat completions, embeddings, errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Question, event};
use super::seen::Facts;

const CREATED: u64 = 1_760_000_000;

/// `POST …/chat/completions`
pub(super) fn chat(question: &Question<'_>) -> Answer {
    let tool = question.tool();
    let finish = if tool.is_some() { "tool_calls" } else { "stop" };
    let facts = Facts {
        operation: "chat".into(),
        model: question.model(),
        id: question.id("chatcmpl-"),
        stream: question.is_stream(),
        input: Some(question.input_tokens()),
        output: Some(question.output_tokens()),
        cached: Some(question.cached_tokens()),
        finish: Some(finish.into()),
        error: None,
    };
    let tool = tool.as_deref();
    if question.is_stream() { chat_stream(question, facts, tool) } else { chat_whole(question, facts, tool) }
}

fn chat_whole(question: &Question<'_>, facts: Facts, tool: Option<&str>) -> Answer {
    let message = match tool {
        Some(name) => json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
            {"id": question.id("call_"), "type": "function",
             "function": {"name": name, "arguments": question.tool_arguments().to_string()}}]}),
        None => json!({"role": "assistant", "content": question.text(), "refusal": null, "annotations": []}),
    };
    let body = json!({
        "id": facts.id, "object": "chat.completion", "created": CREATED, "model": facts.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": facts.finish}],
        "usage": chat_usage(question), "service_tier": "default", "system_fingerprint": "fp_standin",
    });
    Answer::json(&body, Some(facts))
}

fn chat_usage(question: &Question<'_>) -> Value {
    let (input, output) = (question.input_tokens(), question.output_tokens());
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": question.cached_tokens(), "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}})
}

fn chat_stream(question: &Question<'_>, mut facts: Facts, tool: Option<&str>) -> Answer {
    let frame = |choices: Value, usage: Value| {
        event(
            &json!({"id": facts.id, "object": "chat.completion.chunk", "created": CREATED, "model": facts.model,
            "service_tier": "default", "system_fingerprint": "fp_standin", "choices": choices, "usage": usage}),
        )
    };
    let delta = |delta: Value, finish: Value| {
        frame(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), Value::Null)
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
    match tool {
        Some(name) => {
            events.push(delta(
                json!({"tool_calls": [{"index": 0, "id": question.id("call_"), "type": "function",
                    "function": {"name": name, "arguments": ""}}]}),
                Value::Null,
            ));
            let arguments: Vec<char> = question.tool_arguments().to_string().chars().collect();
            for piece in arguments.chunks(7) {
                let piece: String = piece.iter().collect();
                let call = json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
                events.push(delta(call, Value::Null));
            }
        }
        None => {
            for piece in question.text_chunks() {
                events.push(delta(json!({"content": piece}), Value::Null));
            }
        }
    }
    if question.wish.error_in_stream {
        events.truncate(3);
        events.push(event(&json!({"error": {"message": "the engine is overloaded", "type": "server_error",
            "param": null, "code": "engine_overloaded"}})));
        facts = Facts { input: None, output: None, cached: None, finish: None, ..facts };
        facts.error = Some("engine_overloaded".into());
        return Answer::events(events, facts);
    }
    events.push(delta(json!({}), json!(facts.finish)));
    let wants_usage = question.body.pointer("/stream_options/include_usage").and_then(Value::as_bool);
    if wants_usage == Some(true) {
        events.push(frame(json!([]), chat_usage(question)));
    } else {
        facts = Facts { input: None, output: None, cached: None, ..facts };
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Answer::events(events, facts)
}

/// `POST …/embeddings`
pub(super) fn embeddings(question: &Question<'_>) -> Answer {
    let inputs = match question.body.get("input") {
        Some(Value::Array(items)) => items.len(),
        _ => 1,
    };
    let dimensions = question.body.get("dimensions").and_then(Value::as_u64).unwrap_or(256);
    let base64 = question.body.get("encoding_format").is_some_and(|format| format == "base64");
    let data = (0..inputs).map(|index| {
        let vector = vector(question.number, index, dimensions);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let data: Vec<Value> = data.collect();
    let input = question.input_tokens();
    let facts = Facts {
        operation: "embeddings".into(),
        model: question.model(),
        input: Some(input),
        ..Facts::default()
    };
    let body = json!({"object": "list", "data": data, "model": facts.model,
        "usage": {"prompt_tokens": input, "total_tokens": input}});
    Answer::json(&body, Some(facts))
}

/// Numbers that are exact in binary, so that they print short.
fn vector(number: u64, index: usize, dimensions: u64) -> Vec<f32> {
    (0..dimensions)
        .map(|at| {
            let mixed = (number + index as u64 * 31 + at * 7) % 128;
            f32::from(u8::try_from(mixed).unwrap_or_default()) / 128.0 - 0.5
        })
        .collect()
}

/// An error in OpenAI's form, and the `error.type` that a span must show.
pub(super) fn error(question: &Question<'_>, status: u16, operation: &str) -> Answer {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "invalid_api_key"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("requests", "rate_limit_exceeded"),
        400..=499 => ("invalid_request_error", "invalid_value"),
        _ => ("server_error", "server_error"),
    };
    let body = json!({"error": {"message": format!("the stand-in answers {status}"), "type": kind, "param": null, "code": code}});
    let facts = Facts {
        operation: operation.into(),
        model: question.model(),
        stream: question.is_stream(),
        error: Some(code.into()),
        ..Facts::default()
    };
    Answer::error(status, &body, Some(facts))
}
