//! Bedrock Converse.

use serde_json::{Map, Value, json};

use super::delta::{Delta, Writer};
use super::frames;
use super::loss::{Losses, NO_REASON, NO_SUCH};
use super::openai_chat::{details, units};
use super::parts::{self, object};
use super::settings;
use crate::call::{Call, Message, Part, Request, ToolChoice, ToolDefinition, Usage};

/// The request body. The model stands in the path.
pub(super) fn request(request: &Request, losses: &mut Losses) -> Value {
    settings::stateful(request, losses);
    settings::sampling(request, losses);
    settings::output_type(request, losses);
    settings::of_one_provider(request, true, true, losses);
    losses.unless_absent(
        &[("user", request.user.is_some()), ("parallel_tool_calls", request.parallel_tool_calls.is_some())],
        NO_SUCH,
    );
    let messages: Vec<Value> = request.messages.iter().filter_map(|entry| message(entry, losses)).collect();
    let system: Vec<Value> = request.system.iter().filter_map(|part| block(part, losses)).collect();
    let tools: Vec<Value> = request.tools.iter().filter_map(|tool| definition(tool, losses)).collect();
    let choice = request.tool_choice.as_ref().map_or(Value::Null, |choice| tool_choice(choice, losses));
    let tool_config = object([
        ("tools", if tools.is_empty() { Value::Null } else { Value::Array(tools) }),
        ("toolChoice", choice),
    ]);
    let inference = object([
        ("maxTokens", json!(request.max_tokens)),
        ("temperature", json!(request.temperature)),
        ("topP", json!(request.top_p)),
        ("stopSequences", if request.stop.is_empty() { Value::Null } else { json!(request.stop) }),
    ]);
    let thinking = request.reasoning_budget.map(|tokens| json!({"type": "enabled", "budget_tokens": tokens}));
    let more = object([("top_k", json!(request.top_k)), ("thinking", json!(thinking))]);
    let output =
        object([("effort", json!(request.reasoning_level)), ("textFormat", text_format(request, losses))]);
    let metadata: Map<String, Value> =
        request.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let guardrail = request.guardrail.as_ref().map(|id| {
        losses.add("version of the guardrail", "the source did not keep it: DRAFT was written");
        json!({"guardrailIdentifier": id, "guardrailVersion": "DRAFT"})
    });
    object([
        ("messages", Value::Array(messages)),
        ("system", if system.is_empty() { Value::Null } else { Value::Array(system) }),
        ("inferenceConfig", details(inference)),
        ("toolConfig", details(tool_config)),
        ("additionalModelRequestFields", details(more)),
        ("outputConfig", details(output)),
        ("guardrailConfig", json!(guardrail)),
        ("requestMetadata", if metadata.is_empty() { Value::Null } else { Value::Object(metadata) }),
        ("serviceTier", json!(request.service_tier.as_ref().map(|tier| json!({ "type": tier })))),
        ("performanceConfig", json!(request.speed.as_ref().map(|speed| json!({ "latency": speed })))),
    ])
}

fn text_format(request: &Request, losses: &mut Losses) -> Value {
    let Some(format) = &request.response_format else { return Value::Null };
    if format.strict.is_some() {
        losses.add("strictness of the schema", NO_SUCH);
    }
    match &format.schema {
        Some(schema) if format.kind == "json_schema" => {
            let described = object([("name", json!(format.name)), ("schema", json!(schema.to_string()))]);
            json!({"type": "json_schema", "structure": {"jsonSchema": described}})
        }
        _ => {
            losses.add(format!("answer as {}", format.kind), "the form asks for JSON by schema only");
            Value::Null
        }
    }
}

fn message(message: &Message, losses: &mut Losses) -> Option<Value> {
    let role = match message.role.as_str() {
        "assistant" => "assistant",
        "user" | "tool" => "user",
        other => {
            losses.add(
                format!("message of the {other} in the middle"),
                "the form has instructions at the beginning only: the user says it",
            );
            "user"
        }
    };
    if message.name.is_some() {
        losses.add("name of a participant", NO_SUCH);
    }
    let blocks: Vec<Value> = message.parts.iter().filter_map(|part| block(part, losses)).collect();
    (!blocks.is_empty()).then(|| json!({"role": role, "content": blocks}))
}

fn block(part: &Part, losses: &mut Losses) -> Option<Value> {
    let known = match part {
        Part::Text(text) => Some(json!({ "text": text })),
        Part::Reasoning(text) => Some(json!({"reasoningContent": {"reasoningText": {"text": text}}})),
        Part::ToolCall(call) if call.kind == "function" => Some(json!({"toolUse": {
            "toolUseId": parts::call_id(call.id.as_ref(), 0, losses), "name": call.name, "input": parts::arguments_object(call, losses)}})),
        Part::ToolCallResponse { id, response } => Some(result(id.as_ref(), response, losses)),
        Part::Blob { modality, mime_type: Some(mime), content } => {
            format(modality, mime).map(|format| medium(modality, format, &json!({ "bytes": content })))
        }
        Part::Uri { modality, uri, mime_type: Some(mime) } if uri.starts_with("s3://") => {
            format(modality, mime)
                .map(|format| medium(modality, format, &json!({"s3Location": {"uri": uri}})))
        }
        _ => None,
    };
    if known.is_none() {
        losses.add(parts::name(part), NO_SUCH);
    }
    known
}

fn medium(modality: &str, format: &str, source: &Value) -> Value {
    let name = if modality == "document" { json!("document") } else { Value::Null };
    json!({ modality: object([("format", json!(format)), ("name", name), ("source", source.clone())]) })
}

/// The form's word for a media type; the reverse of how it is read.
fn format<'a>(modality: &str, mime: &'a str) -> Option<&'a str> {
    match (modality, mime) {
        ("document", "application/pdf") => Some("pdf"),
        ("document", "text/plain") => Some("txt"),
        ("document", "text/markdown") => Some("md"),
        ("document", "text/csv") => Some("csv"),
        ("document", "text/html") => Some("html"),
        ("document", _) => None,
        ("video", "video/3gpp") => Some("three_gp"),
        ("video", "video/quicktime") => Some("mov"),
        ("image" | "video" | "audio", _) => mime.strip_prefix(modality)?.strip_prefix('/'),
        _ => None,
    }
}

fn result(id: Option<&String>, response: &Value, losses: &mut Losses) -> Value {
    let (failed, content) = parts::result(response);
    let own = |items: &[Value]| {
        items.len() > 1
            && items.iter().all(|item| {
                let members = item.as_object();
                members.is_some_and(|members| {
                    members.len() == 1
                        && ["text", "json", "image", "document"].iter().any(|key| members.contains_key(*key))
                })
            })
    };
    let content = match content {
        Value::String(text) if text.is_empty() => json!([]),
        Value::String(_) => json!([{ "text": content }]),
        Value::Array(items) if own(items) => content.clone(),
        Value::Null => json!([]),
        other => json!([{ "json": other }]),
    };
    let id = parts::call_id(id, 0, losses);
    let status = if failed { json!("error") } else { Value::Null };
    json!({"toolResult": object([("toolUseId", json!(id)), ("content", content), ("status", status)])})
}

fn definition(tool: &ToolDefinition, losses: &mut Losses) -> Option<Value> {
    match tool.kind.as_str() {
        "function" => Some(json!({"toolSpec": object([
            ("name", json!(tool.name)),
            ("description", json!(tool.description)),
            ("inputSchema", json!(tool.parameters.as_ref().map(|schema| json!({ "json": schema })))),
        ])})),
        "systemTool" => Some(json!({"systemTool": {"name": tool.name}})),
        kind => {
            losses.add(format!("tool {} of kind {kind}", tool.name), NO_SUCH);
            None
        }
    }
}

fn tool_choice(choice: &ToolChoice, losses: &mut Losses) -> Value {
    match choice {
        ToolChoice::Auto => json!({"auto": {}}),
        ToolChoice::Required => json!({"any": {}}),
        ToolChoice::Tool(name) => json!({"tool": {"name": name}}),
        ToolChoice::None | ToolChoice::Other(_) => {
            losses.add("tool choice", NO_SUCH);
            Value::Null
        }
    }
}

/// The answer. It names neither itself nor its model.
pub(super) fn response(call: &Call, losses: &mut Losses) -> Value {
    let response = &call.response;
    names(response.id.is_some(), response.model.is_some(), losses);
    if response.messages.len() > 1 {
        losses.add("choices after the first", "the form has one answer");
    }
    let first = response.messages.first();
    let blocks: Vec<Value> =
        first.into_iter().flat_map(|message| &message.parts).filter_map(|part| block(part, losses)).collect();
    let word = response.finish_reasons.first().map(|word| reason(word, losses));
    object([
        ("output", json!({"message": {"role": "assistant", "content": blocks}})),
        ("stopReason", json!(word)),
        ("usage", if call.usage.is_reported() { usage(&call.usage, losses) } else { Value::Null }),
    ])
}

fn names(id: bool, model: bool, losses: &mut Losses) {
    losses.unless_absent(&[("id of the response", id), ("model of the response", model)], NO_SUCH);
}

fn reason(word: &str, losses: &mut Losses) -> &'static str {
    match word {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "content_filtered",
        "refusal" => {
            losses.add("finish reason refusal", "the form calls it content_filtered");
            "content_filtered"
        }
        other => {
            losses.add(format!("finish reason {other}"), "the form has no word for it: it says end_turn");
            "end_turn"
        }
    }
}

/// Token counts: cached ones stand apart from the input here.
fn usage(usage: &Usage, losses: &mut Losses) -> Value {
    units(usage, losses);
    losses.unless_absent(
        &[
            ("reasoning tokens", usage.reasoning.is_some()),
            ("image tokens", usage.image_input.is_some() || usage.image_output.is_some()),
            ("audio tokens", usage.audio_input.is_some() || usage.audio_output.is_some()),
            ("cached tokens by modality", usage.splits_cache_read()),
            ("text tokens", usage.text_input.is_some() || usage.text_output.is_some()),
        ],
        NO_SUCH,
    );
    let cached = usage.cache_read.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0));
    let ages = [("5m", usage.cache_write_5m), ("1h", usage.cache_write_1h)];
    let split: Vec<Value> = ages
        .into_iter()
        .filter_map(|(ttl, count)| Some(json!({"ttl": ttl, "inputTokens": count?})))
        .collect();
    object([
        ("inputTokens", json!(usage.input.map(|input| input.saturating_sub(cached)))),
        ("outputTokens", json!(usage.output)),
        (
            "totalTokens",
            json!(usage.input.zip(usage.output).map(|(input, output)| input.saturating_add(output))),
        ),
        ("cacheReadInputTokens", json!(usage.cache_read)),
        ("cacheWriteInputTokens", json!(usage.cache_write)),
        ("cacheDetails", if split.is_empty() { Value::Null } else { Value::Array(split) }),
    ])
}

/// What kind of block is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Reasoning,
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
    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            frames::aws("contentBlockStop", &json!({"contentBlockIndex": self.index}), out);
            self.index += 1;
        }
    }

    fn open(&mut self, kind: Open, out: &mut Vec<u8>) {
        if self.open != Some(kind) || kind == Open::Tool {
            self.close(out);
            self.open = Some(kind);
        }
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        frames::aws("contentBlockDelta", &json!({"contentBlockIndex": self.index, "delta": delta}), out);
    }
}

impl Writer for Stream {
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, .. } => {
                names(id.is_some(), model.is_some(), losses);
                frames::aws("messageStart", &json!({"role": "assistant"}), out);
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
                self.open(Open::Text, out);
                self.delta(&json!({ "text": text }), out);
            }
            Delta::Reasoning { text, .. } => {
                self.open(Open::Reasoning, out);
                self.delta(&json!({"reasoningContent": {"text": text}}), out);
            }
            Delta::Call { id, name, custom, .. } => {
                if *custom {
                    losses.add(format!("custom call of {name}"), "the form takes an object");
                }
                self.open(Open::Tool, out);
                let number = usize::try_from(self.index).unwrap_or_default();
                let id = parts::call_id(id.as_ref(), number, losses);
                let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                frames::aws(
                    "contentBlockStart",
                    &json!({"contentBlockIndex": self.index, "start": start}),
                    out,
                );
            }
            Delta::Arguments { text, .. } => self.delta(&json!({"toolUse": {"input": text}}), out),
            Delta::Finish { reason: word, .. } => self.reason = Some(reason(word, losses)),
            Delta::Usage(counts) => self.usage = usage(counts, losses),
            Delta::End => {
                if self.reason.is_none() {
                    losses.add(NO_REASON.0, NO_REASON.1);
                }
                self.close(out);
                frames::aws("messageStop", &json!({"stopReason": self.reason.unwrap_or("end_turn")}), out);
                frames::aws("metadata", &object([("usage", self.usage.take())]), out);
            }
        }
    }
}
