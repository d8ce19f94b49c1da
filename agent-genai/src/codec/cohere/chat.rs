//! Cohere chat, second version: whole, or events named by their type.

use serde_json::Value;

use super::{HOST, billed_alone_if_whole, count, settings};
use crate::call::{Api, Call, Operation, ToolChoice};
use crate::codec::answers::Answers;
use crate::codec::openai_chat::{parts, request as chat_request};
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, error, json};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::certain("v2/chat", Operation::Chat).at(HOST), Row::likely("v2/chat", Operation::Chat)],
    request,
    response,
    sniff: Some(|body| json::at(body, &["jsonrpc"]).is_none() && request(body)),
    ..Spec::new(
        Api::CohereChat,
        Operation::Chat,
        "cohere",
        Make::Codec(|options| Box::new(CohereChat::new(options))),
    )
};

fn request(body: &Value) -> bool {
    let messages = json::array_at(body, &["messages"]);
    json::at(body, &["model"]).is_some() && messages.iter().all(Value::is_object) && !messages.is_empty()
}

fn response(event: &str, body: &Value) -> Option<bool> {
    let kind = json::str_at(body, &["type"]).unwrap_or(event);
    let named = matches!(kind, "message-start" | "content-delta" | "tool-plan-delta" | "message-end");
    let told = json::at(body, &["finish_reason"]).is_some()
        && json::at(body, &["message"]).is_some_and(Value::is_object)
        && json::at(body, &["usage"]).is_some_and(|usage| json::at(usage, &["billed_units"]).is_some());
    (named && json::at(body, &["delta"]).is_some() || told).then_some(true)
}

/// Folds one exchange.
pub(crate) struct CohereChat {
    answers: Answers,
}

impl CohereChat {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options) }
    }

    /// A message or what a delta adds to one: content is a list when whole and one piece in a delta, and so are tool calls.
    fn message(&mut self, message: &Value, index: Option<&Value>) {
        let Some(mut slot) = self.answers.slot(0) else { return };
        slot.reasoning(json::str_at(message, &["tool_plan"]));
        for piece in one_or_many(message.get("content")) {
            match piece {
                Value::String(text) => slot.text(Some(text)),
                piece => {
                    slot.reasoning(json::str_at(piece, &["thinking"]));
                    slot.text(json::str_at(piece, &["text"]));
                }
            }
        }
        for call in one_or_many(message.get("tool_calls")) {
            match index {
                // A delta says its index beside the message.
                Some(index) => slot.tool(&indexed(call, index)),
                None => slot.tool(call),
            }
        }
    }

    fn ended(&mut self, body: &Value, call: &mut Call) {
        if let Some(mut slot) = self.answers.slot(0) {
            slot.reason(json::str_at(body, &["finish_reason"]));
        }
        if let Some(usage) = json::at(body, &["usage"]) {
            count(usage, call);
        }
        if let Some(said) = json::str_at(body, &["error"]) {
            call.error = Some(error::own("ERROR", said));
        }
    }
}

/// The elements of a list, or the one value in its place.
fn one_or_many(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

fn indexed(call: &Value, index: &Value) -> Value {
    let mut call = call.clone();
    if let Some(members) = call.as_object_mut() {
        members.insert("index".to_owned(), index.clone());
    }
    call
}

impl Codec for CohereChat {
    fn request(&mut self, body: &Value, call: &mut Call) {
        settings(body, call);
        let content = self.answers.content();
        call.request.tools = chat_request::definitions(body, content);
        call.request.tool_choice = match json::str_at(body, &["tool_choice"]).map(str::to_ascii_uppercase) {
            Some(word) if word == "REQUIRED" => Some(ToolChoice::Required),
            Some(word) if word == "NONE" => Some(ToolChoice::None),
            _ => None,
        };
        if content {
            call.request.messages = parts::messages(body);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_some() {
            return;
        }
        call.response.id = json::string_at(body, &["id"]);
        if let Some(message) = json::at(body, &["message"]) {
            self.message(message, None);
        }
        self.ended(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let kind = json::str_at(data, &["type"]).unwrap_or(event);
        if kind == "message-start" {
            call.response.id = json::string_at(data, &["id"]);
        }
        if kind == "message-end" {
            self.ended(data.get("delta").unwrap_or(&Value::Null), call);
        } else if let Some(message) = json::at(data, &["delta", "message"]) {
            self.message(message, Some(data.get("index").unwrap_or(&Value::Null)));
        } else {
            error::note_item(event, data, call);
        }
    }

    fn finish(&mut self, call: &mut Call) {
        billed_alone_if_whole(call);
        self.answers.finish(call);
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}
