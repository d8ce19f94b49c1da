//! `generateContent` and `streamGenerateContent`: the Gemini API, Vertex AI, and the Gemini CLI's service that wraps them.

mod candidate;
pub(super) mod names;
mod partial;
pub(super) mod parts;
#[cfg(test)]
mod paths;
mod request;
mod searches;
#[cfg(test)]
mod tests;
pub(super) mod usage;

use std::collections::BTreeMap;

use agent_wire::ResponseHead;
use serde_json::Value;

pub(super) use self::candidate::Candidate;
use self::names::{BLOCK, TRAFFIC};
pub(super) use self::request::settings;
pub(super) use self::searches::Searches;
use self::usage::Counts;
use super::content::Budget;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Operation};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("models/{model..}:generateContent", Operation::GenerateContent),
        Row::certain("models/{model..}:streamGenerateContent", Operation::GenerateContent),
        // Tuned models, endpoints, and whatever else a gateway calls them.
        Row::certain("{model}:generateContent", Operation::GenerateContent),
        Row::certain("{model}:streamGenerateContent", Operation::GenerateContent),
        Row::certain(WRAPPED[0], Operation::GenerateContent),
        Row::certain(WRAPPED[1], Operation::GenerateContent),
    ],
    request: |body| names::get(body, &["contents"]).is_some(),
    response: |_, body| is_answer(body).then_some(true),
    sniff: Some(|body| {
        let first = names::array(body, &["contents"]).first();
        first.is_some_and(|content| names::get(content, &["parts"]).is_some())
    }),
    ..Spec::new(
        Api::Gemini,
        Operation::GenerateContent,
        "gcp.gemini",
        Make::Codec(|options| Box::new(Gemini::new(options))),
    )
};

/// The Gemini CLI's service: the model and the real request are members of the body, the real answer one of the answer's.
const WRAPPED: [&str; 2] = ["v1internal:generateContent", "v1internal:streamGenerateContent"];

/// Most candidates followed; the API allows 8.
const MAX_CANDIDATES: usize = 32;

/// Folds one exchange of `generateContent`.
pub(crate) struct Gemini {
    options: CodecOptions,
    candidates: BTreeMap<u64, Candidate>,
    budget: Budget,
    counts: Counts,
    searches: Searches,
    /// Why the prompt was refused.
    blocked: Option<String>,
    /// Service tier by the response head.
    head_tier: Option<String>,
}

impl Gemini {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            candidates: BTreeMap::new(),
            budget: Budget::new(options.max_content),
            counts: Counts::default(),
            searches: Searches::default(),
            blocked: None,
            head_tier: None,
        }
    }

    /// A whole answer or one chunk of a streamed one.
    fn take(&mut self, item: &Value, call: &mut Call) {
        let answer = unwrapped(item, "response");
        let response = &mut call.response;
        set(&mut response.id, names::string(answer, &["responseId"]));
        set(&mut response.model, names::string(answer, &["modelVersion"]));
        if let Some(metadata) = names::get(answer, &["usageMetadata"]) {
            self.counts.take(metadata);
            set(&mut response.service_tier, tier(metadata));
        }
        let reason = names::get(answer, &["promptFeedback", "blockReason"]);
        set(&mut self.blocked, reason.and_then(|reason| names::word(reason, BLOCK)));
        for (position, candidate) in (0..).zip(json::array_at(answer, &["candidates"])) {
            // An index of 0 is left out; a gateway may leave out all of them.
            let index = names::count(candidate, &["index"]).unwrap_or(position);
            if self.candidates.len() >= MAX_CANDIDATES && !self.candidates.contains_key(&index) {
                continue;
            }
            let slot = self.candidates.entry(index).or_default();
            slot.take(candidate, self.options.content, &mut self.budget);
            if let Some(grounding) = names::get(candidate, &["groundingMetadata"]) {
                self.searches.take(grounding, &mut self.budget);
            }
        }
    }
}

impl Codec for Gemini {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        let path = facts.row.map_or("", |row| row.path);
        call.request.stream = path.contains("streamGenerateContent");
        if !WRAPPED.contains(&path) {
            call.request.model = facts.model.map(str::to_owned);
        }
        // Vertex takes the tier of a request in a header.
        let tier = facts.head.headers.get("x-vertex-ai-llm-shared-request-type");
        call.request.service_tier = tier.filter(|tier| tier.len() <= 64).map(str::to_owned);
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        if call.request.model.is_none() {
            let named = names::string(body, &["model"]);
            call.request.model = named.map(|model| model.trim_start_matches("models/").to_owned());
        }
        let inner = unwrapped(body, "request");
        request::fold(inner, self.options.content, call);
        call.request.conversation_id = names::string(inner, &["sessionId"]);
    }

    fn response_head(&mut self, head: &ResponseHead, _call: &mut Call) {
        self.head_tier = head.headers.get("x-gemini-service-tier").map(str::to_owned);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
            return;
        }
        // An array of chunks as one text.
        match body.as_array() {
            Some(items) => items.iter().for_each(|item| self.event("", item, call)),
            None => self.event("", body, call),
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        if let Some(failure) = error::in_item(event, data) {
            call.error = Some(failure);
        }
        self.take(data, call);
    }

    fn finish(&mut self, call: &mut Call) {
        let broken = call.error.is_some() || call.completeness.truncated;
        // The counts come last, so a cut may be between the reason and them.
        let seen = &call.completeness;
        let ended = !seen.truncated
            && seen.lost_bytes == 0
            && (self.blocked.is_some() || self.candidates.values().any(Candidate::has_ended));
        for candidate in std::mem::take(&mut self.candidates).into_values() {
            candidate.store(broken, self.options.content, call);
        }
        // A refused prompt has no candidates: why it was refused is how the call ended.
        if call.response.finish_reasons.is_empty() {
            call.response.finish_reasons.extend(self.blocked.take());
        }
        if let Some(usage) = std::mem::take(&mut self.counts).into_usage(ended) {
            call.usage = usage;
        }
        // The queries are listed, not counted: part of a list is no count.
        let whole = !call.completeness.truncated && call.completeness.lost_bytes == 0;
        call.usage.web_searches = std::mem::take(&mut self.searches).count().filter(|_| whole);
        if call.response.service_tier.is_none() {
            call.response.service_tier = self.head_tier.take();
        }
        if self.budget.exceeded() {
            call.completeness.body_capped = true;
        }
        self.budget = Budget::new(0);
    }

    fn held_bytes(&self) -> usize {
        self.budget.held() + self.candidates.len() * size_of::<Candidate>()
    }
}

/// The service tier that a `usageMetadata` tells: Gemini's own word, or Vertex's kind of traffic.
pub(super) fn tier(metadata: &Value) -> Option<String> {
    let traffic = || names::get(metadata, &["trafficType"]).and_then(|kind| names::word(kind, TRAFFIC));
    names::string(metadata, &["serviceTier"]).or_else(traffic)
}

/// The object that the Gemini CLI's service wraps, or the object itself.
fn unwrapped<'a>(value: &'a Value, member: &str) -> &'a Value {
    let own = ["contents", "candidates"].iter().any(|key| value.get(key).is_some());
    value.get(member).filter(|inner| inner.is_object() && !own).unwrap_or(value)
}

/// Members that only an answer of this API has.
fn is_answer(body: &Value) -> bool {
    let answer = unwrapped(body, "response");
    let has = |key: &str| names::get(answer, &[key]).is_some();
    answer.get("candidates").is_some_and(Value::is_array) && (has("usageMetadata") || has("modelVersion"))
        || has("promptFeedback")
        || has("usageMetadata") && has("modelVersion")
}

fn set(field: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *field = value;
    }
}
