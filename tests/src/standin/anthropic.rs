//! The stand-in's Anthropic Messages side.

use serde_json::{Value, json};

use super::answer::{Answer, Question, named_event, with};
use super::seen::Facts;

/// `POST …/messages`
pub(super) fn messages(question: &Question<'_>) -> Answer {
    let tool = question.tool();
    let facts = Facts {
        operation: "chat".into(),
        model: question.model(),
        id: question.id("msg_"),
        stream: question.is_stream(),
        input: Some(question.input_tokens()),
        output: Some(question.output_tokens()),
        cached: Some(question.cached_tokens()),
        finish: Some(if tool.is_some() { "tool_use" } else { "end_turn" }.into()),
        error: None,
    };
    if facts.stream {
        return stream(question, facts, tool.as_deref());
    }
    let block = match tool {
        Some(name) => {
            json!({"type": "tool_use", "id": question.id("toolu_"), "name": name, "input": question.tool_arguments()})
        }
        None => json!({"type": "text", "text": question.text()}),
    };
    let message = envelope(question, &facts, question.output_tokens());
    let message = with(with(message, "content", json!([block])), "stop_reason", json!(facts.finish));
    Answer::json(&message, Some(facts))
}

/// The message without its content. Anthropic counts what came from the cache apart from `input_tokens`.
fn envelope(question: &Question<'_>, facts: &Facts, output: u64) -> Value {
    let cached = question.cached_tokens();
    json!({"id": facts.id, "type": "message", "role": "assistant", "model": facts.model, "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": question.input_tokens() - cached, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached, "output_tokens": output, "service_tier": "standard"}})
}

fn stream(question: &Question<'_>, mut facts: Facts, tool: Option<&str>) -> Answer {
    let mut events = vec![named_event(
        "message_start",
        &json!({"type": "message_start", "message": envelope(question, &facts, 1)}),
    )];
    let start = match tool {
        Some(name) => json!({"type": "tool_use", "id": question.id("toolu_"), "name": name, "input": {}}),
        None => json!({"type": "text", "text": ""}),
    };
    events.push(named_event(
        "content_block_start",
        &json!({"type": "content_block_start", "index": 0, "content_block": start}),
    ));
    events.push(named_event("ping", &json!({"type": "ping"})));
    for delta in deltas(question, tool.is_some()) {
        events.push(named_event(
            "content_block_delta",
            &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        ));
    }
    if question.wish.error_in_stream {
        events.truncate(4);
        events.push(named_event(
            "error",
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ));
        facts = Facts { output: None, finish: None, error: Some("overloaded_error".into()), ..facts };
        return Answer::events(events, facts);
    }
    events.push(named_event("content_block_stop", &json!({"type": "content_block_stop", "index": 0})));
    events.push(named_event(
        "message_delta",
        &json!({"type": "message_delta", "delta": {"stop_reason": facts.finish, "stop_sequence": null},
            "usage": {"output_tokens": question.output_tokens()}}),
    ));
    events.push(named_event("message_stop", &json!({"type": "message_stop"})));
    Answer::events(events, facts)
}

fn deltas(question: &Question<'_>, tool: bool) -> Vec<Value> {
    if !tool {
        return question
            .text_chunks()
            .into_iter()
            .map(|text| json!({"type": "text_delta", "text": text}))
            .collect();
    }
    let arguments: Vec<char> = question.tool_arguments().to_string().chars().collect();
    arguments
        .chunks(8)
        .map(|piece| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()}))
        .collect()
}

/// An error in Anthropic's form, and the `error.type` that a span must show.
pub(super) fn error(question: &Question<'_>, status: u16) -> Answer {
    let kind = match status {
        400 | 413 => "invalid_request_error",
        401 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let body = json!({"type": "error", "error": {"type": kind, "message": format!("the stand-in answers {status}")},
        "request_id": question.id("req_")});
    let facts = Facts {
        operation: "chat".into(),
        model: question.model(),
        stream: question.is_stream(),
        error: Some(kind.into()),
        ..Facts::default()
    };
    Answer::error(status, &body, Some(facts))
}
