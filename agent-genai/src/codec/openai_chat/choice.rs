//! One choice of a chat completion, folded from a whole message or from its deltas.

use serde_json::Value;

use super::parts;
use super::tools::Tools;
use crate::call::{Call, Message, Part};
use crate::codec::content::Budget;
use crate::codec::dialect::REASONING_MEMBERS;
use crate::codec::{json, media};

/// What is known of one choice.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    finish: Option<String>,
    role: Option<String>,
    reasoning: String,
    text: String,
    refusal: String,
    transcript: String,
    audio: String,
    other: Vec<Part>,
    tools: Tools,
}

impl Choice {
    /// The reason, unless one is known.
    pub(crate) fn reason(&mut self, reason: Option<String>) {
        if self.finish.is_none() {
            self.finish = reason;
        }
    }

    /// A piece of text.
    pub(crate) fn text(&mut self, piece: &str, content: bool, budget: &mut Budget) {
        if content {
            append(&mut self.text, Some(piece), budget);
        }
    }

    /// A piece of reasoning.
    pub(crate) fn reasoning(&mut self, piece: &str, content: bool, budget: &mut Budget) {
        if content {
            append(&mut self.reasoning, Some(piece), budget);
        }
    }

    /// A tool that the provider ran.
    pub(crate) fn executed(&mut self, tool: &Value, content: bool, budget: &mut Budget) {
        self.tools.executed(tool, content, budget);
    }

    /// One tool call in the form of a chat completion, whole or a fragment.
    pub(crate) fn tool(&mut self, call: &Value, content: bool, budget: &mut Budget) {
        self.tools.fragment(call, content, budget);
    }

    /// The first reason that is not null.
    pub(crate) fn finish_reason(&mut self, choice: &Value) {
        if self.finish.is_none() {
            // Some servers behind Bedrock and vLLM call it stop_reason; vLLM's may be a token number as well.
            self.finish = json::string_at(choice, &["finish_reason"]).or_else(|| {
                let late = choice.get("finish_reason").is_none();
                json::string_at(choice, &["stop_reason"]).filter(|_| late)
            });
        }
    }

    /// Takes a message or a delta.
    pub(crate) fn fold(&mut self, message: &Value, content: bool, budget: &mut Budget) {
        for call in json::array_at(message, &["tool_calls"]) {
            self.tools.fragment(call, content, budget);
        }
        if let Some(call) = json::at(message, &["function_call"]) {
            self.tools.legacy(call, content, budget);
        }
        for call in json::array_at(message, &["executed_tools"]) {
            self.tools.executed(call, content, budget);
        }
        if self.role.is_none() {
            self.role = json::string_at(message, &["role"]);
        }
        if !content {
            return;
        }
        append(&mut self.reasoning, reasoning(message).as_deref(), budget);
        self.content(message.get("content").unwrap_or(&Value::Null), budget);
        append(&mut self.refusal, json::str_at(message, &["refusal"]), budget);
        append(&mut self.transcript, json::str_at(message, &["audio", "transcript"]), budget);
        append(&mut self.audio, json::str_at(message, &["audio", "data"]), budget);
        for image in json::array_at(message, &["images"]) {
            if let Some(url) =
                json::str_at(image, &["image_url", "url"]).filter(|url| budget.content(url.len()))
            {
                self.other.push(media::from_url(url, "image"));
            }
        }
    }

    /// Text, or Mistral's array of typed pieces.
    fn content(&mut self, content: &Value, budget: &mut Budget) {
        match content {
            Value::String(text) => append(&mut self.text, Some(text), budget),
            Value::Array(_) | Value::Object(_) => {
                let items = content.as_array().map_or(std::slice::from_ref(content), Vec::as_slice);
                for item in items {
                    match parts::part(item) {
                        Some(Part::Text(text)) => append(&mut self.text, Some(&text), budget),
                        Some(Part::Reasoning(text)) => append(&mut self.reasoning, Some(&text), budget),
                        Some(other) if budget.content(256) => self.other.push(other),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Puts the choice into the call. `broken`: the answer failed or was cut, so that a missing reason is an error.
    pub(crate) fn store(self, broken: bool, content: bool, call: &mut Call) {
        let finish = self.finish.or_else(|| broken.then(|| "error".to_owned()));
        call.response.finish_reasons.extend(finish.clone());
        let (calls, tool_parts) = self.tools.finish();
        call.response.tool_calls.extend(calls);
        if !content {
            return;
        }
        let mut parts = Vec::new();
        let filled = |text: String| (!text.is_empty()).then_some(text);
        parts.extend(filled(self.reasoning).map(Part::Reasoning));
        parts.extend(filled(self.text).map(Part::Text));
        parts.extend(filled(self.transcript).map(Part::Text));
        if let Some(audio) = filled(self.audio) {
            parts.push(media::blob(&audio, "audio", None));
        }
        parts.extend(filled(self.refusal).map(|text| parts::refusal(&text)));
        parts.extend(self.other);
        parts.extend(tool_parts);
        call.response.messages.push(Message {
            role: self.role.unwrap_or_else(|| "assistant".to_owned()),
            parts,
            name: None,
            finish_reason: finish,
        });
    }
}

fn append(field: &mut String, piece: Option<&str>, budget: &mut Budget) {
    if let Some(piece) = piece.filter(|piece| !piece.is_empty() && budget.content(piece.len())) {
        field.push_str(piece);
    }
}

/// Reasoning text under the first of its names that is there: servers that send it twice send the same.
pub(super) fn reasoning(message: &Value) -> Option<String> {
    let plain = REASONING_MEMBERS.iter().find_map(|member| json::string_at(message, &[member]));
    plain.or_else(|| {
        let detail = |detail: &Value| {
            json::string_at(detail, &["text"]).or_else(|| json::string_at(detail, &["summary"]))
        };
        let text: String =
            json::array_at(message, &["reasoning_details"]).iter().filter_map(detail).collect();
        (!text.is_empty()).then_some(text)
    })
}
