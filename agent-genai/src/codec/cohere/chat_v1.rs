//! Cohere chat, first version: a `message` and the history apart; streams are lines (events behind some gateways).

use serde_json::{Map, Value};

use super::{HOST, billed_alone_if_whole, count, settings};
use crate::call::{Api, Call, Message, Operation, Part, ToolCall, ToolDefinition};
use crate::codec::answers::Answers;
use crate::codec::completions::said;
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, error, json};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("v1/chat", Operation::Chat), Row::likely("v1/chat", Operation::Chat).at(HOST)],
    request,
    vague: true,
    response,
    sniff: Some(|body| json::str_at(body, &["model"]).is_some() && request(body)),
    ..Spec::new(
        Api::CohereChatV1,
        Operation::Chat,
        "cohere",
        Make::Codec(|options| Box::new(CohereChatV1::new(options))),
    )
};

fn request(body: &Value) -> bool {
    json::at(body, &["message"]).is_some_and(Value::is_string) && json::at(body, &["messages"]).is_none()
}

fn response(_event: &str, body: &Value) -> Option<bool> {
    let has = |key: &str| json::at(body, &[key]).is_some();
    let line = has("event_type") && json::bool_at(body, &["is_finished"]).is_some();
    let whole = has("generation_id") && has("text");
    (line || whole).then_some(true)
}

/// Folds one exchange.
pub(crate) struct CohereChatV1 {
    answers: Answers,
    /// Text or tool calls came in pieces: the whole at the end repeats them.
    pieces: bool,
    ended: bool,
}

impl CohereChatV1 {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), pieces: false, ended: false }
    }

    /// A whole answer, on its own or inside the last line of a stream.
    fn whole(&mut self, body: &Value, call: &mut Call) {
        call.response.id =
            json::string_at(body, &["response_id"]).or_else(|| json::string_at(body, &["generation_id"]));
        if let Some(meta) =
            json::at(body, &["meta"]).or_else(|| json::at(body, &["token_count"]).map(|_| body))
        {
            count(meta, call);
        }
        let pieces = self.pieces;
        let Some(mut slot) = self.answers.slot(0) else { return };
        slot.reason(json::str_at(body, &["finish_reason"]));
        if !pieces {
            slot.text(json::str_at(body, &["text"]));
        }
        for (index, tool) in (0_u64..).zip(json::array_at(body, &["tool_calls"])) {
            slot.tool(&called(tool, index));
        }
    }
}

/// A tool call in the form of a chat completion: its arguments are an object of `parameters`.
fn called(tool: &Value, index: u64) -> Value {
    let mut call = Map::new();
    call.insert("index".to_owned(), index.into());
    for (from, to) in [("id", "id"), ("name", "name"), ("parameters", "arguments")] {
        if let Some(value) = json::at(tool, &[from]) {
            call.insert(to.to_owned(), value.clone());
        }
    }
    Value::Object(call)
}

impl Codec for CohereChatV1 {
    fn request(&mut self, body: &Value, call: &mut Call) {
        settings(body, call);
        let content = self.answers.content();
        call.request.conversation_id = json::string_at(body, &["conversation_id"]);
        call.request.tools =
            json::array_at(body, &["tools"]).iter().filter_map(|tool| definition(tool, content)).collect();
        if !content {
            return;
        }
        call.request.system =
            json::str_at(body, &["preamble"]).map(|text| Part::Text(text.to_owned())).into_iter().collect();
        let mut messages: Vec<Message> =
            json::array_at(body, &["chat_history"]).iter().filter_map(spoken).collect();
        messages.extend(json::str_at(body, &["message"]).map(|text| said("user", text)));
        for result in json::array_at(body, &["tool_results"]) {
            let response = result.get("outputs").cloned().unwrap_or_default();
            let part = Part::ToolCallResponse { id: json::string_at(result, &["call", "id"]), response };
            messages.push(Message {
                role: "tool".to_owned(),
                parts: vec![part],
                name: None,
                finish_reason: None,
            });
        }
        call.request.messages = messages;
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_none() {
            self.whole(body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match json::str_at(data, &["event_type"]).unwrap_or(event) {
            "stream-start" => call.response.id = json::string_at(data, &["generation_id"]),
            "text-generation" => {
                self.pieces = true;
                if let Some(mut slot) = self.answers.slot(0) {
                    slot.text(json::str_at(data, &["text"]));
                }
            }
            "stream-end" => {
                self.ended = true;
                if let Some(body) = json::at(data, &["response"]) {
                    self.whole(body, call);
                }
                let reason = json::str_at(data, &["finish_reason"]);
                if let Some(mut slot) = self.answers.slot(0) {
                    slot.reason(reason);
                }
                if let Some(said) = json::str_at(data, &["error"]) {
                    call.error = Some(error::own(reason.unwrap_or("ERROR"), said));
                }
            }
            _ => error::note_item(event, data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        billed_alone_if_whole(call);
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}

/// A message of the history. Roles are `USER`, `CHATBOT`, `SYSTEM` and `TOOL`.
fn spoken(message: &Value) -> Option<Message> {
    let role = match json::str_at(message, &["role"])?.to_ascii_lowercase().as_str() {
        "chatbot" => "assistant".to_owned(),
        other => other.to_owned(),
    };
    let mut parts: Vec<Part> =
        json::str_at(message, &["message"]).map(|text| Part::Text(text.to_owned())).into_iter().collect();
    for tool in json::array_at(message, &["tool_calls"]) {
        parts.push(Part::ToolCall(ToolCall {
            id: json::string_at(tool, &["id"]),
            name: json::string_at(tool, &["name"]).unwrap_or_default(),
            kind: "function".to_owned(),
            arguments: tool.get("parameters").and_then(json::arguments_value),
        }));
    }
    for result in json::array_at(message, &["tool_results"]) {
        let response = result.get("outputs").cloned().unwrap_or_default();
        parts.push(Part::ToolCallResponse { id: json::string_at(result, &["call", "id"]), response });
    }
    Some(Message { role, parts, name: None, finish_reason: None })
}

fn definition(tool: &Value, content: bool) -> Option<ToolDefinition> {
    Some(ToolDefinition {
        kind: "function".to_owned(),
        name: json::string_at(tool, &["name"])?,
        description: if content { json::string_at(tool, &["description"]) } else { None },
        parameters: json::at(tool, &["parameter_definitions"]).filter(|_| content).cloned(),
    })
}
