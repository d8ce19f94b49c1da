//! The stand-in's OpenAI Responses side.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Question, named_event, text_of, with};
use super::seen::Facts;

/// Reasoning tokens within the output.
const REASONING: u64 = 4;

/// `POST …/responses`
pub(super) fn create(question: &Question<'_>) -> Answer {
    let mut facts = Facts {
        operation: "chat".into(),
        model: question.model(),
        id: question.id("resp_"),
        stream: question.is_stream(),
        input: Some(question.input_tokens()),
        output: Some(question.output_tokens() + REASONING),
        cached: Some(question.cached_tokens()),
        finish: None,
        error: None,
    };
    let mut items = before(question);
    items.push(item(question));
    let completed = response(question, &facts, "completed", &json!(items), &usage(question));
    if !facts.stream {
        return Answer::json(&completed, Some(facts));
    }
    let events = if question.wish.error_in_stream {
        facts =
            Facts { input: None, output: None, cached: None, error: Some("server_error".into()), ..facts };
        failing(question, &facts)
    } else {
        succeeding(question, &facts, &items, &completed)
    };
    Answer::events(events, facts)
}

/// What was thought and searched for, where wished.
fn before(question: &Question<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    if question.wish.think {
        items.push(json!({"id": question.id("rs_"), "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "light scatters, I think"}]}));
    }
    if question.wish.search {
        items.push(json!({"id": question.id("ws_"), "type": "web_search_call", "status": "completed",
            "action": {"type": "search", "query": "sky blue"}}));
    }
    items
}

fn item(question: &Question<'_>) -> Value {
    match question.tool() {
        Some(name) => json!({"id": question.id("fc_"), "type": "function_call", "status": "completed",
            "call_id": question.id("call_"), "name": name, "arguments": question.tool_arguments().to_string()}),
        None => {
            json!({"id": question.id("msg_"), "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": question.text(), "annotations": [], "logprobs": []}]})
        }
    }
}

fn usage(question: &Question<'_>) -> Value {
    let (input, output) = (question.input_tokens(), question.output_tokens() + REASONING);
    json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": question.cached_tokens()},
        "output_tokens": output, "output_tokens_details": {"reasoning_tokens": REASONING}, "total_tokens": input + output})
}

fn response(question: &Question<'_>, facts: &Facts, status: &str, output: &Value, usage: &Value) -> Value {
    json!({"id": facts.id, "object": "response", "created_at": 1_760_000_000, "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": question.body.get("instructions"),
        "max_output_tokens": question.body.get("max_output_tokens"), "model": facts.model, "output": output,
        "parallel_tool_calls": true, "previous_response_id": question.body.get("previous_response_id"),
        "reasoning": {"effort": null, "summary": null}, "service_tier": "default", "store": true, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto",
        "tools": question.body.get("tools").cloned().unwrap_or_else(|| json!([])), "top_p": 1.0,
        "truncation": "disabled", "usage": usage, "user": null, "metadata": {}})
}

/// Events get their sequence numbers here.
fn numbered(events: Vec<Value>) -> Vec<Bytes> {
    events
        .into_iter()
        .enumerate()
        .map(|(number, event)| {
            named_event(text_of(&event, "type"), &with(event.clone(), "sequence_number", json!(number)))
        })
        .collect()
}

fn beginning(question: &Question<'_>, facts: &Facts) -> Vec<Value> {
    let running = response(question, facts, "in_progress", &json!([]), &Value::Null);
    vec![
        json!({"type": "response.created", "response": running}),
        json!({"type": "response.in_progress", "response": running}),
    ]
}

fn succeeding(question: &Question<'_>, facts: &Facts, items: &[Value], completed: &Value) -> Vec<Bytes> {
    let mut events = beginning(question, facts);
    for (index, item) in items.iter().enumerate() {
        events.extend(produced(question, index, item));
    }
    events.push(json!({"type": "response.completed", "response": completed}));
    numbered(events)
}

/// The events of one output item.
fn produced(question: &Question<'_>, index: usize, item: &Value) -> Vec<Value> {
    let mut events = Vec::new();
    let id = text_of(item, "id");
    let started = with(item.clone(), "status", json!("in_progress"));
    if text_of(item, "type") == "function_call" {
        let started = with(started, "arguments", json!(""));
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": started}));
        let arguments: Vec<char> = text_of(item, "arguments").chars().collect();
        for piece in arguments.chunks(9) {
            let piece: String = piece.iter().collect();
            events.push(json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": index, "delta": piece}));
        }
        events.push(
            json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": index,
            "arguments": text_of(item, "arguments")}),
        );
    } else if text_of(item, "type") == "message" {
        let started = with(started, "content", json!([]));
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": started}));
        let empty = json!({"type": "output_text", "text": "", "annotations": [], "logprobs": []});
        events.push(json!({"type": "response.content_part.added", "item_id": id, "output_index": index, "content_index": 0, "part": empty}));
        for piece in question.text_chunks() {
            events.push(json!({"type": "response.output_text.delta", "item_id": id, "output_index": index,
                "content_index": 0, "delta": piece, "logprobs": []}));
        }
        events.push(
            json!({"type": "response.output_text.done", "item_id": id, "output_index": index, "content_index": 0,
            "text": question.text(), "logprobs": []}),
        );
        events.push(
            json!({"type": "response.content_part.done", "item_id": id, "output_index": index, "content_index": 0,
            "part": item.pointer("/content/0")}),
        );
    } else {
        events.push(json!({"type": "response.output_item.added", "output_index": index, "item": started}));
    }
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    events
}

fn failing(question: &Question<'_>, facts: &Facts) -> Vec<Bytes> {
    let mut events = beginning(question, facts);
    let failed = response(question, facts, "failed", &json!([]), &Value::Null);
    let failed =
        with(failed, "error", json!({"code": "server_error", "message": "the engine is overloaded"}));
    events.push(json!({"type": "response.failed", "response": failed}));
    numbered(events)
}
