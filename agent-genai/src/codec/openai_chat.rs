//! OpenAI chat completions, and the servers that speak it, each with its own habits.

mod choice;
mod parts;
mod request;
mod tools;

use std::collections::BTreeMap;

use serde_json::Value;

use self::choice::Choice;
use super::content::Budget;
use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, Operation};
use crate::recognise::shape;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("chat/completions", Operation::Chat),
        Row::certain("fim/completions", Operation::Chat),
        Row::likely("agents/completions", Operation::Chat),
    ],
    request: |body| json::at(body, &["messages"]).is_some() || json::at(body, &["model"]).is_some(),
    response: |event, body| shape::response(event, body).map(|api| api == Api::OpenAiChat),
    ..Spec::new(
        Api::OpenAiChat,
        Operation::Chat,
        "openai",
        Make::Codec(|options| Box::new(OpenAiChat::new(options))),
    )
};

/// Most choices followed; the API allows 128.
const MAX_CHOICES: usize = 128;

/// Folds one exchange of the chat completions API.
pub(crate) struct OpenAiChat {
    options: CodecOptions,
    choices: BTreeMap<u64, Choice>,
    budget: Budget,
}

impl OpenAiChat {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, choices: BTreeMap::new(), budget: Budget::new(options.max_content) }
    }

    /// What whole answers and chunks say alike.
    fn common(&mut self, body: &Value, call: &mut Call) {
        let response = &mut call.response;
        // Azure's first chunk has an empty model; the first real value stays, as aliases do not change under way.
        fill(&mut response.id, json::str_at(body, &["id"]));
        fill(&mut response.model, json::str_at(body, &["model"]));
        set(&mut response.system_fingerprint, json::str_at(body, &["system_fingerprint"]));
        set(&mut response.service_tier, json::str_at(body, &["service_tier"]));
        let dialect = if call.provider == "x_ai" { Dialect::ReasoningApart } else { Dialect::Standard };
        // The last one wins: it is cumulative wherever it comes more than once.
        if let Some(usage) = usage::find(body).and_then(|usage| usage::openai(usage, dialect)) {
            call.usage = usage;
        }
    }

    fn choice(&mut self, choice: &Value, position: usize) -> Option<&mut Choice> {
        let index = json::u64_at(choice, &["index"]).unwrap_or(position as u64);
        if self.choices.len() >= MAX_CHOICES && !self.choices.contains_key(&index) {
            return None;
        }
        Some(self.choices.entry(index).or_default())
    }
}

impl Codec for OpenAiChat {
    fn request(&mut self, body: &Value, call: &mut Call) {
        request::fold(body, self.options.content, call);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.common(body, call);
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
        } else if let Some(failure) = error::in_item("", body) {
            call.error = Some(failure);
        }
        let content = self.options.content;
        for (position, item) in json::array_at(body, &["choices"]).iter().enumerate() {
            let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
            if let Some(choice) = self.choice(item, position) {
                choice.finish_reason(item);
                match json::at(item, &["message"]).or_else(|| json::at(item, &["delta"])) {
                    Some(message) => choice.fold(message, content, &mut budget),
                    None => choice.bare_text(item, content, &mut budget),
                }
            }
            self.budget = budget;
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.common(data, call);
        if let Some(failure) = error::in_item(event, data) {
            call.error = Some(failure);
        }
        let content = self.options.content;
        for (position, item) in json::array_at(data, &["choices"]).iter().enumerate() {
            let mut budget = std::mem::replace(&mut self.budget, Budget::new(0));
            if let Some(choice) = self.choice(item, position) {
                choice.finish_reason(item);
                // Perplexity sends the cumulative message beside the delta; only servers without deltas are read by message.
                match json::at(item, &["delta"]) {
                    Some(delta) => choice.fold(delta, content, &mut budget),
                    None => match json::at(item, &["message"]) {
                        Some(message) => choice.fold(message, content, &mut budget),
                        None => choice.bare_text(item, content, &mut budget),
                    },
                }
            }
            self.budget = budget;
        }
    }

    fn finish(&mut self, call: &mut Call) {
        let broken = call.error.is_some() || call.completeness.truncated;
        for choice in std::mem::take(&mut self.choices).into_values() {
            choice.store(broken, self.options.content, call);
        }
        if self.budget.exceeded() {
            call.completeness.body_capped = true;
        }
    }

    fn held_bytes(&self) -> usize {
        self.budget.held() + self.choices.len() * size_of::<Choice>()
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
