//! The stand-in's Anthropic Messages side.

use serde_json::{Value, json};

use super::answer::{Answer, Question, named_event, text_of, with};
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
    let message = envelope(question, &facts, question.output_tokens());
    let blocks = blocks(question, tool.as_deref());
    let message = with(with(message, "content", json!(blocks)), "stop_reason", json!(facts.finish));
    Answer::json(&message, Some(facts))
}

/// The content: what was thought and searched for, where wished, then the text or the tool call.
fn blocks(question: &Question<'_>, tool: Option<&str>) -> Vec<Value> {
    let mut blocks = Vec::new();
    if question.wish.think {
        blocks.push(
            json!({"type": "thinking", "thinking": "light scatters, I think", "signature": "c2lnbmVk"}),
        );
    }
    if question.wish.search {
        let id = question.id("srvtoolu_");
        blocks.push(json!({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": "sky blue"}}));
        blocks.push(json!({"type": "web_search_tool_result", "tool_use_id": id, "content": [
            {"type": "web_search_result", "title": "Sky", "url": "https://example.com/sky", "encrypted_content": "c2t5", "page_age": null}]}));
    }
    blocks.push(match tool {
        Some(name) => {
            json!({"type": "tool_use", "id": question.id("toolu_"), "name": name, "input": question.tool_arguments()})
        }
        None => json!({"type": "text", "text": question.text()}),
    });
    blocks
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
    events.push(named_event("ping", &json!({"type": "ping"})));
    for (index, block) in blocks(question, tool).iter().enumerate() {
        let (start, deltas) = pieces(question, block);
        events.push(named_event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": index, "content_block": start}),
        ));
        for delta in deltas {
            events.push(named_event(
                "content_block_delta",
                &json!({"type": "content_block_delta", "index": index, "delta": delta}),
            ));
        }
        events
            .push(named_event("content_block_stop", &json!({"type": "content_block_stop", "index": index})));
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
    events.push(named_event(
        "message_delta",
        &json!({"type": "message_delta", "delta": {"stop_reason": facts.finish, "stop_sequence": null},
            "usage": {"output_tokens": question.output_tokens()}}),
    ));
    events.push(named_event("message_stop", &json!({"type": "message_stop"})));
    Answer::events(events, facts)
}

/// A block as it starts, and what is added to it.
fn pieces(question: &Question<'_>, block: &Value) -> (Value, Vec<Value>) {
    match text_of(block, "type") {
        "thinking" => {
            let start = json!({"type": "thinking", "thinking": "", "signature": ""});
            let text = json!({"type": "thinking_delta", "thinking": block.get("thinking")});
            let signature = json!({"type": "signature_delta", "signature": block.get("signature")});
            (start, vec![text, signature])
        }
        "text" => {
            let delta = |text| json!({"type": "text_delta", "text": text});
            (json!({"type": "text", "text": ""}), question.text_chunks().into_iter().map(delta).collect())
        }
        "tool_use" | "server_tool_use" => {
            let input: Vec<char> =
                block.get("input").map(ToString::to_string).unwrap_or_default().chars().collect();
            let delta = |piece: &[char]| json!({"type": "input_json_delta", "partial_json": piece.iter().collect::<String>()});
            (with(block.clone(), "input", json!({})), input.chunks(8).map(delta).collect())
        }
        _ => (block.clone(), Vec::new()),
    }
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
