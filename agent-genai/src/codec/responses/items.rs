//! Items of the Responses API: which are calls, whose calls they are, and what parts they make.

use serde_json::{Map, Value};

use super::parts::{self, refusal};
use crate::call::{Call, Message, Part, ToolCall};
use crate::codec::content::{generic, scrubbed, scrubbed_members};
use crate::codec::json;

/// The output of a response, in the canonical form.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Every call, the client's and the provider's.
    pub(super) calls: Vec<ToolCall>,
    /// The parts of the one output message; empty when content is not kept.
    pub(super) parts: Vec<Part>,
    /// Some call waits for the client.
    pub(super) awaits_client: bool,
}

impl Output {
    /// Hands it over to the call, after the outcome is known.
    pub(super) fn store(self, call: &mut Call) {
        call.response.tool_calls = self.calls;
        if !self.parts.is_empty() {
            let finish_reason = call.response.finish_reasons.first().cloned();
            call.response.messages =
                vec![Message { role: "assistant".to_owned(), parts: self.parts, name: None, finish_reason }];
        }
    }
}

/// Reads the items of a whole `output` array.
pub(super) fn output(items: &[Value], content: bool) -> Output {
    let mut output = Output::default();
    for item in items {
        if let Some(call) = tool_call(item, content) {
            output.awaits_client |= awaits_client(item, items);
            output.calls.push(call);
        }
        // A compaction answers with the history that it kept; only what the model said is output.
        if content && !matches!(json::str_at(item, &["role"]), Some("user" | "system" | "developer")) {
            output.parts.extend(parts_of(item, awaits_client(item, items)));
        }
    }
    output
}

/// Whether an item is a call, by the API's naming.
fn is_call(kind: &str) -> bool {
    kind.ends_with("_call")
}

/// Whether the client has to carry out this call. Calls of the kinds that can run on either side are the provider's when
/// the item says so or when their output stands in the same response.
fn awaits_client(item: &Value, all: &[Value]) -> bool {
    match json::str_at(item, &["type"]).unwrap_or_default() {
        "function_call" | "computer_call" | "local_shell_call" => true,
        // xAI tells of its own searches in this form too; they are answered before the model goes on to speak.
        "custom_tool_call" => {
            let mut after = all.iter().skip_while(|other| !std::ptr::eq(*other, item));
            !after.any(|other| json::str_at(other, &["type"]) == Some("message"))
        }
        kind @ ("shell_call" | "apply_patch_call" | "tool_search_call") => {
            let id = json::str_at(item, &["call_id"]);
            json::str_at(item, &["execution"]) != Some("server")
                && json::str_at(item, &["environment", "type"]).is_none_or(|at| at == "local")
                && !all.iter().any(|other| {
                    json::str_at(other, &["type"]).is_some_and(|other_kind| is_output_of(other_kind, kind))
                        && json::str_at(other, &["call_id"]) == id
                })
        }
        _ => false,
    }
}

/// `shell_call_output` answers `shell_call`; `tool_search_output` answers `tool_search_call`.
fn is_output_of(kind: &str, call: &str) -> bool {
    kind.strip_suffix("_output").is_some_and(|stem| stem == call || call.strip_suffix("_call") == Some(stem))
}

/// The call in an item, if it is one. Arguments are content.
pub(super) fn tool_call(item: &Value, content: bool) -> Option<ToolCall> {
    let kind = json::str_at(item, &["type"]).filter(|kind| is_call(kind))?;
    let name = json::str_at(item, &["name"]).unwrap_or_else(|| kind.strip_suffix("_call").unwrap_or(kind));
    let arguments = if content { call_arguments(kind, item) } else { None };
    Some(ToolCall { id: call_id(item), name: name.to_owned(), kind: kind.to_owned(), arguments })
}

/// Whether the client carries out this call, as far as the item alone tells.
pub(super) fn is_client_kind(item: &Value) -> bool {
    awaits_client(item, &[])
}

fn call_arguments(kind: &str, item: &Value) -> Option<Value> {
    match kind {
        // A custom tool takes free text, which is never JSON by intent.
        "custom_tool_call" => item.get("input").filter(|input| !input.is_null()).cloned(),
        "apply_patch_call" => item.get("operation").and_then(json::arguments_value),
        "computer_call" => item.get("action").or_else(|| item.get("actions")).and_then(json::arguments_value),
        "web_search_call" | "local_shell_call" | "shell_call" => {
            item.get("action").and_then(json::arguments_value)
        }
        "file_search_call" => some_members(item, &["queries"]),
        "code_interpreter_call" => some_members(item, &["code", "container_id"]),
        "image_generation_call" => None,
        _ => item.get("arguments").and_then(json::arguments_value),
    }
}

fn some_members(item: &Value, keys: &[&str]) -> Option<Value> {
    let members: Map<String, Value> = keys
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), item.get(*key).filter(|value| !value.is_null())?.clone())))
        .collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// Members of an item that its part has in another place, or does not need.
const IDS: [&str; 3] = ["id", "call_id", "status"];

/// Members of a hosted call that hold what it gave rather than what was asked.
const RESULTS: [&str; 5] = ["output", "outputs", "results", "result", "error"];

/// The parts of an item on its own.
pub(super) fn item_parts(item: &Value) -> Vec<Part> {
    let answer = json::str_at(item, &["type"]).is_some_and(|kind| kind.ends_with("_output"));
    parts_of(item, if answer { !answers_for_provider(item) } else { is_client_kind(item) })
}

/// Whether an `…_output` item is the provider's own answer, as far as the item alone tells.
pub(super) fn answers_for_provider(item: &Value) -> bool {
    json::str_at(item, &["execution"]) == Some("server")
        || json::str_at(item, &["type"]) == Some("program_output")
}

/// The id that joins a call and its answer.
fn call_id(item: &Value) -> Option<String> {
    json::string_at(item, &["call_id"]).or_else(|| json::string_at(item, &["id"]))
}

/// The parts of an item, told whether the client carries out the call in it.
fn parts_of(item: &Value, client: bool) -> Vec<Part> {
    let kind = json::str_at(item, &["type"]).unwrap_or("message");
    match kind {
        "message" => parts::content(item.get("content").unwrap_or(&Value::Null)),
        "reasoning" => {
            let texts = json::array_at(item, &["summary"]).iter().chain(json::array_at(item, &["content"]));
            texts
                .filter_map(|text| json::str_at(text, &["text"]))
                .filter(|text| !text.is_empty())
                .map(|text| Part::Reasoning(text.to_owned()))
                .collect()
        }
        _ if is_call(kind) && client => tool_call(item, true).map(Part::ToolCall).into_iter().collect(),
        _ if is_call(kind) => server_call(kind, item),
        // Code that the model writes to call tools; the provider runs it.
        "program" => vec![Part::ServerToolCall {
            id: call_id(item),
            name: kind.to_owned(),
            call: match item {
                Value::Object(members) => Value::Object(scrubbed_members(members, &IDS)),
                _ => Value::Null,
            },
        }],
        _ if kind.ends_with("_output") => vec![tool_answer(kind, item, client)],
        // Servers that leave `type` out of a refusal put the text there.
        "refusal" => refusal(item).into_iter().collect(),
        _ => vec![generic(kind, item)],
    }
}

/// The answer to a call, by the client or, for what runs at the provider, by the provider.
fn tool_answer(kind: &str, item: &Value, client: bool) -> Part {
    let id = call_id(item);
    let rest = || match item {
        Value::Object(members) => Value::Object(scrubbed_members(members, &IDS)),
        _ => Value::String(kind.to_owned()),
    };
    if !client {
        return Part::ServerToolCallResponse { id, response: rest() };
    }
    let response = json::at(item, &["output"]).or_else(|| json::at(item, &["tools"]));
    Part::ToolCallResponse { id, response: response.map_or_else(rest, scrubbed) }
}

/// A call that the provider ran, and what it gave where the item says so.
fn server_call(kind: &str, item: &Value) -> Vec<Part> {
    let Some(call) = tool_call(item, false) else { return Vec::new() };
    let Value::Object(members) = item else { return Vec::new() };
    let mut asked = scrubbed_members(members, &IDS);
    asked.retain(|key, _| !RESULTS.contains(&key.as_str()));
    // Arguments are JSON in a string; as JSON they can be read.
    if let Some(arguments) = members.get("arguments").and_then(json::arguments_value) {
        asked.insert("arguments".to_owned(), arguments);
    }
    let mut parts =
        vec![Part::ServerToolCall { id: call.id.clone(), name: call.name, call: Value::Object(asked) }];
    if kind == "image_generation_call" {
        if let Some(content) = json::str_at(item, &["result"]) {
            let format = json::str_at(item, &["output_format"]).unwrap_or("png");
            parts.push(Part::Blob {
                modality: "image".to_owned(),
                mime_type: Some(format!("image/{format}")),
                content: content.to_owned(),
            });
        }
        return parts;
    }
    let mut given = scrubbed_members(members, &[]);
    given.retain(|key, _| RESULTS.contains(&key.as_str()));
    if !given.is_empty() {
        given.insert("type".to_owned(), Value::String(kind.to_owned()));
        parts.push(Part::ServerToolCallResponse { id: call.id, response: Value::Object(given) });
    }
    parts
}
