//! LM Studio's own chat, first version of its REST API (the version before it is that of chat completions).

use serde_json::{Value, json};

use super::answers::Answers;
use super::completions::said;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, error, json, media, usage};
use crate::call::{Api, Call, Operation, Part, Usage};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("api/v1/chat", Operation::Chat)],
    request: |body| json::str_at(body, &["model"]).is_some() && json::at(body, &["input"]).is_some(),
    response: |event, body| {
        let kind = json::str_at(body, &["type"]).unwrap_or(event);
        let whole = json::at(body, &["output"]).is_some() && json::at(body, &["stats"]).is_some();
        (whole || kind.starts_with("chat.")).then_some(true)
    },
    thin_response: &[],
    ..Spec::new(
        Api::LmStudio,
        Operation::Chat,
        "lm_studio",
        Make::Codec(|options| Box::new(LmStudio::new(options))),
    )
};

/// Folds one exchange.
pub(crate) struct LmStudio {
    answers: Answers,
    pieces: bool,
    ended: bool,
    answered: bool,
    shown: bool,
}

impl LmStudio {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), pieces: false, ended: false, answered: false, shown: false }
    }

    fn whole(&mut self, body: &Value, call: &mut Call) {
        self.shown |= json::at(body, &["output"]).is_some();
        call.response.id = json::string_at(body, &["response_id"]);
        call.response.model =
            json::string_at(body, &["model_instance_id"]).or_else(|| call.response.model.take());
        if let Some(stats) = json::at(body, &["stats"]) {
            let mut found = Usage {
                input: json::u64_at(stats, &["input_tokens"]),
                output: json::u64_at(stats, &["total_output_tokens"]),
                reasoning: json::u64_at(stats, &["reasoning_output_tokens"]),
                ..Usage::default()
            };
            usage::settle(&mut found);
            call.usage = found;
        }
        let content = self.answers.content();
        let pieces = self.pieces;
        let Some(mut slot) = self.answers.slot(0) else { return };
        for (index, item) in json::array_at(body, &["output"]).iter().enumerate() {
            match json::str_at(item, &["type"]) {
                Some("message") if !pieces => slot.text(json::str_at(item, &["content"])),
                Some("reasoning") if !pieces => slot.reasoning(json::str_at(item, &["content"])),
                // Tools of MCP servers, which LM Studio itself calls.
                Some("tool_call") => {
                    let arguments = item.get("arguments").filter(|_| content);
                    slot.executed(&json!({"index": index, "type": "tool_call", "name": item.get("tool"), "arguments": arguments}));
                }
                _ => {}
            }
        }
    }
}

impl Codec for LmStudio {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
        request.temperature = json::f64_at(body, &["temperature"]);
        request.top_p = json::f64_at(body, &["top_p"]);
        request.top_k = json::i64_at(body, &["top_k"]);
        request.max_tokens = json::i64_at(body, &["max_output_tokens"]);
        request.reasoning_level = json::string_at(body, &["reasoning"]);
        request.previous_response_id = json::string_at(body, &["previous_response_id"]);
        if !self.answers.content() {
            return;
        }
        request.system = json::str_at(body, &["system_prompt"])
            .map(|text| Part::Text(text.to_owned()))
            .into_iter()
            .collect();
        request.messages = match body.get("input") {
            Some(Value::String(text)) => vec![said("user", text)],
            Some(Value::Array(items)) => {
                let mut message = said("user", "");
                message.parts = items.iter().filter_map(part).collect();
                vec![message]
            }
            _ => Vec::new(),
        };
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.answered = true;
        error::note("", body, call);
        if call.error.is_some() {
            self.shown = true;
            return;
        }
        self.whole(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.answered = true;
        let kind = json::str_at(data, &["type"]).unwrap_or(event);
        let piece = json::str_at(data, &["content"]);
        match kind {
            "chat.start" => {
                self.shown = true;
                call.response.model = json::string_at(data, &["model_instance_id"]);
            }
            "message.delta" | "reasoning.delta" => {
                self.pieces = true;
                if let Some(mut slot) = self.answers.slot(0) {
                    if kind == "message.delta" { slot.text(piece) } else { slot.reasoning(piece) }
                }
            }
            "chat.end" => {
                self.ended = true;
                self.whole(data.get("result").unwrap_or(&Value::Null), call);
            }
            _ => {
                error::note_item(event, data, call);
                self.shown |= call.error.is_some();
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn is_call(&self) -> bool {
        self.shown || !self.answered
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}

fn part(item: &Value) -> Option<Part> {
    match json::str_at(item, &["type"])? {
        "image" => json::str_at(item, &["data_url"]).map(|url| media::from_url(url, "image")),
        _ => json::string_at(item, &["content"]).or_else(|| json::string_at(item, &["text"])).map(Part::Text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::fixture::{self, BARE, CONTENT, json_of};

    fn result() -> Value {
        json!({"model_instance_id": "m", "response_id": "resp_1", "output": [{"type": "reasoning", "content": "hm"},
            {"type": "tool_call", "tool": "t", "arguments": {"a": 1}, "output": "o"}, {"type": "message", "content": "hi"}],
            "stats": {"input_tokens": 3, "total_output_tokens": 9, "reasoning_output_tokens": 4}})
    }

    #[test]
    fn whole_and_streamed() {
        let whole = fixture::response(&mut LmStudio::new(CONTENT), Api::LmStudio, 200, &result());
        let items = [
            json!({"type": "chat.start", "model_instance_id": "m"}),
            json!({"type": "reasoning.delta", "content": "hm"}),
            json!({"type": "message.delta", "content": "h"}),
            json!({"type": "message.delta", "content": "i"}),
            json!({"type": "chat.end", "result": result()}),
        ];
        let mut codec = LmStudio::new(CONTENT);
        let streamed = fixture::stream(&mut codec, Api::LmStudio, &items);
        assert!(codec.has_ended() && codec.is_call());
        for call in [whole, streamed] {
            assert_eq!(
                (call.usage.input, call.usage.output, call.usage.reasoning),
                (Some(3), Some(9), Some(4))
            );
            assert_eq!(call.response.id.as_deref(), Some("resp_1"));
            assert_eq!(
                call.response.messages[0].parts[..2],
                [Part::Reasoning("hm".into()), Part::Text("hi".into())]
            );
            assert_eq!(call.response.tool_calls[0].name, "t");
        }
        let mut other = LmStudio::new(BARE);
        fixture::response(&mut other, Api::LmStudio, 200, &json!({"reply": "x"}));
        assert!(!other.is_call(), "a web application's own path");
    }

    #[test]
    fn requests_and_failures() {
        let body = json!({"model": "m", "input": [{"type": "text", "content": "q"}], "system_prompt": "s", "max_output_tokens": 4});
        let call = fixture::request(&mut LmStudio::new(CONTENT), Api::LmStudio, &body);
        assert_eq!(call.request.messages, [said("user", "q")]);
        assert_eq!(call.request.max_tokens, Some(4));
        let failed = fixture::response(
            &mut LmStudio::new(BARE),
            Api::LmStudio,
            400,
            &json!({"error": {"type": "invalid_request", "message": "m"}}),
        );
        assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("invalid_request"));
    }

    proptest! {
        #[test]
        fn never_panics(bodies in prop::collection::vec(json_of(&["type", "output", "stats", "content", "message", "reasoning", "tool_call", "tool", "arguments", "chat.end", "result", "input", "model"]), 0..5), content: bool) {
            let mut codec = LmStudio::new(if content { CONTENT } else { BARE });
            let mut call = fixture::call(Api::LmStudio);
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
