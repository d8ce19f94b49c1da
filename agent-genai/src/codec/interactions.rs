//! Gemini's Interactions API: whole, streamed, and in the background with polling.

mod parts;
mod request;
mod steps;
#[cfg(test)]
mod tests;

use serde_json::{Value, json as value};

use self::steps::Steps;
use super::gemini::usage;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, CallError, Message, Operation, Usage};

const GEMINI: &str = "*generativelanguage.googleapis.com";
const VERTEX: &str = "*aiplatform*.googleapis.com";

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("interactions", Operation::Chat),
        Row::certain("interactions/*", Operation::FetchResponse).by("GET").at(GEMINI),
        Row::certain("interactions/*", Operation::FetchResponse).by("GET").at(VERTEX),
    ],
    request: |body| {
        let has = |key: &str| json::at(body, &[key]).is_some();
        has("input") && (has("model") || has("agent"))
    },
    response: |event, body| {
        let kind = json::str_at(body, &["event_type"]).unwrap_or(event);
        let ours = json::str_at(body, &["object"]) == Some("interaction")
            || kind.starts_with("interaction.")
            || kind.starts_with("step.");
        ours.then_some(true)
    },
    ..Spec::new(
        Api::Interactions,
        Operation::Chat,
        "gcp.gemini",
        Make::Codec(|options| Box::new(Interactions::new(options))),
    )
};

/// Folds one exchange of the Interactions API.
pub(crate) struct Interactions {
    options: CodecOptions,
    steps: Steps,
    fetch: bool,
    ended: bool,
}

impl Interactions {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, steps: Steps::new(options), fetch: false, ended: false }
    }

    /// An interaction object: whole, or the frame of a streamed one.
    fn object(&mut self, object: &Value, call: &mut Call) {
        let response = &mut call.response;
        set(&mut response.id, json::string_at(object, &["id"]));
        set(&mut response.model, json::string_at(object, &["model"]));
        set(&mut response.status, json::string_at(object, &["status"]));
        set(&mut response.service_tier, json::string_at(object, &["service_tier"]));
        if let Some(found) = json::at(object, &["usage"]).and_then(read_usage) {
            call.usage = found;
        }
        // The first form of the API had the contents of the answer where steps stand now.
        for key in ["steps", "outputs"] {
            let items = json::array_at(object, &[key]);
            if !items.is_empty() {
                self.steps.whole(items);
            }
        }
        let failure = json::array_at(object, &["errors"]).first().or_else(|| json::at(object, &["error"]));
        if let Some(failure) = failure.filter(|failure| failure.is_object()) {
            call.error = Some(error::from_body(&value!({"error": failure}), None));
        }
    }
}

impl Codec for Interactions {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.fetch = facts.row.is_some_and(|row| row.operation == Operation::FetchResponse);
        if self.fetch {
            let id = facts.head.path().trim_end_matches('/').rsplit('/').next();
            call.response.id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        }
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        if !self.fetch {
            request::fold(body, self.options.content, call);
            if call.request.agent.is_some() {
                call.operation = Operation::InvokeAgent;
            }
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(error::from_body(body, status));
            return;
        }
        self.object(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let kind = json::str_at(data, &["event_type"]).unwrap_or(event);
        match kind {
            "interaction.created"
            | "interaction.start"
            | "interaction.completed"
            | "interaction.complete" => {
                self.object(json::at(data, &["interaction"]).unwrap_or(data), call);
                self.ended |= kind.starts_with("interaction.complete");
            }
            "interaction.status_update" => {
                set(&mut call.response.id, json::string_at(data, &["interaction_id"]));
                set(&mut call.response.status, json::string_at(data, &["status"]));
                if let Some(found) = json::at(data, &["usage"]).and_then(read_usage) {
                    call.usage = found;
                }
            }
            "step.start" | "content.start" => {
                let step = json::at(data, &["step"]).or_else(|| json::at(data, &["content"]));
                self.steps.start(json::u64_at(data, &["index"]), step.unwrap_or(&Value::Null));
            }
            "step.delta" | "content.delta" => {
                if let Some(delta) = json::at(data, &["delta"]) {
                    self.steps.delta(json::u64_at(data, &["index"]), delta);
                }
                // Cumulative, as everywhere in this API.
                let places: [&[&str]; 3] =
                    [&["metadata", "total_usage"], &["metadata", "usage"], &["delta", "metadata", "usage"]];
                if let Some(found) =
                    places.iter().find_map(|place| json::at(data, place)).and_then(read_usage)
                {
                    call.usage = found;
                }
            }
            _ => {
                if let Some(failure) = error::in_item(kind, data) {
                    call.error = Some(failure);
                }
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        let output = self.steps.finish(call);
        let asks = output.calls.iter().any(|call| call.kind == "function_call");
        call.response.tool_calls = output.calls;
        call.response.finish_reasons = reason(call, asks).into_iter().collect();
        if !output.parts.is_empty() {
            call.response.messages = vec![Message {
                role: "assistant".to_owned(),
                parts: output.parts,
                name: None,
                finish_reason: call.response.finish_reasons.first().cloned(),
            }];
        }
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn held_bytes(&self) -> usize {
        self.steps.held_bytes()
    }
}

/// How the answer ended, in the words of the Responses API, which this one follows; nothing while it is under way.
fn reason(call: &mut Call, asks: bool) -> Option<String> {
    let status = call.response.status.as_deref();
    let word = match status {
        _ if call.error.is_some() => "error",
        Some("completed") if asks => "tool_calls",
        Some("completed") => "stop",
        Some("requires_action") => "tool_calls",
        Some("failed") => {
            call.error = Some(CallError { kind: "failed".to_owned(), message: String::new() });
            "error"
        }
        Some("in_progress" | "queued") | None => return None,
        Some(other) => other,
    };
    Some(word.to_owned())
}

/// The counts of this API are those of `generateContent` by other names.
fn read_usage(reported: &Value) -> Option<Usage> {
    let count = |key: &str| json::at(reported, &[key]).cloned().unwrap_or_default();
    let list = |key: &str| -> Value {
        let entries = json::array_at(reported, &[key]).iter();
        entries
            .map(|entry| value!({"modality": entry.get("modality"), "tokenCount": entry.get("tokens")}))
            .collect()
    };
    let mut found = usage::read(&value!({
        "promptTokenCount": count("total_input_tokens"),
        "toolUsePromptTokenCount": count("total_tool_use_tokens"),
        "candidatesTokenCount": count("total_output_tokens"),
        "thoughtsTokenCount": count("total_thought_tokens"),
        "cachedContentTokenCount": count("total_cached_tokens"),
        "totalTokenCount": count("total_tokens"),
        "promptTokensDetails": list("input_tokens_by_modality"),
        "toolUsePromptTokensDetails": list("tool_use_tokens_by_modality"),
        "candidatesTokensDetails": list("output_tokens_by_modality"),
        "cacheTokensDetails": list("cached_tokens_by_modality"),
    }))?;
    let searches = json::array_at(reported, &["grounding_tool_count"]).iter();
    found.web_searches = searches
        .filter(|tool| json::str_at(tool, &["type"]) == Some("google_search"))
        .find_map(|tool| json::u64_at(tool, &["count"]))
        .filter(|count| *count > 0);
    Some(found)
}

fn set(field: &mut Option<String>, value: Option<String>) {
    if value.is_some() {
        *field = value;
    }
}
