//! Cloudflare Workers AI: any model at `/ai/run/{model}`, the answer inside `result`.

use serde_json::Value;

use super::answers::Answers;
use super::completions::said;
use super::openai_chat::{OpenAiChat, request as chat_request};
use super::spec::{Make, Row, Spec};
use super::usage::{self, Dialect};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Operation, Unit, UsageUnits};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::certain("ai/run/{model..}", Operation::Chat)],
    response: |_, body| {
        let native = json::at(body, &["result"]).is_some() && json::bool_at(body, &["success"]).is_some();
        native.then_some(true)
    },
    thin_response: &[],
    ..Spec::new(
        Api::CloudflareRun,
        Operation::Chat,
        "cloudflare",
        Make::Codec(|options| Box::new(CloudflareRun::new(options))),
    )
};

/// Folds one exchange.
pub(crate) struct CloudflareRun {
    answers: Answers,
    chat: OpenAiChat,
    model: Option<String>,
}

impl CloudflareRun {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), chat: OpenAiChat::new(options), model: None }
    }

    /// What `result` and the items of a stream say alike.
    fn result(&mut self, result: &Value, call: &mut Call) {
        let standard = usage::find(result).and_then(|usage| usage::openai(usage, Dialect::Standard));
        if let Some(usage) = standard {
            call.usage = usage;
        }
        let tools = json::array_at(result, &["tool_calls"]);
        let said = json::at(result, &["response"]);
        if tools.is_empty() && said.is_none() && json::at(result, &["reasoning"]).is_none() {
            return;
        }
        let Some(mut slot) = self.answers.slot(0) else { return };
        match said {
            Some(Value::String(text)) => slot.text(Some(text)),
            // JSON mode: the answer is the value itself.
            Some(value) => slot.text(Some(&value.to_string())),
            None => {}
        }
        slot.reasoning(json::str_at(result, &["reasoning"]));
        for tool in tools {
            slot.tool(tool);
        }
        slot.finish_reason(result);
    }

    /// Vectors: `data` is a list of them, `shape` says how many and how long.
    fn vectors(result: &Value, call: &mut Call) {
        let data = json::array_at(result, &["data"]);
        let Some(first) = data.first().and_then(Value::as_array) else { return };
        call.operation = Operation::Embeddings;
        call.response.vector_count = Some(skim::array_len(data));
        call.response.vector_dimension = Some(skim::array_len(first)).filter(|length| *length > 0);
    }
}

impl Codec for CloudflareRun {
    fn begin(&mut self, facts: &RequestFacts<'_>, _call: &mut Call) {
        self.model = facts.model.map(str::to_owned);
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        chat_request::fold(body, self.answers.content(), call);
        call.request.model = self.model.take();
        let prompt = json::str_at(body, &["prompt"]);
        if json::at(body, &["messages"]).is_none() {
            if prompt.is_some() {
                call.operation = Operation::TextCompletion;
            } else if let Some(text) = json::at(body, &["text"]) {
                call.operation = Operation::Embeddings;
                call.request.input_count = Some(text.as_array().map_or(1, |texts| skim::array_len(texts)));
            }
        }
        if let (Some(text), true) = (prompt, self.answers.content()) {
            call.request.messages.push(said("user", text));
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        let result = json::at(body, &["result"]).unwrap_or(body);
        if json::at(result, &["choices"]).is_some() {
            self.chat.response(result, call);
            return;
        }
        self.result(result, call);
        Self::vectors(result, call);
        if json::at(result, &["image"]).is_some() {
            call.operation = Operation::GenerateContent;
            call.usage.units.push(UsageUnits { unit: Unit::Image, quantity: 1.into() });
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        if json::at(data, &["choices"]).is_some() {
            self.chat.event(event, data, call);
            return;
        }
        error::note_item(event, data, call);
        self.result(json::at(data, &["result"]).unwrap_or(data), call);
    }

    fn binary(&mut self, media_type: &str, _bytes: u64, call: &mut Call) {
        call.operation = Operation::GenerateContent;
        if media_type.starts_with("image/") {
            call.usage.units.push(UsageUnits { unit: Unit::Image, quantity: 1.into() });
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
        self.chat.finish(call);
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.chat.held_bytes()
    }
}

#[cfg(test)]
mod tests;
