//! Mistral's conversations: entries in, entries out, with agents and tools that the provider runs.

use serde_json::{Value, json};

use super::answers::Answers;
use super::completions::said;
use super::openai_chat::{parts, request as chat_request};
use super::spec::{Make, Row, Spec};
use super::usage::{self, Dialect};
use super::{Codec, CodecOptions, error, json};
use crate::call::{Api, Call, Message, Operation, Part, ToolCall};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("v1/conversations", Operation::Chat),
        Row::likely("v1/conversations/*", Operation::Chat).at("*.mistral.ai"),
        Row::likely("v1/conversations/*/restart", Operation::Chat).at("*.mistral.ai"),
    ],
    request: |body| json::at(body, &["inputs"]).is_some(),
    vague: true,
    response,
    thin_response: &[],
    ..Spec::new(
        Api::MistralConversations,
        Operation::Chat,
        "mistral_ai",
        Make::Codec(|options| Box::new(Conversations::new(options))),
    )
};

fn response(event: &str, body: &Value) -> Option<bool> {
    let kind = json::str_at(body, &["object"]).or_else(|| json::str_at(body, &["type"])).unwrap_or(event);
    (kind.starts_with("conversation.response") || kind.starts_with("message.output")).then_some(true)
}

/// Most tools of the provider's own that are followed.
const MAX_TOOLS: usize = 256;

/// Folds one exchange.
pub(crate) struct Conversations {
    answers: Answers,
    /// Ids of the tools that the provider ran, in order.
    ran: Vec<String>,
    ended: bool,
}

impl Conversations {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), ran: Vec::new(), ended: false }
    }

    /// A whole entry, or a piece of one.
    fn entry(&mut self, entry: &Value, kind: &str, call: &mut Call) {
        if call.response.model.is_none() {
            call.response.model = json::string_at(entry, &["model"]);
        }
        let content = self.answers.content();
        match kind {
            "message.output" | "message.output.delta" => {
                if let Some(mut slot) = self.answers.slot(0) {
                    slot.message(entry);
                }
            }
            "function.call" | "function.call.delta" => {
                let id = json::str_at(entry, &["tool_call_id"]).or_else(|| json::str_at(entry, &["id"]));
                let arguments = entry.get("arguments").filter(|_| content);
                let fragment = json!({"id": id, "name": entry.get("name"), "arguments": arguments});
                if let Some(mut slot) = self.answers.slot(0) {
                    slot.tool(&fragment);
                }
            }
            "tool.execution" | "tool.execution.started" | "tool.execution.done" => self.tool(entry, content),
            _ => {}
        }
    }

    /// A tool that the provider runs: told when begun and when done, by one id.
    fn tool(&mut self, entry: &Value, content: bool) {
        let id = json::str_at(entry, &["id"]).unwrap_or_default();
        let index = self.ran.iter().position(|known| known == id && !id.is_empty()).unwrap_or_else(|| {
            if self.ran.len() < MAX_TOOLS {
                self.ran.push(id.chars().take(128).collect());
            }
            self.ran.len().saturating_sub(1)
        });
        let arguments = entry.get("arguments").filter(|_| content);
        let told = json!({"index": index, "id": id, "type": "tool.execution", "name": entry.get("name"), "arguments": arguments});
        // The end of it names no tool that was not named at its beginning.
        if json::str_at(entry, &["name"]).is_some()
            && let Some(mut slot) = self.answers.slot(0)
        {
            slot.executed(&told);
        }
    }

    fn count(body: &Value, call: &mut Call) {
        let Some(told) = json::at(body, &["usage"]) else { return };
        let Some(mut found) = usage::openai(told, Dialect::Standard) else { return };
        // What the tools found is read as well, and counted apart.
        if let (Some(input), Some(connectors)) = (found.input, json::u64_at(told, &["connector_tokens"])) {
            found.input = Some(input.saturating_add(connectors));
        }
        found.web_searches = found.web_searches.or_else(|| json::u64_at(told, &["connectors", "web_search"]));
        call.usage = found;
    }
}

impl Codec for Conversations {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let content = self.answers.content();
        if let Some(settings) = json::at(body, &["completion_args"]) {
            chat_request::fold(settings, false, call);
        }
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
        request.agent = json::string_at(body, &["agent_id"]);
        request.tools = chat_request::definitions(body, content);
        if request.agent.is_some() {
            call.operation = Operation::InvokeAgent;
        }
        if content {
            let instructions = json::str_at(body, &["instructions"]).map(|text| Part::Text(text.to_owned()));
            call.request.system = instructions.into_iter().collect();
            call.request.messages = match body.get("inputs") {
                Some(Value::String(text)) => vec![said("user", text)],
                Some(Value::Array(entries)) => entries.iter().filter_map(given).collect(),
                _ => Vec::new(),
            };
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_some() {
            return;
        }
        call.request.conversation_id = json::string_at(body, &["conversation_id"]);
        for entry in json::array_at(body, &["outputs"]) {
            let kind = json::str_at(entry, &["type"]).unwrap_or("message.output");
            self.entry(entry, kind, call);
            if call.response.id.is_none() {
                call.response.id = json::string_at(entry, &["id"]);
            }
        }
        Self::count(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let kind = json::str_at(data, &["type"]).unwrap_or(event);
        match kind {
            "conversation.response.started" => {
                call.request.conversation_id = json::string_at(data, &["conversation_id"]);
            }
            "conversation.response.done" => {
                self.ended = true;
                Self::count(data, call);
            }
            "conversation.response.error" => call.error = Some(error::from_body(data, None)),
            _ => {
                error::note_item(event, data, call);
                if kind.starts_with("message.output") && call.response.id.is_none() {
                    call.response.id = json::string_at(data, &["id"]);
                }
                self.entry(data, kind, call);
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
        self.ran = Vec::new();
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.ran.iter().map(|id| id.len() + size_of::<String>()).sum::<usize>()
    }
}

/// An entry of the request: a message, a call that was made, or its answer.
fn given(entry: &Value) -> Option<Message> {
    let message = |role: &str, part: Part| Message {
        role: role.to_owned(),
        parts: vec![part],
        name: None,
        finish_reason: None,
    };
    match json::str_at(entry, &["type"]) {
        Some("function.result") => {
            let response = entry.get("result").cloned().unwrap_or_default();
            Some(message(
                "tool",
                Part::ToolCallResponse { id: json::string_at(entry, &["tool_call_id"]), response },
            ))
        }
        Some("function.call") => {
            let call = ToolCall {
                id: json::string_at(entry, &["tool_call_id"]),
                name: json::string_at(entry, &["name"]).unwrap_or_default(),
                kind: "function".to_owned(),
                arguments: entry.get("arguments").and_then(json::arguments_value),
            };
            Some(message("assistant", Part::ToolCall(call)))
        }
        _ => {
            let one = json!({"messages": [entry]});
            parts::messages(&one).pop()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::fixture::{self, BARE, CONTENT, json_of};

    #[test]
    fn whole() {
        let body = json!({"object": "conversation.response", "conversation_id": "conv_1", "outputs": [
            {"type": "tool.execution", "id": "t1", "name": "web_search", "arguments": "{}"},
            {"type": "function.call", "id": "fc", "tool_call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "message.output", "id": "msg_1", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}]}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115, "connector_tokens": 100, "connectors": {"web_search": 1}}});
        let call = fixture::response(&mut Conversations::new(CONTENT), Api::MistralConversations, 200, &body);
        assert_eq!(
            (call.usage.input, call.usage.output, call.usage.web_searches),
            (Some(110), Some(5), Some(1))
        );
        assert_eq!(call.request.conversation_id.as_deref(), Some("conv_1"));
        assert_eq!(call.response.model.as_deref(), Some("m"));
        let calls: Vec<_> =
            call.response.tool_calls.iter().map(|call| (call.id.as_deref(), call.kind.as_str())).collect();
        assert_eq!(calls, [(Some("t1"), "tool.execution"), (Some("c1"), "function")]);
        assert_eq!(call.response.messages[0].parts[0], Part::Text("hi".into()));
    }

    #[test]
    fn streamed() {
        let items = [
            json!({"type": "conversation.response.started", "conversation_id": "conv_1"}),
            json!({"type": "tool.execution.started", "id": "t1", "name": "web_search"}),
            json!({"type": "tool.execution.done", "id": "t1", "name": "web_search", "info": {}}),
            json!({"type": "message.output.delta", "id": "msg_1", "model": "m", "content": "h"}),
            json!({"type": "message.output.delta", "id": "msg_1", "content": {"type": "text", "text": "i"}}),
            json!({"type": "function.call.delta", "tool_call_id": "c1", "name": "f", "arguments": "{\"a\":"}),
            json!({"type": "function.call.delta", "tool_call_id": "c1", "name": "f", "arguments": "1}"}),
            json!({"type": "conversation.response.done", "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}),
        ];
        let mut codec = Conversations::new(CONTENT);
        let call = fixture::stream(&mut codec, Api::MistralConversations, &items);
        assert!(codec.has_ended());
        assert_eq!(call.response.messages[0].parts[0], Part::Text("hi".into()));
        assert_eq!(call.response.tool_calls.len(), 2);
        assert_eq!(call.response.tool_calls[1].arguments, Some(json!({"a": 1})));
        assert_eq!((call.usage.input, call.response.id.as_deref()), (Some(1), Some("msg_1")));
        let bare = fixture::stream(&mut Conversations::new(BARE), Api::MistralConversations, &items);
        assert!(
            bare.response.messages.is_empty()
                && bare.response.tool_calls.iter().all(|call| call.arguments.is_none())
        );
        let failed = json!({"type": "conversation.response.error", "message": "m", "code": 3000});
        let call = fixture::stream(&mut Conversations::new(BARE), Api::MistralConversations, &[failed]);
        assert_eq!(call.error.map(|error| error.message).as_deref(), Some("m"));
    }

    #[test]
    fn requests() {
        let body = json!({"agent_id": "ag_1", "inputs": [{"role": "user", "content": "q"},
            {"type": "function.result", "tool_call_id": "c1", "result": "r"}], "stream": true,
            "completion_args": {"temperature": 0.1, "max_tokens": 3, "random_seed": 5}});
        let call = fixture::request(&mut Conversations::new(CONTENT), Api::MistralConversations, &body);
        assert_eq!(call.operation, Operation::InvokeAgent);
        assert_eq!(
            (call.request.temperature, call.request.max_tokens, call.request.seed),
            (Some(0.1), Some(3), Some(5))
        );
        let roles: Vec<&str> = call.request.messages.iter().map(|message| message.role.as_str()).collect();
        assert_eq!(roles, ["user", "tool"]);
        assert!(call.request.stream);
    }

    proptest! {
        #[test]
        fn never_panics(bodies in prop::collection::vec(json_of(&["type", "message.output", "function.call", "tool.execution", "id", "name", "arguments", "content", "outputs", "usage", "connector_tokens", "inputs", "text", "tool_call_id"]), 0..5), content: bool) {
            let mut codec = Conversations::new(if content { CONTENT } else { BARE });
            let mut call = fixture::call(Api::MistralConversations);
            for body in &bodies {
                codec.request(body, &mut call);
                codec.event("", body, &mut call);
                codec.response(body, &mut call);
            }
            codec.finish(&mut call);
            prop_assert!(content || call.response.messages.is_empty());
        }
    }
}
