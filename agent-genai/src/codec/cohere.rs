//! Cohere: chat in both versions, and the older generate, summarize and classify.
//!
//! No answer names its model. Counts come twice: `tokens`, everything that was read and written, and `billed_units`, what is paid for,
//! which is smaller by the preamble, the documents' wrapping and the reasoning. The call's usage takes `tokens`, so that cached tokens are
//! within the input as everywhere else; what is billed stands beside it and is what is priced. Where only billed units are told
//! (generate, embeddings), they are the usage.

pub(crate) mod chat;
pub(crate) mod chat_v1;
pub(crate) mod embed;
pub(crate) mod legacy;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{json, usage};
use crate::call::{Call, Unit, Usage, UsageUnits};

/// Hosts of Cohere itself.
const HOST: &str = "*cohere.*";

/// Settings that every text API of Cohere names alike.
fn settings(body: &Value, call: &mut Call) {
    let request = &mut call.request;
    request.model = json::string_at(body, &["model"]);
    request.stream = json::bool_at(body, &["stream"]).unwrap_or(false);
    request.temperature = json::f64_at(body, &["temperature"]);
    request.top_p = json::f64_at(body, &["p"]);
    request.top_k = json::i64_at(body, &["k"]);
    request.max_tokens = json::i64_at(body, &["max_tokens"]);
    request.frequency_penalty = json::f64_at(body, &["frequency_penalty"]);
    request.presence_penalty = json::f64_at(body, &["presence_penalty"]);
    request.seed = json::i64_at(body, &["seed"]);
    request.choice_count = json::i64_at(body, &["num_generations"]);
    request.stop = json::strings_at(body, &["stop_sequences"]);
    request.reasoning_budget = json::i64_at(body, &["thinking", "token_budget"]);
    request.output_type = match json::str_at(body, &["response_format", "type"]) {
        Some("json_object" | "json_schema") => Some("json".to_owned()),
        Some("text") => Some("text".to_owned()),
        _ => None,
    };
}

/// Reads `usage` (second version) or `meta` (first version, embeddings, rerank) into the call. Numbers are floats.
pub(in crate::codec) fn count(usage: &Value, call: &mut Call) {
    let tokens = |key: &str| json::u64_at(usage, &["tokens", key]);
    let billed = |key: &str| json::u64_at(usage, &["billed_units", key]);
    // The first answers of chat had `token_count`.
    let early = |key: &str| json::u64_at(usage, &["token_count", key]);
    let images = billed("image_tokens").filter(|tokens| *tokens > 0);
    let (billed_input, billed_output) = (billed("input_tokens"), billed("output_tokens"));
    let billed_total = match (billed_input, images) {
        (None, None) => None,
        (text, image) => Some(text.unwrap_or(0).saturating_add(image.unwrap_or(0))),
    };
    let mut found = Usage {
        input: tokens("input_tokens").or_else(|| early("prompt_tokens")),
        output: tokens("output_tokens").or_else(|| early("response_tokens")),
        cache_read: json::u64_at(usage, &["cached_tokens"]),
        reasoning: tokens("reasoning_tokens"),
        image_input: images,
        billed_input: billed_total,
        billed_output,
        ..Usage::default()
    };
    for (key, unit) in [("search_units", Unit::SearchUnit), ("images", Unit::ImageInput)] {
        let quantity = json::at(usage, &["billed_units", key]).and_then(json::as_decimal);
        found
            .units
            .extend(quantity.filter(|n| !n.is_zero()).map(|n| UsageUnits { unit, quantity: n.normalize() }));
    }
    usage::settle(&mut found);
    call.usage = found;
}

/// Billed units that were told alone are the usage itself.
pub(in crate::codec) fn billed_alone(call: &mut Call) {
    let usage = &mut call.usage;
    if usage.input.is_none() && usage.output.is_none() {
        usage.input = usage.billed_input.take();
        usage.output = usage.billed_output.take();
        usage::settle(usage);
    }
}

/// The same where the counts of tokens ordinarily stand behind the billed ones: only when nothing can be missing.
fn billed_alone_if_whole(call: &mut Call) {
    let seen = &call.completeness;
    if !seen.truncated && seen.lost_bytes == 0 && !seen.attached_mid_stream && seen.undecodable.is_none() {
        billed_alone(call);
    }
}
