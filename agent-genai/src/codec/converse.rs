//! Bedrock Converse and ConverseStream; Nova's own bodies, which InvokeModel takes, are of the same shape.

mod blocks;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use agent_wire::ResponseHead;
use serde_json::Value;

use self::stream::Blocks;
use super::aws::{Counts, Told};
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Message, Operation};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("model/{model..}/converse", Operation::Chat),
        Row::certain("model/{model..}/converse-stream", Operation::Chat),
    ],
    request: |body| body.get("messages").is_some_and(Value::is_array),
    response: |event, body| (is_answer(body) || is_event(event, body)).then_some(true),
    sniff: Some(|body| {
        let settings = ["inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields"];
        body.get("messages").is_some_and(Value::is_array)
            && settings.iter().any(|key| json::at(body, &[key]).is_some())
    }),
    ..Spec::new(
        Api::BedrockConverse,
        Operation::Chat,
        "aws.bedrock",
        Make::Codec(|options| Box::new(Converse::new(options))),
    )
};

/// Event types of a streamed answer, each with a member that it always has.
const EVENTS: [(&str, &str); 6] = [
    ("messageStart", "role"),
    ("contentBlockStart", "start"),
    ("contentBlockDelta", "delta"),
    ("contentBlockStop", "contentBlockIndex"),
    ("messageStop", "stopReason"),
    ("metadata", "usage"),
];

/// Whether it is one of them.
pub(super) fn is_event(event: &str, data: &Value) -> bool {
    EVENTS.iter().any(|(name, member)| *name == event && json::at(data, &[member]).is_some())
}

/// Whether a body is a whole answer.
pub(super) fn is_answer(body: &Value) -> bool {
    json::at(body, &["output", "message"]).is_some() && json::at(body, &["stopReason"]).is_some()
}

/// Folds one exchange.
pub(crate) struct Converse {
    options: CodecOptions,
    blocks: Blocks,
    counts: Counts,
    told: Told,
    role: Option<String>,
    streamed: bool,
}

impl Converse {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            blocks: Blocks::new(options),
            counts: Counts::default(),
            told: Told::default(),
            role: None,
            streamed: false,
        }
    }

    /// What the whole answer and the last event of a stream say alike.
    fn outcome(&mut self, body: &Value, call: &mut Call) {
        if let Some(usage) = json::at(body, &["usage"]) {
            self.counts.update(Counts::of_usage(usage));
        }
        if let Some(tier) = json::string_at(body, &["serviceTier", "type"]) {
            call.response.service_tier = Some(tier);
        }
        // A prompt router says which of its models it chose.
        if let Some(model) = json::string_at(body, &["trace", "promptRouter", "invokedModelId"]) {
            call.response.model = Some(model);
        }
        if json::at(body, &["trace", "guardrail"]).is_some() {
            call.response.flagged.get_or_insert(false);
        }
    }

    fn store(&self, output: blocks::Output, call: &mut Call) {
        call.response.tool_calls = output.calls;
        if !output.parts.is_empty() {
            call.response.messages = vec![Message {
                role: self.role.clone().unwrap_or_else(|| "assistant".to_owned()),
                parts: output.parts,
                name: None,
                finish_reason: call.response.finish_reasons.first().cloned(),
            }];
        }
    }
}

impl Codec for Converse {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        call.request.model = facts.model.map(str::to_owned);
        call.request.stream = facts.row.is_some_and(|row| row.path.ends_with("-stream"));
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.options.content, call);
    }

    fn response_head(&mut self, head: &ResponseHead, _call: &mut Call) {
        self.told = Told::new(head);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
            return;
        }
        stop_reason(body, call);
        self.outcome(body, call);
        let message = json::at(body, &["output", "message"]).unwrap_or(&Value::Null);
        self.role = json::string_at(message, &["role"]);
        let output = blocks::output(json::array_at(message, &["content"]), self.options.content);
        self.store(output, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.streamed = true;
        match event {
            "messageStart" => self.role = json::string_at(data, &["role"]),
            "contentBlockStart" => {
                if let Some(start) = json::at(data, &["start"]) {
                    self.blocks.start(self.blocks.index_of(data), start);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = json::at(data, &["delta"]) {
                    self.blocks.delta(self.blocks.index_of(data), delta);
                }
            }
            "messageStop" => stop_reason(data, call),
            // It comes after the stop.
            "metadata" => self.outcome(data, call),
            _ => {
                if let Some(failure) = error::in_item(event, data) {
                    call.error = Some(failure);
                }
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        if self.streamed {
            let output = self.blocks.take(call);
            self.store(output, call);
        }
        self.counts.or(&self.told.counts);
        self.counts.settle_into(&mut call.usage);
        self.told.name_error(call);
    }

    fn held_bytes(&self) -> usize {
        self.blocks.held()
    }
}

fn stop_reason(holder: &Value, call: &mut Call) {
    if let Some(reason) = json::string_at(holder, &["stopReason"]) {
        if reason == "guardrail_intervened" {
            call.response.flagged = Some(true);
        }
        call.response.finish_reasons = vec![reason];
    }
}
