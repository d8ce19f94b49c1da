//! OpenAI Responses, and the servers that speak it (Azure, xAI, DeepSeek, OpenRouter, Groq, Perplexity, vLLM).

mod items;
mod object;
mod parts;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::stream::Rebuilt;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, error, json};
use crate::call::{Api, Call, Operation};
use crate::recognise::shape;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("responses", Operation::Chat),
        Row::likely("responses/compact", Operation::Chat),
        Row::likely("responses/*/cancel", Operation::FetchResponse),
        Row { certain: true, ..Row::likely("responses/resp_*", Operation::FetchResponse).by("GET") },
        Row::likely("responses/*", Operation::FetchResponse).by("GET"),
    ],
    request: shape::is_responses_request,
    vague: true,
    response: |event, body| shape::response(event, body).map(|api| api == Api::OpenAiResponses),
    ..Spec::new(
        Api::OpenAiResponses,
        Operation::Chat,
        "openai",
        Make::Codec(|options| Box::new(Responses::new(options))),
    )
};

/// Folds one exchange of the Responses API.
pub(crate) struct Responses {
    options: CodecOptions,
    /// The output as the deltas tell it; needed when the stream is cut before its terminal event.
    rebuilt: Rebuilt,
    /// The whole answer was seen: a terminal event, or a body that is no stream.
    whole: bool,
    /// A streamed item was seen.
    streamed: bool,
}

impl Responses {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, rebuilt: Rebuilt::new(options), whole: false, streamed: false }
    }

    /// Takes the response object that ends the exchange.
    fn conclude(&mut self, object: &Value, call: &mut Call) {
        let items = json::array_at(object, &["output"]);
        // Some servers end a stream with an object that has no output: then the items seen before count.
        let output = if items.is_empty() && self.streamed {
            self.rebuilt.take(call)
        } else {
            self.rebuilt = Rebuilt::new(self.options);
            items::output(items, self.options.content)
        };
        object::usage(object, call);
        object::outcome(object, output.awaits_client, call);
        output.store(call);
        self.whole = true;
    }
}

impl Codec for Responses {
    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.options.content, call);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        if object::is_response(body) {
            object::head(body, call);
            self.conclude(body, call);
        } else {
            object::failure(body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.streamed = true;
        let kind = json::str_at(data, &["type"]).unwrap_or(event);
        if let Some(object) = data.get("response").filter(|object| object.is_object()) {
            object::head(object, call);
            if let Some(status) = object::terminal_status(kind) {
                call.response.status.get_or_insert_with(|| status.to_owned());
                self.conclude(object, call);
            }
        } else if kind.starts_with("response.") {
            // A failed hosted call may carry an error of its own; it does not end the response.
            if !self.whole {
                self.rebuilt.event(kind, data);
            }
        } else if let Some(failure) = error::in_item(kind, data) {
            object::stream_error(failure, call);
        }
    }

    fn finish(&mut self, call: &mut Call) {
        if self.streamed && !self.whole {
            self.rebuilt.take(call).store(call);
        }
    }

    fn held_bytes(&self) -> usize {
        self.rebuilt.held()
    }
}
