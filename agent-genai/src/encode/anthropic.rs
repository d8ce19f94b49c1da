//! Anthropic Messages.

use serde_json::{Map, Value, json};

use super::delta::{Delta, Writer};
use super::frames;
use super::loss::{Losses, NO_REASON, NO_SUCH};
use super::openai_chat::units;
use super::parts::{self, object};
use super::settings;
use crate::call::{Call, Message, Part, Request, ToolChoice, ToolDefinition, Usage};

/// Most output tokens where the source sets no bound: the form wants one.
const MAX_TOKENS: i64 = 4096;

/// The request body.
pub(super) fn request(request: &Request, losses: &mut Losses) -> Value {
    settings::stateful(request, losses);
    settings::sampling(request, losses);
    settings::output_type(request, losses);
    settings::of_one_provider(request, false, true, losses);
    losses.unless_absent(&[("metadata", !request.metadata.is_empty())], NO_SUCH);
    let tier = request.service_tier.as_deref().filter(|tier| *tier == "standard_only");
    if tier.is_none() && request.service_tier.is_some() {
        losses.add("service tier", "the form knows auto and standard_only");
    }
    if request.max_tokens.is_none() {
        losses.add("no bound on the output", "the form wants one: 4096 tokens");
    }
    let messages: Vec<Value> = request.messages.iter().map(|entry| message(entry, losses)).collect();
    let tools: Vec<Value> = request.tools.iter().filter_map(|tool| definition(tool, losses)).collect();
    let system: Vec<Value> = request.system.iter().filter_map(|part| block(part, losses)).collect();
    let format = request.response_format.as_ref().and_then(|format| {
        if format.name.is_some() || format.strict.is_some() {
            losses.add("name and strictness of the schema", NO_SUCH);
        }
        let schema = format.schema.as_ref().filter(|_| format.kind == "json_schema");
        if schema.is_none() {
            losses.add(format!("answer as {}", format.kind), "the form asks for JSON by schema only");
        }
        Some(json!({"type": "json_schema", "schema": schema?}))
    });
    let config = object([("effort", json!(request.reasoning_level)), ("format", json!(format))]);
    let stop = if request.stop.is_empty() { Value::Null } else { json!(request.stop) };
    object([
        ("model", json!(request.model)),
        ("max_tokens", json!(request.max_tokens.unwrap_or(MAX_TOKENS))),
        ("system", list(system)),
        ("messages", Value::Array(messages)),
        ("tools", list(tools)),
        ("tool_choice", tool_choice(request, losses)),
        ("temperature", json!(request.temperature)),
        ("top_p", json!(request.top_p)),
        ("top_k", json!(request.top_k)),
        ("stop_sequences", stop),
        ("output_config", super::openai_chat::details(config)),
        (
            "thinking",
            json!(request.reasoning_budget.map(|tokens| json!({"type": "enabled", "budget_tokens": tokens}))),
        ),
        ("metadata", json!(request.user.as_ref().map(|user| json!({ "user_id": user })))),
        ("service_tier", json!(tier)),
        ("speed", json!(request.speed)),
        ("stream", if request.stream { json!(true) } else { Value::Null }),
    ])
}

fn list(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

fn message(message: &Message, losses: &mut Losses) -> Value {
    // Results of tools come from the user; instructions in the middle are a beta of the API.
    let role = if message.role == "tool" { "user" } else { message.role.as_str() };
    if message.name.is_some() {
        losses.add("name of a participant", NO_SUCH);
    }
    let blocks: Vec<Value> = message.parts.iter().filter_map(|part| block(part, losses)).collect();
    json!({"role": role, "content": blocks})
}

fn block(part: &Part, losses: &mut Losses) -> Option<Value> {
    let known = match part {
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::Reasoning(text) => Some(json!({"type": "thinking", "thinking": text, "signature": ""})),
        Part::ToolCall(call) if call.kind == "function" => {
            Some(json!({"type": "tool_use", "id": parts::call_id(call.id.as_ref(), 0, losses),
            "name": call.name, "input": parts::arguments_object(call, losses)}))
        }
        Part::ToolCallResponse { id, response } => Some(result(id.as_ref(), response, losses)),
        Part::Blob { modality, mime_type, content } if is_source(modality) => Some(json!({"type": modality,
            "source": object([("type", json!("base64")), ("media_type", json!(mime_type)), ("data", json!(content))])})),
        Part::Uri { modality, uri, mime_type: None } if is_source(modality) => {
            Some(json!({"type": modality, "source": {"type": "url", "url": uri}}))
        }
        Part::File { modality, file_id, mime_type } if is_source(modality) => Some(json!({"type": modality,
            "source": object([("type", json!("file")), ("file_id", json!(file_id)), ("media_type", json!(mime_type))])})),
        Part::ServerToolCall { id, name, call } if has_type(call, "tool_use") => {
            Some(with(call, &[("id", json!(id)), ("name", json!(name))]))
        }
        Part::ServerToolCallResponse { id, response } if has_type(response, "tool_result") => {
            Some(with(response, &[("tool_use_id", json!(id))]))
        }
        _ => None,
    };
    if known.is_none() {
        losses.add(parts::name(part), NO_SUCH);
    }
    known
}

fn is_source(modality: &str) -> bool {
    matches!(modality, "image" | "document")
}

/// Whether an object is one of this form's, by the end of its type.
fn has_type(value: &Value, end: &str) -> bool {
    value.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(end) && kind != end)
}

fn with(value: &Value, more: &[(&str, Value)]) -> Value {
    let mut members: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
    for (key, value) in more.iter().filter(|(_, value)| !value.is_null()) {
        members.insert((*key).to_owned(), value.clone());
    }
    Value::Object(members)
}

/// A tool's result: text, or blocks of this form.
fn result(id: Option<&String>, response: &Value, losses: &mut Losses) -> Value {
    let (failed, content) = parts::result(response);
    let blocks = |items: &[Value]| items.iter().all(|item| item.get("type").is_some_and(Value::is_string));
    let content = match content {
        Value::String(_) => content.clone(),
        Value::Array(items) if blocks(items) => content.clone(),
        other => {
            losses.add("structured result of a tool", parts::AS_TEXT);
            json!(other.to_string())
        }
    };
    let id = parts::call_id(id, 0, losses);
    object([
        ("type", json!("tool_result")),
        ("tool_use_id", json!(id)),
        ("content", content),
        ("is_error", if failed { json!(true) } else { Value::Null }),
    ])
}

fn definition(tool: &ToolDefinition, losses: &mut Losses) -> Option<Value> {
    match tool.kind.as_str() {
        "function" => Some(object([
            ("name", json!(tool.name)),
            ("description", json!(tool.description)),
            ("input_schema", json!(tool.parameters)),
        ])),
        // Tools that Anthropic defines carry their date.
        kind if kind.rsplit_once("_20").is_some() => Some(json!({"type": kind, "name": tool.name})),
        kind => {
            losses.add(format!("tool {} of kind {kind}", tool.name), NO_SUCH);
            None
        }
    }
}

fn tool_choice(request: &Request, losses: &mut Losses) -> Value {
    let parallel = request.parallel_tool_calls;
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::None) => json!({"type": "none"}),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Tool(name)) => json!({"type": "tool", "name": name}),
        Some(ToolChoice::Other(_)) => {
            losses.add("tool choice", NO_SUCH);
            Value::Null
        }
        None if parallel.is_some() => {
            losses.add(
                "calls in parallel without a tool choice",
                "the form says it beside a choice: auto was written",
            );
            json!({"type": "auto"})
        }
        None => Value::Null,
    };
    if let (Some(parallel), Value::Object(members)) = (parallel, &mut choice) {
        members.insert("disable_parallel_tool_use".to_owned(), json!(!parallel));
    }
    choice
}

/// The answer.
pub(super) fn response(call: &Call, losses: &mut Losses) -> Value {
    let response = &call.response;
    if response.messages.len() > 1 {
        losses.add("choices after the first", "the form has one answer");
    }
    let first = response.messages.first();
    let blocks: Vec<Value> =
        first.into_iter().flat_map(|message| &message.parts).filter_map(|part| block(part, losses)).collect();
    let word = response.finish_reasons.first().map(|word| reason(word, losses));
    json!({
        "id": response.id, "type": "message", "role": "assistant", "model": response.model, "content": blocks,
        "stop_reason": word, "stop_sequence": null, "usage": usage(&call.usage, losses),
    })
}

fn reason(word: &str, losses: &mut Losses) -> &'static str {
    match word {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "refusal" => "refusal",
        "pause_turn" => "pause_turn",
        "content_filter" => {
            losses.add("finish reason content_filter", "the form calls it refusal");
            "refusal"
        }
        other => {
            losses.add(format!("finish reason {other}"), "the form has no word for it: it says end_turn");
            "end_turn"
        }
    }
}

/// Token counts: cached ones stand apart from the input here.
fn usage(usage: &Usage, losses: &mut Losses) -> Value {
    losses.unless_absent(
        &[
            ("image tokens", usage.image_input.is_some() || usage.image_output.is_some()),
            ("audio tokens", usage.audio_input.is_some() || usage.audio_output.is_some()),
            ("cached tokens by modality", usage.splits_cache_read()),
            ("text tokens", usage.text_input.is_some() || usage.text_output.is_some()),
        ],
        NO_SUCH,
    );
    let searches = usage.web_searches.map(|count| json!({ "web_search_requests": count }));
    units(&Usage { web_searches: None, ..usage.clone() }, losses);
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    let split = object([
        ("ephemeral_5m_input_tokens", json!(usage.cache_write_5m)),
        ("ephemeral_1h_input_tokens", json!(usage.cache_write_1h)),
    ]);
    object([
        ("input_tokens", json!(usage.input.map(|input| input.saturating_sub(cached)))),
        ("output_tokens", json!(usage.output)),
        ("cache_read_input_tokens", json!(usage.cache_read)),
        ("cache_creation_input_tokens", json!(usage.cache_write)),
        ("cache_creation", super::openai_chat::details(split)),
        ("output_tokens_details", json!(usage.reasoning.map(|tokens| json!({ "thinking_tokens": tokens })))),
        ("server_tool_use", json!(searches)),
    ])
}

/// What kind of block is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Tool,
}

/// Writes events.
#[derive(Default)]
pub(super) struct Stream {
    open: Option<Open>,
    index: u64,
    reason: Option<&'static str>,
    usage: Value,
}

impl Stream {
    fn event(data: &Value, out: &mut Vec<u8>) {
        frames::sse(data.get("type").and_then(Value::as_str), data, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            Self::event(&json!({"type": "content_block_stop", "index": self.index}), out);
            self.index += 1;
        }
    }

    fn open(&mut self, kind: Open, block: &Value, out: &mut Vec<u8>) {
        if self.open == Some(kind) && kind != Open::Tool {
            return;
        }
        self.close(out);
        self.open = Some(kind);
        Self::event(
            &json!({"type": "content_block_start", "index": self.index, "content_block": block}),
            out,
        );
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        Self::event(&json!({"type": "content_block_delta", "index": self.index, "delta": delta}), out);
    }
}

impl Writer for Stream {
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, .. } => {
                let message = json!({"id": id, "type": "message", "role": "assistant", "model": model, "content": [],
                    "stop_reason": null, "stop_sequence": null, "usage": {}});
                Self::event(&json!({"type": "message_start", "message": message}), out);
            }
            Delta::Text { choice, .. }
            | Delta::Reasoning { choice, .. }
            | Delta::Call { choice, .. }
            | Delta::Arguments { choice, .. }
            | Delta::Finish { choice, .. }
                if *choice > 0 =>
            {
                losses.add("choices after the first", "the form has one answer");
            }
            Delta::Text { text, .. } => {
                self.open(Open::Text, &json!({"type": "text", "text": ""}), out);
                self.delta(&json!({"type": "text_delta", "text": text}), out);
            }
            Delta::Reasoning { text, .. } => {
                self.open(Open::Thinking, &json!({"type": "thinking", "thinking": "", "signature": ""}), out);
                self.delta(&json!({"type": "thinking_delta", "thinking": text}), out);
            }
            Delta::Call { id, name, custom, .. } => {
                if *custom {
                    losses.add(format!("custom call of {name}"), "the form takes an object");
                }
                let number = usize::try_from(self.index).unwrap_or_default();
                let id = parts::call_id(id.as_ref(), number, losses);
                self.open(Open::Tool, &json!({"type": "tool_use", "id": id, "name": name, "input": {}}), out);
            }
            Delta::Arguments { text, .. } => {
                self.delta(&json!({"type": "input_json_delta", "partial_json": text}), out);
            }
            Delta::Finish { reason: word, .. } => self.reason = Some(reason(word, losses)),
            Delta::Usage(counts) => self.usage = usage(counts, losses),
            Delta::End => {
                if self.reason.is_none() {
                    losses.add(NO_REASON.0, NO_REASON.1);
                }
                self.close(out);
                let delta = json!({"stop_reason": self.reason, "stop_sequence": null});
                Self::event(
                    &object([
                        ("type", json!("message_delta")),
                        ("delta", delta),
                        ("usage", self.usage.take()),
                    ]),
                    out,
                );
                Self::event(&json!({"type": "message_stop"}), out);
            }
        }
    }
}
