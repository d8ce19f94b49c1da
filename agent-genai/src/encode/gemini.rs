//! Gemini `generateContent`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::delta::{Delta, Writer};
use super::frames;
use super::loss::{Losses, NO_REASON, NO_SUCH};
use super::openai_chat::{details, units};
use super::parts::{self, object};
use super::settings;
use crate::call::{Call, Message, Part, Request, ToolCall, ToolChoice, ToolDefinition, Usage};

/// Tools that the provider runs and that need no more than their name.
const HOSTED: &[&str] = &["googleSearch", "codeExecution", "urlContext", "googleMaps"];

/// The request body. The model stands in the path.
pub(super) fn request(request: &Request, losses: &mut Losses) -> Value {
    settings::stateful(request, losses);
    settings::of_one_provider(request, false, false, losses);
    losses.unless_absent(
        &[("user", request.user.is_some()), ("parallel_tool_calls", request.parallel_tool_calls.is_some())],
        NO_SUCH,
    );
    let names = names_of_calls(&request.messages);
    let contents: Vec<Value> =
        request.messages.iter().filter_map(|message| content(message, &names, losses)).collect();
    let system: Vec<Value> = request.system.iter().filter_map(|item| part(item, &names, losses)).collect();
    let mut tools = Vec::new();
    for run in request.tools.chunk_by(|a, b| a.kind == "function" && b.kind == "function") {
        match run {
            [tool] if HOSTED.contains(&tool.kind.as_str()) => tools.push(json!({ tool.kind.as_str(): {} })),
            [tool] if tool.kind != "function" => {
                losses.add(format!("tool {} of kind {}", tool.name, tool.kind), NO_SUCH);
            }
            functions => {
                let declared: Vec<Value> = functions.iter().map(definition).collect();
                tools.push(json!({ "functionDeclarations": declared }));
            }
        }
    }
    let labels: Map<String, Value> =
        request.metadata.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    object([
        ("contents", Value::Array(contents)),
        ("systemInstruction", if system.is_empty() { Value::Null } else { json!({ "parts": system }) }),
        ("tools", if tools.is_empty() { Value::Null } else { Value::Array(tools) }),
        (
            "toolConfig",
            request.tool_choice.as_ref().map_or(Value::Null, |choice| tool_choice(choice, losses)),
        ),
        ("generationConfig", details(config(request, losses))),
        ("serviceTier", json!(request.service_tier)),
        ("labels", if labels.is_empty() { Value::Null } else { Value::Object(labels) }),
    ])
}

fn config(request: &Request, losses: &mut Losses) -> Value {
    let thinking = object([
        ("thinkingLevel", json!(request.reasoning_level)),
        ("thinkingBudget", json!(request.reasoning_budget)),
    ]);
    let format = request.response_format.as_ref();
    if format.is_some_and(|format| format.name.is_some() || format.strict.is_some()) {
        losses.add("name and strictness of the schema", NO_SUCH);
    }
    let json_asked = format.filter(|format| matches!(format.kind.as_str(), "json_schema" | "json_object"));
    if let (Some(format), None) = (format, json_asked) {
        losses.add(format!("answer as {}", format.kind), NO_SUCH);
    }
    if format.is_some_and(|format| format.kind == "json_schema" && format.schema.is_none()) {
        losses.add("answer by a schema", "the source has none: any JSON is asked for");
    }
    let modality = match request.output_type.as_deref() {
        Some("speech") => json!(["AUDIO"]),
        Some("image") => json!(["IMAGE"]),
        _ => Value::Null,
    };
    object([
        ("temperature", json!(request.temperature)),
        ("topP", json!(request.top_p)),
        ("topK", json!(request.top_k)),
        ("maxOutputTokens", json!(request.max_tokens)),
        ("candidateCount", json!(request.choice_count)),
        ("stopSequences", if request.stop.is_empty() { Value::Null } else { json!(request.stop) }),
        ("seed", json!(request.seed)),
        ("frequencyPenalty", json!(request.frequency_penalty)),
        ("presencePenalty", json!(request.presence_penalty)),
        ("responseMimeType", json!(json_asked.map(|_| "application/json"))),
        ("responseJsonSchema", json!(json_asked.and_then(|format| format.schema.as_ref()))),
        ("responseModalities", modality),
        ("thinkingConfig", details(thinking)),
    ])
}

/// Names of the calls in the history by their id: a result must name its function here.
fn names_of_calls(messages: &[Message]) -> BTreeMap<String, String> {
    let calls = messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
        Part::ToolCall(ToolCall { id: Some(id), name, .. }) => Some((id.clone(), name.clone())),
        _ => None,
    });
    calls.collect()
}

fn content(message: &Message, names: &BTreeMap<String, String>, losses: &mut Losses) -> Option<Value> {
    let role = match message.role.as_str() {
        "assistant" => "model",
        "tool" => "function",
        "user" => "user",
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
    let parts: Vec<Value> = message.parts.iter().filter_map(|item| part(item, names, losses)).collect();
    (!parts.is_empty()).then(|| json!({"role": role, "parts": parts}))
}

fn part(part: &Part, names: &BTreeMap<String, String>, losses: &mut Losses) -> Option<Value> {
    let known = match part {
        Part::Text(text) => Some(json!({ "text": text })),
        Part::Reasoning(text) => Some(json!({"text": text, "thought": true})),
        Part::ToolCall(call) if call.kind == "function" => {
            Some(json!({"functionCall": function_call(call, losses)}))
        }
        Part::ToolCallResponse { id, response } => {
            let name = id.as_ref().and_then(|id| names.get(id)).cloned().unwrap_or_else(|| {
                losses.add(
                    "name of the tool of a result",
                    "the source has none and the form needs one: the id stands in its place",
                );
                id.clone().unwrap_or_default()
            });
            let response = result(response, losses);
            Some(
                json!({"functionResponse": object([("id", json!(id)), ("name", json!(name)), ("response", response)])}),
            )
        }
        Part::Blob { mime_type: Some(mime), modality, content } if modality == family(mime) => {
            Some(json!({"inlineData": {"mimeType": mime, "data": content}}))
        }
        Part::Uri { uri, mime_type, modality }
            if mime_type.as_deref().map_or("document", family) == modality =>
        {
            Some(json!({"fileData": object([("mimeType", json!(mime_type)), ("fileUri", json!(uri))])}))
        }
        _ => None,
    };
    if known.is_none() {
        losses.add(parts::name(part), NO_SUCH);
    }
    known
}

/// The modality that a media type tells here.
fn family(mime: &str) -> &str {
    match mime.split('/').next().unwrap_or_default() {
        family @ ("image" | "video" | "audio") => family,
        _ => "document",
    }
}

fn function_call(call: &ToolCall, losses: &mut Losses) -> Value {
    object([
        ("id", json!(call.id)),
        ("name", json!(call.name)),
        ("args", parts::arguments_object(call, losses)),
    ])
}

fn result(response: &Value, losses: &mut Losses) -> Value {
    let (failed, content) = parts::result(response);
    match content {
        Value::Object(_) if !failed => content.clone(),
        other => {
            losses.add(
                "result of a tool as text",
                "the form takes an object: it holds it as `output` or `error`",
            );
            if failed { json!({ "error": other }) } else { json!({ "output": other }) }
        }
    }
}

fn definition(tool: &ToolDefinition) -> Value {
    object([
        ("name", json!(tool.name)),
        ("description", json!(tool.description)),
        ("parametersJsonSchema", json!(tool.parameters)),
    ])
}

fn tool_choice(choice: &ToolChoice, losses: &mut Losses) -> Value {
    let config = match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        ToolChoice::Other(_) => {
            losses.add("tool choice", NO_SUCH);
            return Value::Null;
        }
    };
    json!({ "functionCallingConfig": config })
}

/// The answer.
pub(super) fn response(call: &Call, losses: &mut Losses) -> Value {
    let response = &call.response;
    let names = BTreeMap::new();
    let candidates: Vec<Value> = (0_u64..)
        .zip(&response.messages)
        .map(|(index, message)| {
            let parts: Vec<Value> =
                message.parts.iter().filter_map(|item| part(item, &names, losses)).collect();
            let word = message.finish_reason.as_deref().map(|word| reason(word, losses));
            object([
                ("index", json!(index)),
                ("content", json!({"role": "model", "parts": parts})),
                ("finishReason", json!(word)),
            ])
        })
        .collect();
    object([
        ("responseId", json!(response.id)),
        ("modelVersion", json!(response.model)),
        ("candidates", Value::Array(candidates)),
        ("usageMetadata", if call.usage.is_reported() { usage(&call.usage, losses) } else { Value::Null }),
    ])
}

/// Gemini says STOP before its tools are called, too.
fn reason(word: &str, losses: &mut Losses) -> &'static str {
    match word {
        "stop" | "tool_calls" => "STOP",
        "length" => "MAX_TOKENS",
        "content_filter" => "SAFETY",
        "refusal" => {
            losses.add("finish reason refusal", "the form calls it SAFETY");
            "SAFETY"
        }
        other => {
            losses.add(format!("finish reason {other}"), "the form has no word for it: it says OTHER");
            "OTHER"
        }
    }
}

/// Token counts: thoughts stand apart from the candidates here.
fn usage(usage: &Usage, losses: &mut Losses) -> Value {
    units(usage, losses);
    losses.unless_absent(
        &[
            ("cache writes", usage.cache_write.is_some()),
            ("cached tokens by modality", usage.splits_cache_read()),
        ],
        NO_SUCH,
    );
    let of = |counts: [(&str, Option<u64>); 3]| {
        let there = counts
            .into_iter()
            .filter_map(|(kind, count)| Some(json!({"modality": kind, "tokenCount": count?})));
        let list: Vec<Value> = there.collect();
        if list.is_empty() { Value::Null } else { Value::Array(list) }
    };
    let candidates = usage.output.map(|output| output.saturating_sub(usage.reasoning.unwrap_or(0)));
    object([
        ("promptTokenCount", json!(usage.input)),
        ("candidatesTokenCount", json!(candidates)),
        ("thoughtsTokenCount", json!(usage.reasoning)),
        ("cachedContentTokenCount", json!(usage.cache_read)),
        ("totalTokenCount", json!(usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0)))),
        (
            "promptTokensDetails",
            of([("TEXT", usage.text_input), ("IMAGE", usage.image_input), ("AUDIO", usage.audio_input)]),
        ),
        (
            "candidatesTokensDetails",
            of([("TEXT", usage.text_output), ("IMAGE", usage.image_output), ("AUDIO", usage.audio_output)]),
        ),
    ])
}

/// Writes chunks. A call is whole in one part, so its arguments wait for their end.
#[derive(Default)]
pub(super) struct Stream {
    id: Value,
    model: Value,
    call: Option<(u64, ToolCall, String)>,
    finished: Vec<(u64, &'static str)>,
    usage: Value,
}

impl Stream {
    fn chunk(&self, choice: u64, part: &Value, out: &mut Vec<u8>) {
        let candidate = json!({"index": choice, "content": {"role": "model", "parts": [part]}});
        self.write(&json!([candidate]), Value::Null, out);
    }

    fn write(&self, candidates: &Value, usage: Value, out: &mut Vec<u8>) {
        let chunk = object([
            ("candidates", candidates.clone()),
            ("usageMetadata", usage),
            ("modelVersion", self.model.clone()),
            ("responseId", self.id.clone()),
        ]);
        frames::sse(None, &chunk, out);
    }

    fn flush(&mut self, losses: &mut Losses, out: &mut Vec<u8>) {
        let Some((choice, mut call, text)) = self.call.take() else { return };
        if !text.is_empty() {
            call.arguments = Some(serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
        let part = json!({"functionCall": function_call(&call, losses)});
        self.chunk(choice, &part, out);
    }
}

impl Writer for Stream {
    fn push(&mut self, delta: &Delta, losses: &mut Losses, out: &mut Vec<u8>) {
        if !matches!(delta, Delta::Arguments { .. }) {
            self.flush(losses, out);
        }
        match delta {
            Delta::Start { id, model, .. } => (self.id, self.model) = (json!(id), json!(model)),
            Delta::Text { choice, text } => self.chunk(*choice, &json!({ "text": text }), out),
            Delta::Reasoning { choice, text } => {
                self.chunk(*choice, &json!({"text": text, "thought": true}), out);
            }
            Delta::Call { choice, id, name, custom } => {
                if *custom {
                    losses.add(format!("custom call of {name}"), "the form takes an object");
                }
                let call = ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    kind: "function".to_owned(),
                    arguments: None,
                };
                self.call = Some((*choice, call, String::new()));
            }
            Delta::Arguments { text, .. } => {
                if let Some((_, _, arguments)) = &mut self.call {
                    arguments.push_str(text);
                }
            }
            Delta::Finish { choice, reason: word } => self.finished.push((*choice, reason(word, losses))),
            Delta::Usage(counts) => self.usage = usage(counts, losses),
            Delta::End => {
                if self.finished.is_empty() {
                    losses.add(NO_REASON.0, NO_REASON.1);
                }
                let finished = std::mem::take(&mut self.finished);
                let last: Vec<Value> = finished
                    .iter()
                    .map(|(choice, word)| json!({"index": choice, "content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": word}))
                    .collect();
                let usage = self.usage.take();
                self.write(&Value::Array(last), usage, out);
            }
        }
    }
}
