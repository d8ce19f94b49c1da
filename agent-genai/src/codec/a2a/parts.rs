//! What an agent's answers say: state of the task, context, and content.

use serde_json::Value;

use crate::call::{Call, Message, Part};
use crate::codec::content::{Budget, scrubbed, weight};
use crate::codec::{error, json};
use crate::skim;

/// The answers to one request, folded.
#[derive(Default)]
pub(super) struct Said {
    over: bool,
    parts: Vec<Part>,
}

impl Said {
    /// One result: a message, a task, or an event of a task. Version 1.0 puts each into a member of its name.
    pub(super) fn take(&mut self, result: &Value, content: bool, call: &mut Call, budget: &mut Budget) {
        let wrapped = ["task", "message", "msg", "statusUpdate", "artifactUpdate"].iter().find_map(|name| {
            json::at(result, &[name]).filter(|inner| inner.is_object()).map(|inner| (*name, inner))
        });
        let (kind, body) = wrapped.unwrap_or((json::str_at(result, &["kind"]).unwrap_or_default(), result));
        let word = |path: &[&str]| json::string_at(body, path);
        if let Some(context) = word(&["contextId"]).or_else(|| word(&["sessionId"])) {
            call.request.conversation_id.get_or_insert(context);
        }
        let is_task = kind == "task" || kind.is_empty() && json::at(body, &["status"]).is_some();
        if let Some(rpc) = call.rpc.as_mut()
            && let Some(task) = word(&["taskId"]).or_else(|| word(&["id"]).filter(|_| is_task))
        {
            rpc.session_id = Some(task);
        }
        if let Some(state) = json::str_at(body, &["status", "state"]) {
            let state =
                state.strip_prefix("TASK_STATE_").map_or_else(|| state.to_owned(), str::to_ascii_lowercase);
            self.over |= !matches!(state.as_str(), "submitted" | "working");
            call.response.status = Some(state.replace('_', "-"));
        }
        self.over |= kind == "message" || kind == "msg" || json::bool_at(body, &["final"]) == Some(true);
        if !content {
            return;
        }
        let artifacts = json::array_at(body, &["artifacts"]).iter().chain(json::at(body, &["artifact"]));
        let said = [body, json::at(body, &["status", "message"]).unwrap_or(&Value::Null)];
        for holder in said.into_iter().chain(artifacts) {
            for part in parts_of(holder).iter().filter_map(part) {
                if budget.content(size(&part)) {
                    // A task that is told again tells its last words again.
                    if self.parts.last() != Some(&part) {
                        self.parts.push(part);
                    }
                }
            }
        }
    }

    /// Whether the agent has ended, or waits for the one who asked.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn conclude(&mut self, call: &mut Call) {
        if call.error.is_none()
            && let Some(state @ ("failed" | "rejected")) = call.response.status.as_deref()
        {
            call.error = Some(error::own(&format!("task_{state}"), "the agent ended the task so"));
        }
        let parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() {
            call.response.messages.push(Message {
                role: "assistant".to_owned(),
                parts,
                name: None,
                finish_reason: None,
            });
        }
    }
}

/// A message sent to an agent, or by it.
pub(super) fn message(value: &Value, role: &str, budget: &mut Budget) -> Option<Message> {
    let role = match json::str_at(value, &["role"]) {
        Some("agent" | "ROLE_AGENT") => "assistant",
        Some("user" | "ROLE_USER") | None => role,
        Some(other) => other,
    };
    let parts: Vec<Part> =
        parts_of(value).iter().filter_map(part).filter(|part| budget.content(size(part))).collect();
    (!parts.is_empty()).then(|| Message { role: role.to_owned(), parts, name: None, finish_reason: None })
}

fn parts_of(value: &Value) -> &[Value] {
    let parts = json::array_at(value, &["parts"]);
    if parts.is_empty() { json::array_at(value, &["content"]) } else { parts }
}

fn part(value: &Value) -> Option<Part> {
    if let Some(text) = json::str_at(value, &["text"]) {
        return Some(Part::Text(skim::text_head(text).0.to_owned()));
    }
    if let Some(data) = json::at(value, &["data"]).filter(|data| !data.is_string()) {
        return Some(Part::Generic { kind: "data".to_owned(), value: scrubbed(data) });
    }
    let file = json::at(value, &["file"]).unwrap_or(value);
    let word = |names: &[&str]| names.iter().find_map(|name| json::string_at(file, &[name]));
    let mime_type = word(&["mimeType", "mediaType", "media_type"]);
    let modality = match mime_type.as_deref().and_then(|kind| kind.split('/').next()) {
        Some(kind @ ("image" | "audio" | "video")) => kind.to_owned(),
        _ => "document".to_owned(),
    };
    if let Some(uri) = word(&["uri", "fileWithUri", "url"]) {
        return Some(Part::Uri { modality, uri, mime_type });
    }
    word(&["bytes", "fileWithBytes", "raw"]).map(|content| Part::Blob { modality, mime_type, content })
}

fn size(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Uri { uri, .. } => uri.len(),
        Part::Blob { content, .. } => content.len(),
        Part::Generic { value, .. } => weight(value),
        _ => 0,
    }
}
