//! OpenAI chat completions.

use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value, json};

use super::delta::{Delta, Writer};
use super::frames;
use super::loss::{Losses, NO_REASON, NO_SUCH};
use super::parts::{self, object};
use super::settings;
use crate::call::{
    Call, Message, Part, Request, ResponseFormat, ToolCall, ToolChoice, ToolDefinition, Usage,
};

/// The request body.
pub(super) fn request(request: &Request, losses: &mut Losses) -> Value {
    settings::stateful(request, losses);
    settings::output_type(request, losses);
    settings::of_one_provider(request, false, false, losses);
    losses.unless_absent(
        &[("top_k", request.top_k.is_some()), ("reasoning budget", request.reasoning_budget.is_some())],
        NO_SUCH,
    );
    let mut messages = Vec::new();
    if !request.system.is_empty() {
        messages.push(json!({"role": "system", "content": content(&request.system, losses)}));
    }
    for entry in &request.messages {
        message(entry, &mut messages, losses);
    }
    let tools: Vec<Value> = request.tools.iter().filter_map(|tool| definition(tool, losses)).collect();
    let stop = if request.stop.is_empty() { Value::Null } else { json!(request.stop) };
    let stream = request.stream.then(|| json!({"include_usage": true}));
    let metadata: Map<String, Value> =
        request.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    object([
        ("model", json!(request.model)),
        ("messages", Value::Array(messages)),
        ("tools", if tools.is_empty() { Value::Null } else { Value::Array(tools) }),
        (
            "tool_choice",
            request.tool_choice.as_ref().map_or(Value::Null, |choice| tool_choice(choice, losses)),
        ),
        ("parallel_tool_calls", json!(request.parallel_tool_calls)),
        ("response_format", request.response_format.as_ref().map_or(Value::Null, response_format)),
        ("temperature", json!(request.temperature)),
        ("top_p", json!(request.top_p)),
        ("max_completion_tokens", json!(request.max_tokens)),
        ("frequency_penalty", json!(request.frequency_penalty)),
        ("presence_penalty", json!(request.presence_penalty)),
        ("stop", stop),
        ("seed", json!(request.seed)),
        ("n", json!(request.choice_count)),
        ("reasoning_effort", json!(request.reasoning_level)),
        ("service_tier", json!(request.service_tier)),
        ("user", json!(request.user)),
        ("metadata", if metadata.is_empty() { Value::Null } else { Value::Object(metadata) }),
        ("stream", if request.stream { json!(true) } else { Value::Null }),
        ("stream_options", json!(stream)),
    ])
}

fn message(message: &Message, out: &mut Vec<Value>, losses: &mut Losses) {
    if message.role == "tool" {
        for part in &message.parts {
            match part {
                Part::ToolCallResponse { id, response } => {
                    let id = parts::call_id(id.as_ref(), out.len(), losses);
                    out.push(object([
                        ("role", json!("tool")),
                        ("tool_call_id", json!(id)),
                        ("name", json!(message.name)),
                        ("content", result(response, losses)),
                    ]));
                }
                other => losses.add(format!("{} beside a tool's result", parts::name(other)), NO_SUCH),
            }
        }
        return;
    }
    let mut fields = Map::new();
    fields.insert("role".to_owned(), json!(message.role));
    if let Some(name) = &message.name {
        fields.insert("name".to_owned(), json!(name));
    }
    if message.role == "assistant" {
        spoken(message, &mut fields, losses);
    } else {
        fields.insert("content".to_owned(), content(&message.parts, losses));
    }
    out.push(Value::Object(fields));
}

/// What the model said: text, reasoning, refusal and calls each have their place.
fn spoken(message: &Message, fields: &mut Map<String, Value>, losses: &mut Losses) {
    if !parts::is_in_order(&message.parts) {
        losses.add("order of an answer's parts", parts::ORDER);
    }
    let (mut said, mut calls, mut reasoning, mut refusal) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Reasoning(text) => reasoning.push(text.as_str()),
            Part::ToolCall(call) => calls.push(tool_call(call, calls.len(), losses)),
            Part::Generic { kind, value } if kind == "refusal" => {
                refusal.extend(value.get("refusal").and_then(Value::as_str));
            }
            other => said.push(other.clone()),
        }
    }
    if reasoning.len() > 1 {
        losses.add(
            "borders between pieces of reasoning",
            "the form has one text of reasoning: they were joined",
        );
    }
    let text = if said.is_empty() { Value::Null } else { content(&said, losses) };
    fields.insert("content".to_owned(), text);
    for (key, texts) in [("reasoning_content", reasoning), ("refusal", refusal)] {
        if !texts.is_empty() {
            fields.insert(key.to_owned(), json!(texts.concat()));
        }
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), Value::Array(calls));
    }
}

fn tool_call(call: &ToolCall, number: usize, losses: &mut Losses) -> Value {
    let id = parts::call_id(call.id.as_ref(), number, losses);
    let text = parts::arguments_text(call);
    if call.kind == "custom" {
        json!({"id": id, "type": "custom", "custom": {"name": call.name, "input": text}})
    } else {
        json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": text}})
    }
}

/// A text alone, or typed parts.
fn content(parts: &[Part], losses: &mut Losses) -> Value {
    if let [Part::Text(text)] = parts {
        return json!(text);
    }
    Value::Array(parts.iter().filter_map(|part| content_part(part, losses)).collect())
}

fn content_part(part: &Part, losses: &mut Losses) -> Option<Value> {
    let known = match part {
        Part::Text(text) => Some(json!({"type": "text", "text": text})),
        Part::Blob { modality, mime_type, content } => blob(modality, mime_type.as_deref(), content),
        Part::Uri { modality, uri, mime_type: None } if modality == "image" => {
            Some(json!({"type": "image_url", "image_url": {"url": uri}}))
        }
        Part::File { modality, file_id, mime_type: None } if modality == "document" => {
            Some(json!({"type": "file", "file": {"file_id": file_id}}))
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
        ("image", _) => Some(json!({"type": "image_url", "image_url": {"url": parts::data_url(mime, data)}})),
        ("document", _) => Some(json!({"type": "file", "file": {"file_data": parts::data_url(mime, data)}})),
        ("audio", Some(mime)) => {
            let format = if mime == "audio/mpeg" { "mp3" } else { mime.strip_prefix("audio/")? };
            Some(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        _ => None,
    }
}

/// A tool's result: text, or an array of the form's own parts.
fn result(response: &Value, losses: &mut Losses) -> Value {
    let texts =
        |items: &[Value]| items.iter().all(|item| item.get("type").is_some_and(|kind| kind == "text"));
    match response {
        Value::Array(items) if texts(items) => response.clone(),
        other => json!(parts::result_text(other, losses)),
    }
}

fn definition(tool: &ToolDefinition, losses: &mut Losses) -> Option<Value> {
    let described = object([
        ("name", json!(tool.name)),
        ("description", json!(tool.description)),
        ("parameters", json!(tool.parameters)),
    ]);
    match tool.kind.as_str() {
        "function" => Some(json!({"type": "function", "function": described})),
        "custom" => Some(json!({"type": "custom", "custom": described})),
        kind => {
            losses.add(format!("tool {kind} of a provider"), NO_SUCH);
            None
        }
    }
}

fn tool_choice(choice: &ToolChoice, losses: &mut Losses) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
        ToolChoice::Other(_) => {
            losses.add("tool choice", NO_SUCH);
            Value::Null
        }
    }
}

fn response_format(format: &ResponseFormat) -> Value {
    let ResponseFormat { kind, name, schema, strict } = format;
    if kind != "json_schema" {
        return json!({ "type": kind });
    }
    let described = object([("name", json!(name)), ("schema", json!(schema)), ("strict", json!(strict))]);
    json!({"type": kind, "json_schema": described})
}

/// The answer.
pub(super) fn response(call: &Call, losses: &mut Losses) -> Value {
    let response = &call.response;
    let choices: Vec<Value> = (0_u64..)
        .zip(&response.messages)
        .map(|(index, message)| {
            let mut fields = Map::new();
            fields.insert("role".to_owned(), json!("assistant"));
            spoken(message, &mut fields, losses);
            json!({"index": index, "message": fields, "finish_reason": message.finish_reason.as_deref().map(|word| reason(word, losses))})
        })
        .collect();
    object([
        ("id", json!(response.id)),
        ("object", json!("chat.completion")),
        ("created", json!(call.timing.end / 1_000_000_000)),
        ("model", json!(response.model)),
        ("choices", Value::Array(choices)),
        ("usage", if call.usage.is_reported() { usage(&call.usage, losses) } else { Value::Null }),
        ("service_tier", json!(response.service_tier)),
        ("system_fingerprint", json!(response.system_fingerprint)),
    ])
}

/// A finish reason in the form's words.
fn reason(word: &str, losses: &mut Losses) -> &'static str {
    match word {
        "stop" => "stop",
        "length" => "length",
        "tool_calls" => "tool_calls",
        "content_filter" => "content_filter",
        "refusal" => {
            losses.add("finish reason refusal", "the form calls it content_filter");
            "content_filter"
        }
        other => {
            losses.add(format!("finish reason {other}"), "the form has no word for it: it says stop");
            "stop"
        }
    }
}

/// Token counts. Zero is a count; what was not reported is left out.
pub(super) fn usage(usage: &Usage, losses: &mut Losses) -> Value {
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
        ("prompt_tokens", json!(usage.input)),
        ("completion_tokens", json!(usage.output)),
        (
            "total_tokens",
            json!(usage.input.zip(usage.output).map(|(input, output)| input.saturating_add(output))),
        ),
        ("prompt_tokens_details", details(input)),
        ("completion_tokens_details", details(output)),
        // Not in OpenAI's API: gateways put the cost there.
        ("cost", json!(usage.provider_usd.and_then(|usd| usd.to_f64()))),
    ])
}

/// An object, or nothing when it is empty.
pub(super) fn details(object: Value) -> Value {
    if object.as_object().is_some_and(Map::is_empty) { Value::Null } else { object }
}

/// What is billed by other units is reported nowhere in the forms' usage.
pub(super) fn units(usage: &Usage, losses: &mut Losses) {
    losses.unless_absent(
        &[
            ("units other than tokens", !usage.units.is_empty()),
            ("number of web searches", usage.web_searches.is_some()),
            ("cost that the provider reports", usage.provider_usd.is_some()),
            ("correction of counts", usage.corrected.is_some()),
        ],
        NO_SUCH,
    );
}

/// Writes chunks.
#[derive(Default)]
pub(super) struct Stream {
    id: Value,
    model: Value,
    created: u64,
    /// Calls begun, by choice.
    calls: Vec<(u64, u64)>,
    custom: bool,
    finished: bool,
    begun: Vec<u64>,
}

impl Stream {
    fn chunk(&self, choices: &Value, usage: Value, out: &mut Vec<u8>) {
        let chunk = object([
            ("id", self.id.clone()),
            ("object", json!("chat.completion.chunk")),
            ("created", json!(self.created)),
            ("model", self.model.clone()),
            ("choices", choices.clone()),
            ("usage", usage),
        ]);
        frames::sse(None, &chunk, out);
    }

    fn delta(&mut self, choice: u64, mut delta: Value, out: &mut Vec<u8>) {
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            if let Value::Object(members) = &mut delta {
                members.insert("role".to_owned(), json!("assistant"));
            }
        }
        let choices = json!([{"index": choice, "delta": delta, "finish_reason": null}]);
        self.chunk(&choices, Value::Null, out);
    }

    /// Number of the call that a choice began last.
    fn last_call(&self, choice: u64) -> u64 {
        self.calls.iter().rfind(|(of, _)| *of == choice).map_or(0, |(_, number)| *number)
    }
}

impl Writer for Stream {
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, created } => {
                (self.id, self.model, self.created) = (json!(id), json!(model), *created);
            }
            Delta::Text { choice, text } => self.delta(*choice, json!({ "content": text }), out),
            Delta::Reasoning { choice, text } => {
                self.delta(*choice, json!({ "reasoning_content": text }), out);
            }
            Delta::Call { choice, id, name, custom } => {
                let number = self.calls.iter().filter(|(of, _)| of == choice).count();
                let id = parts::call_id(id.as_ref(), number, losses);
                let index = number as u64;
                self.calls.push((*choice, index));
                self.custom = *custom;
                let call = if *custom {
                    json!({"index": index, "id": id, "type": "custom", "custom": {"name": name, "input": ""}})
                } else {
                    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}})
                };
                self.delta(*choice, json!({ "tool_calls": [call] }), out);
            }
            Delta::Arguments { choice, text } => {
                let index = self.last_call(*choice);
                let call = if self.custom {
                    json!({"index": index, "custom": {"input": text}})
                } else {
                    json!({"index": index, "function": {"arguments": text}})
                };
                self.delta(*choice, json!({ "tool_calls": [call] }), out);
            }
            Delta::Finish { choice, reason: word } => {
                let choices = json!([{"index": choice, "delta": {}, "finish_reason": reason(word, losses)}]);
                self.finished = true;
                self.chunk(&choices, Value::Null, out);
            }
            Delta::Usage(counts) => {
                let counts = usage(counts, losses);
                self.chunk(&json!([]), counts, out);
            }
            Delta::End => {
                if !self.finished {
                    losses.add(NO_REASON.0, NO_REASON.1);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }
}
