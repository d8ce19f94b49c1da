//! OpenAI chat completions, and the servers that speak it, each with its own habits.

mod choice;
pub(super) mod parts;
pub(super) mod request;
mod tools;

pub(super) use self::choice::Choice;

use serde_json::Value;

use super::answers::Answers;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, dialect, error, json, usage};
use crate::call::{Api, Call, Operation};
use crate::recognise::shape;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("chat/completions", Operation::Chat),
        Row::certain("fim/completions", Operation::Chat),
        Row::likely("agents/completions", Operation::Chat),
        // Stored completions, and xAI's that are answered later.
        Row::likely("chat/completions/*", Operation::FetchResponse).by("GET"),
        Row::likely("chat/deferred-completion/*", Operation::FetchResponse).by("GET"),
        // Stored prompts (Portkey): the answer is a chat completion.
        Row::certain("prompts/*/completions", Operation::Chat),
        Row::certain("v1/chat", Operation::Chat).at("api.writer.com"),
        // Databricks.
        Row::likely("serving-endpoints/{model}/invocations", Operation::Chat),
        // Partners' models at Vertex, and models that are served at an endpoint of one's own.
        Row::likely("publishers/*/models/{model}:rawPredict", Operation::Chat),
        Row::likely("publishers/*/models/{model}:streamRawPredict", Operation::Chat),
        Row::likely("endpoints/{model}:rawPredict", Operation::Chat),
        Row::likely("endpoints/{model}:streamRawPredict", Operation::Chat),
        // Snowflake.
        Row::certain("api/v2/cortex/inference:complete", Operation::Chat),
    ],
    request: |body| {
        let has = |key: &str| json::at(body, &[key]).is_some();
        has("messages") || has("model") && !has("input") && !has("prompt")
    },
    response: |event, body| shape::response(event, body).map(|api| api == Api::OpenAiChat),
    ..Spec::new(
        Api::OpenAiChat,
        Operation::Chat,
        "openai",
        Make::Codec(|options| Box::new(OpenAiChat::new(options))),
    )
};

/// Folds one exchange of the chat completions API.
pub(crate) struct OpenAiChat {
    answers: Answers,
    endless: bool,
}

impl OpenAiChat {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), endless: false }
    }

    /// What whole answers and chunks say alike.
    pub(super) fn common(&mut self, body: &Value, call: &mut Call) {
        let response = &mut call.response;
        // Azure's first chunk has an empty model; the first real value stays, as aliases do not change under way.
        fill(&mut response.id, json::str_at(body, &["id"]));
        fill(&mut response.model, json::str_at(body, &["model"]));
        set(&mut response.system_fingerprint, json::str_at(body, &["system_fingerprint"]));
        set(&mut response.service_tier, json::str_at(body, &["service_tier"]));
        set(&mut response.search_context, json::str_at(body, &["usage", "search_context_size"]));
        let counting = dialect::of(&call.provider).counting;
        // The last one wins: it is cumulative wherever it comes more than once.
        if let Some(usage) = usage::find(body).and_then(|usage| usage::openai(usage, counting)) {
            call.usage = usage;
        }
    }

    /// The answers so far.
    pub(super) fn answers(&mut self) -> &mut Answers {
        &mut self.answers
    }

    /// One choice. Perplexity sends the cumulative message beside the delta; only servers without deltas are read by message.
    fn choice(&mut self, item: &Value, position: usize, first: &str, second: &str) {
        let index = json::u64_at(item, &["index"]).unwrap_or(position as u64);
        let Some(mut slot) = self.answers.slot(index) else { return };
        slot.finish_reason(item);
        match json::at(item, &[first]).or_else(|| json::at(item, &[second])) {
            Some(message) => slot.message(message),
            // A choice without a message: `text` stands in its place.
            None => slot.text(json::str_at(item, &["text"])),
        }
    }
}

impl Codec for OpenAiChat {
    fn begin(&mut self, facts: &RequestFacts<'_>, _call: &mut Call) {
        self.endless = facts.row.is_some_and(|row| dialect::ENDLESS.contains(&row.path));
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.answers.content(), call);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.common(body, call);
        error::note("", body, call);
        for (position, item) in json::array_at(body, &["choices"]).iter().enumerate() {
            self.choice(item, position, "message", "delta");
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.common(data, call);
        error::note_item(event, data, call);
        for (position, item) in json::array_at(data, &["choices"]).iter().enumerate() {
            self.choice(item, position, "delta", "message");
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.endless
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}

fn set(field: &mut Option<String>, value: Option<&str>) {
    if let Some(value) = value {
        *field = Some(value.to_owned());
    }
}

fn fill(field: &mut Option<String>, value: Option<&str>) {
    if field.is_none() {
        set(field, value);
    }
}

#[cfg(test)]
mod tests;
