//! Anthropic Messages, at Anthropic itself and at every server that speaks its API.

mod blocks;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use serde_json::Value;

use self::stream::Blocks;
use self::usage::Counts;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, error, json};
use crate::call::{Api, Call, Message, Operation};
use crate::recognise::shape;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("messages", Operation::Chat),
        // At Vertex the model stands in the path.
        Row::certain("publishers/anthropic/models/{model}:rawPredict", Operation::Chat),
        Row::certain("publishers/anthropic/models/{model}:streamRawPredict", Operation::Chat),
    ],
    request: shape::is_anthropic_request,
    response: |event, body| shape::response(event, body).map(|api| api == Api::AnthropicMessages),
    ..Spec::new(
        Api::AnthropicMessages,
        Operation::Chat,
        "anthropic",
        Make::Codec(|options| Box::new(Anthropic::new(options))),
    )
};

/// Folds one exchange of the Messages API.
pub(crate) struct Anthropic {
    options: CodecOptions,
    /// Content blocks of a stream.
    blocks: Blocks,
    /// Usage as reported so far.
    counts: Counts,
    role: Option<String>,
    streamed: bool,
}

impl Anthropic {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, blocks: Blocks::new(options), counts: Counts::default(), role: None, streamed: false }
    }

    /// What a message object says beside its content.
    fn head(&mut self, message: &Value, call: &mut Call) {
        set(&mut call.response.id, json::string_at(message, &["id"]));
        set(&mut call.response.model, json::string_at(message, &["model"]));
        set(&mut self.role, json::string_at(message, &["role"]));
        stop_reason(message, call);
        self.usage(message, call);
    }

    fn usage(&mut self, holder: &Value, call: &mut Call) {
        if let Some(usage) = json::at(holder, &["usage"]) {
            self.counts.update(usage);
            set(&mut call.response.service_tier, json::string_at(usage, &["service_tier"]));
            set(&mut call.response.speed, json::string_at(usage, &["speed"]));
            set(&mut call.response.region, json::string_at(usage, &["inference_geo"]));
            // A fallback in mid-stream comes after the model was named; the pass that served the answer names its own.
            let served = json::array_at(usage, &["iterations"])
                .iter()
                .rfind(|pass| json::str_at(pass, &["type"]) == Some("fallback_message"));
            set(&mut call.response.model, served.and_then(|pass| json::string_at(pass, &["model"])));
        }
    }

    /// Stores the one output message and its calls.
    fn store(&mut self, output: blocks::Output, call: &mut Call) {
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

impl Codec for Anthropic {
    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.options.content, call);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let is_message = json::str_at(body, &["type"]) == Some("message")
            || body.get("content").is_some_and(Value::is_array);
        if !is_message {
            let status = call.http.status.filter(|status| *status >= 400);
            call.error = Some(error::from_body(body, status));
            // The header has it as a rule; a proxy may have dropped the header.
            if call.response.request_id.is_none() {
                call.response.request_id = json::string_at(body, &["request_id"]);
            }
            return;
        }
        self.head(body, call);
        let output = blocks::output(json::array_at(body, &["content"]), self.options.content);
        self.store(output, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.streamed = true;
        match json::str_at(data, &["type"]).unwrap_or(event) {
            "message_start" => {
                if let Some(message) = json::at(data, &["message"]) {
                    self.head(message, call);
                    // Empty as a rule; a server that knows its answer at once puts it here.
                    for (index, block) in (0..).zip(json::array_at(message, &["content"])) {
                        self.blocks.start(index, block);
                    }
                }
            }
            "content_block_start" => {
                if let Some(block) = json::at(data, &["content_block"]) {
                    self.blocks.start(self.blocks.next_index(data), block);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = json::at(data, &["delta"]) {
                    self.blocks.delta(self.blocks.index_of(data), delta);
                }
            }
            "message_delta" => {
                stop_reason(json::at(data, &["delta"]).unwrap_or(&Value::Null), call);
                self.usage(data, call);
            }
            kind => {
                if let Some(failure) = error::in_item(kind, data) {
                    call.error = Some(failure);
                    if call.response.finish_reasons.is_empty() {
                        call.response.finish_reasons = vec!["error".to_owned()];
                    }
                }
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        if self.streamed {
            let output = self.blocks.take(call);
            self.store(output, call);
        }
        self.counts.settle_into(&mut call.usage);
    }

    fn held_bytes(&self) -> usize {
        self.blocks.held()
    }
}

fn stop_reason(holder: &Value, call: &mut Call) {
    if let Some(reason) = json::string_at(holder, &["stop_reason"]) {
        call.response.finish_reasons = vec![reason];
    }
}

fn set(field: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *field = value;
    }
}
