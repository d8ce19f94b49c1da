//! OpenAI Responses.

use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::delta::{Delta, Writer};
use super::frames;
use super::loss::{Losses, NO_REASON, NO_SUCH};
use super::openai_chat::{details, units};
use super::parts::{self, object};
use super::settings;
use crate::call::{
    Call, Message, Part, Request, ResponseFormat, ToolCall, ToolChoice, ToolDefinition, Usage,
};

/// Tools that the provider runs and that need no more than their name.
const HOSTED: &[&str] = &[
    "web_search",
    "web_search_preview",
    "image_generation",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
];

/// The request body.
pub(super) fn request(request: &Request, losses: &mut Losses) -> Value {
    settings::sampling(request, losses);
    settings::output_type(request, losses);
    settings::of_one_provider(request, false, false, losses);
    losses.unless_absent(
        &[
            ("top_k", request.top_k.is_some()),
            ("stop sequences", !request.stop.is_empty()),
            ("reasoning budget", request.reasoning_budget.is_some()),
        ],
        NO_SUCH,
    );
    let mut input = Vec::new();
    for message in &request.messages {
        items(message, &mut input, losses);
    }
    let instructions = match request.system.as_slice() {
        [] => Value::Null,
        [Part::Text(text)] => json!(text),
        parts => {
            json!([{"type": "message", "role": "system", "content": content(parts, "input_text", losses)}])
        }
    };
    let tools: Vec<Value> = request.tools.iter().filter_map(|tool| definition(tool, losses)).collect();
    let metadata: Map<String, Value> =
        request.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    object([
        ("model", json!(request.model)),
        ("instructions", instructions),
        ("input", Value::Array(input)),
        ("tools", if tools.is_empty() { Value::Null } else { Value::Array(tools) }),
        (
            "tool_choice",
            request.tool_choice.as_ref().map_or(Value::Null, |choice| tool_choice(choice, losses)),
        ),
        ("parallel_tool_calls", json!(request.parallel_tool_calls)),
        (
            "text",
            json!(
                request.response_format.as_ref().map(|format| json!({ "format": response_format(format) }))
            ),
        ),
        ("temperature", json!(request.temperature)),
        ("top_p", json!(request.top_p)),
        ("max_output_tokens", json!(request.max_tokens)),
        ("reasoning", json!(request.reasoning_level.as_ref().map(|level| json!({ "effort": level })))),
        ("service_tier", json!(request.service_tier)),
        ("previous_response_id", json!(request.previous_response_id)),
        ("conversation", json!(request.conversation_id)),
        ("user", json!(request.user)),
        ("metadata", if metadata.is_empty() { Value::Null } else { Value::Object(metadata) }),
        ("stream", if request.stream { json!(true) } else { Value::Null }),
    ])
}

/// The items of one message: its words, and each call and result as an item of its own.
fn items(message: &Message, out: &mut Vec<Value>, losses: &mut Losses) {
    if message.name.is_some() {
        losses.add("name of a participant", NO_SUCH);
    }
    let assistant = message.role == "assistant";
    let text_kind = if assistant { "output_text" } else { "input_text" };
    for run in message.parts.chunk_by(|a, b| is_word(a) && is_word(b)) {
        match run {
            [Part::Reasoning(text)] => {
                out.push(json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}));
            }
            [Part::ToolCall(call)] => out.push(tool_call(call, out.len(), losses)),
            [Part::ToolCallResponse { id, response }] => {
                let id = parts::call_id(id.as_ref(), out.len(), losses);
                out.push(json!({"type": "function_call_output", "call_id": id, "output": result(response, losses)}));
            }
            words if words.iter().all(is_word) => {
                let content = content(words, text_kind, losses);
                out.push(json!({"type": "message", "role": message.role, "content": content}));
            }
            others => others.iter().for_each(|other| losses.add(parts::name(other), NO_SUCH)),
        }
    }
}

/// Whether a part stands in the content of a message.
fn is_word(part: &Part) -> bool {
    match part {
        Part::Text(_) | Part::Blob { .. } | Part::Uri { .. } | Part::File { .. } => true,
        Part::Generic { kind, .. } => kind == "refusal",
        _ => false,
    }
}

fn content(parts: &[Part], text_kind: &str, losses: &mut Losses) -> Value {
    Value::Array(parts.iter().filter_map(|part| content_part(part, text_kind, losses)).collect())
}

fn content_part(part: &Part, text_kind: &str, losses: &mut Losses) -> Option<Value> {
    let known = match part {
        Part::Text(text) => Some(json!({"type": text_kind, "text": text})),
        Part::Blob { modality, mime_type, content } => blob(modality, mime_type.as_deref(), content),
        Part::Uri { modality, uri, mime_type: None } => match modality.as_str() {
            "image" => Some(json!({"type": "input_image", "image_url": uri})),
            "document" => Some(json!({"type": "input_file", "file_url": uri})),
            _ => None,
        },
        Part::File { modality, file_id, mime_type: None } => match modality.as_str() {
            "image" => Some(json!({"type": "input_image", "file_id": file_id})),
            "document" => Some(json!({"type": "input_file", "file_id": file_id})),
            _ => None,
        },
        Part::Generic { kind, value } if kind == "refusal" => {
            Some(json!({"type": "refusal", "refusal": value.get("refusal")}))
        }
        _ => None,
    };
    if known.is_none() {
        losses.add(parts::name(part), NO_SUCH);
    }
    known
}

fn blob(modality: &str, mime: Option<&str>, data: &str) -> Option<Value> {
    match (modality, mime) {
        ("image", _) => Some(json!({"type": "input_image", "image_url": parts::data_url(mime, data)})),
        ("document", _) => Some(json!({"type": "input_file", "file_data": parts::data_url(mime, data)})),
        ("audio", Some("audio/mpeg")) => {
            Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}}))
        }
        ("audio", Some(mime)) => {
            let format = mime.strip_prefix("audio/")?;
            Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        _ => None,
    }
}

fn tool_call(call: &ToolCall, number: usize, losses: &mut Losses) -> Value {
    let id = parts::call_id(call.id.as_ref(), number, losses);
    let text = parts::arguments_text(call);
    if call.kind == "custom" {
        json!({"type": "custom_tool_call", "call_id": id, "name": call.name, "input": text})
    } else {
        json!({"type": "function_call", "call_id": id, "name": call.name, "arguments": text})
    }
}

/// A tool's result: text, or an array of the form's own parts.
fn result(response: &Value, losses: &mut Losses) -> Value {
    let own = |items: &[Value]| {
        items.iter().all(|item| {
            item.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("input_"))
        })
    };
    match response {
        Value::Array(items) if !items.is_empty() && own(items) => response.clone(),
        other => json!(parts::result_text(other, losses)),
    }
}

fn definition(tool: &ToolDefinition, losses: &mut Losses) -> Option<Value> {
    match tool.kind.as_str() {
        "function" | "custom" => Some(object([
            ("type", json!(tool.kind)),
            ("name", json!(tool.name)),
            ("description", json!(tool.description)),
            ("parameters", json!(tool.parameters)),
        ])),
        kind if HOSTED.contains(&kind) => Some(json!({ "type": kind })),
        kind => {
            losses.add(format!("tool {} of kind {kind}", tool.name), NO_SUCH);
            None
        }
    }
}

fn tool_choice(choice: &ToolChoice, losses: &mut Losses) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "name": name}),
        ToolChoice::Other(_) => {
            losses.add("tool choice", NO_SUCH);
            Value::Null
        }
    }
}

fn response_format(format: &ResponseFormat) -> Value {
    let ResponseFormat { kind, name, schema, strict } = format;
    object([
        ("type", json!(kind)),
        ("name", json!(name)),
        ("schema", json!(schema)),
        ("strict", json!(strict)),
    ])
}

/// The answer.
pub(super) fn response(call: &Call, losses: &mut Losses) -> Value {
    if call.response.messages.len() > 1 {
        losses.add("choices after the first", "the form has one answer");
    }
    let mut output = Vec::new();
    if let Some(message) = call.response.messages.first() {
        items(message, &mut output, losses);
    }
    let word = call.response.finish_reasons.first().map_or_else(
        || {
            losses.add(NO_REASON.0, NO_REASON.1);
            "stop"
        },
        String::as_str,
    );
    let counts = if call.usage.is_reported() { usage(&call.usage, losses) } else { Value::Null };
    let response = &call.response;
    let mut whole = whole(
        &json!(response.id),
        &json!(response.model),
        call.timing.end / 1_000_000_000,
        word,
        output,
        counts,
        losses,
    );
    if let (Some(tier), Value::Object(members)) = (&response.service_tier, &mut whole) {
        members.insert("service_tier".to_owned(), json!(tier));
    }
    whole
}

fn whole(
    id: &Value,
    model: &Value,
    created: u64,
    word: &str,
    output: Vec<Value>,
    usage: Value,
    losses: &mut Losses,
) -> Value {
    let (status, incomplete) = match word {
        "stop" | "tool_calls" => ("completed", None),
        "length" => ("incomplete", Some("max_output_tokens")),
        "content_filter" => ("incomplete", Some("content_filter")),
        other => {
            losses.add(
                format!("finish reason {other}"),
                "the form has no word for it: the answer is completed",
            );
            ("completed", None)
        }
    };
    object([
        ("id", id.clone()),
        ("object", json!("response")),
        ("created_at", json!(created)),
        ("status", json!(status)),
        ("incomplete_details", json!(incomplete.map(|reason| json!({ "reason": reason })))),
        ("model", model.clone()),
        ("output", Value::Array(output)),
        ("usage", usage),
    ])
}

fn usage(usage: &Usage, losses: &mut Losses) -> Value {
    units(&Usage { provider_usd: None, ..usage.clone() }, losses);
    losses.unless_absent(
        &[
            (
                "split of cache writes by age",
                usage.cache_write_5m.is_some() || usage.cache_write_1h.is_some(),
            ),
            ("cached tokens by modality", usage.splits_cache_read()),
        ],
        NO_SUCH,
    );
    let input = object([
        ("cached_tokens", json!(usage.cache_read)),
        ("cache_write_tokens", json!(usage.cache_write)),
        ("audio_tokens", json!(usage.audio_input)),
        ("text_tokens", json!(usage.text_input)),
        ("image_tokens", json!(usage.image_input)),
    ]);
    let output = object([
        ("reasoning_tokens", json!(usage.reasoning)),
        ("audio_tokens", json!(usage.audio_output)),
        ("text_tokens", json!(usage.text_output)),
        ("image_tokens", json!(usage.image_output)),
    ]);
    object([
        ("input_tokens", json!(usage.input)),
        ("input_tokens_details", details(input)),
        ("output_tokens", json!(usage.output)),
        ("output_tokens_details", details(output)),
        (
            "total_tokens",
            json!(usage.input.zip(usage.output).map(|(input, output)| input.saturating_add(output))),
        ),
        // Not in OpenAI's API: gateways put the cost there.
        ("cost", json!(usage.provider_usd.and_then(|usd| usd.to_f64()))),
    ])
}

/// Writes events. The last one carries the whole answer, so what was said is held until then.
#[derive(Default)]
pub(super) struct Stream {
    id: Value,
    model: Value,
    created: u64,
    number: u64,
    /// Items that are done, and the part of the one under way.
    output: Vec<Value>,
    open: Option<Part>,
    call_id: String,
    reason: Option<String>,
    usage: Value,
}

impl Stream {
    fn event(&mut self, kind: &str, data: Value, out: &mut Vec<u8>) {
        let mut members = Map::new();
        members.insert("type".to_owned(), json!(kind));
        members.insert("sequence_number".to_owned(), json!(self.number));
        self.number += 1;
        if let Value::Object(more) = data {
            members.extend(more);
        }
        frames::sse(Some(kind), &Value::Object(members), out);
    }

    fn state(&self, status: &str) -> Value {
        json!({"response": {"id": self.id, "object": "response", "created_at": self.created, "status": status, "model": self.model, "output": []}})
    }

    /// Ends the item under way.
    fn close(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let Some(part) = self.open.take() else { return };
        let part = match part {
            Part::ToolCall(mut call) => {
                call.id = Some(std::mem::take(&mut self.call_id));
                Part::ToolCall(call)
            }
            part => part,
        };
        let message =
            Message { role: "assistant".to_owned(), parts: vec![part], name: None, finish_reason: None };
        let mut done = Vec::new();
        items(&message, &mut done, losses);
        for item in done {
            let event = json!({"output_index": self.output.len(), "item": item});
            self.event("response.output_item.done", event, out);
            self.output.push(item);
        }
    }

    /// Begins an item, unless one of its kind is under way.
    fn begin(&mut self, part: Part, item: &Value, losses: &mut Losses, out: &mut Vec<u8>) {
        if let (Some(Part::Text(_)), Part::Text(_)) | (Some(Part::Reasoning(_)), Part::Reasoning(_)) =
            (&self.open, &part)
        {
            return;
        }
        self.close(losses, out);
        self.open = Some(part);
        self.event(
            "response.output_item.added",
            json!({"output_index": self.output.len(), "item": item}),
            out,
        );
    }

    fn delta(&mut self, kind: &str, index: &str, text: &str, out: &mut Vec<u8>) {
        let place = self.output.len();
        let mut event = json!({"output_index": place, "delta": text});
        if let (Value::Object(members), false) = (&mut event, index.is_empty()) {
            members.insert(index.to_owned(), json!(0));
        }
        self.event(kind, event, out);
    }
}

impl Writer for Stream {
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, created } => {
                (self.id, self.model, self.created) = (json!(id), json!(model), *created);
                let state = self.state("in_progress");
                self.event("response.created", state, out);
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
                let item = json!({"type": "message", "role": "assistant", "content": []});
                self.begin(Part::Text(String::new()), &item, losses, out);
                if let Some(Part::Text(said)) = &mut self.open {
                    said.push_str(text);
                }
                self.delta("response.output_text.delta", "content_index", text, out);
            }
            Delta::Reasoning { text, .. } => {
                let item = json!({"type": "reasoning", "summary": []});
                self.begin(Part::Reasoning(String::new()), &item, losses, out);
                if let Some(Part::Reasoning(said)) = &mut self.open {
                    said.push_str(text);
                }
                self.delta("response.reasoning_summary_text.delta", "summary_index", text, out);
            }
            Delta::Call { id, name, custom, .. } => {
                self.close(losses, out);
                self.call_id = parts::call_id(id.as_ref(), self.output.len(), losses);
                let kind = if *custom { "custom" } else { "function" };
                let call = ToolCall {
                    id: None,
                    name: name.clone(),
                    kind: kind.to_owned(),
                    arguments: Some(json!("")),
                };
                let item = tool_call(&ToolCall { id: Some(self.call_id.clone()), ..call.clone() }, 0, losses);
                self.begin(Part::ToolCall(call), &item, losses, out);
            }
            Delta::Arguments { text, .. } => {
                let Some(Part::ToolCall(call)) = &mut self.open else { return };
                if let Some(Value::String(arguments)) = &mut call.arguments {
                    arguments.push_str(text);
                }
                let custom = call.kind == "custom";
                let kind = if custom {
                    "response.custom_tool_call_input.delta"
                } else {
                    "response.function_call_arguments.delta"
                };
                self.delta(kind, "", text, out);
            }
            Delta::Finish { reason, .. } => self.reason = Some(reason.clone()),
            Delta::Usage(counts) => self.usage = usage(counts, losses),
            Delta::End => {
                self.close(losses, out);
                let word = self.reason.take().unwrap_or_else(|| {
                    losses.add(NO_REASON.0, NO_REASON.1);
                    "stop".to_owned()
                });
                let output = std::mem::take(&mut self.output);
                let response =
                    whole(&self.id, &self.model, self.created, &word, output, self.usage.take(), losses);
                let complete = response.get("status").is_some_and(|status| status == "completed");
                let kind = if complete { "response.completed" } else { "response.incomplete" };
                self.event(kind, json!({ "response": response }), out);
            }
        }
    }
}
