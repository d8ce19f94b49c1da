//! OpenAI-style usage objects, in every dialect seen, to the conventions' meaning; and the cost that providers report.

use rust_decimal::Decimal;
use serde_json::Value;

use super::dialect::USAGE_PLACES;
use super::json::{as_decimal, at, u64_at};
use crate::call::Usage;

/// The usage object of a chat completion or of one of its chunks, wherever the server puts it.
pub(crate) fn find(body: &Value) -> Option<&Value> {
    let filled = |value: &&Value| value.as_object().is_some_and(|fields| !fields.is_empty());
    USAGE_PLACES.iter().find_map(|place| at(body, place).filter(filled)).or_else(|| {
        let choices = at(body, &["choices"])?.as_array()?;
        choices.iter().find_map(|choice| at(choice, &["usage"]).filter(filled))
    })
}

/// Which fact of an API changes the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Output contains reasoning, unless the total says otherwise.
    Standard,
    /// xAI chat completions: output never contains reasoning.
    ReasoningApart,
}

/// Reads `prompt_tokens` / `completion_tokens` (chat, embeddings) and `input_tokens` / `output_tokens` (Responses) alike.
/// `None` when it holds neither a count nor a cost.
pub(crate) fn openai(usage: &Value, dialect: Dialect) -> Option<Usage> {
    let first = |paths: &[&[&str]]| paths.iter().find_map(|path| u64_at(usage, path));
    // `prompt_token_details` without the s: Writer, Mistral.
    let input_detail = |key: &str| {
        ["prompt_tokens_details", "input_tokens_details", "prompt_token_details", "input_token_details"]
            .iter()
            .find_map(|details| u64_at(usage, &[details, key]))
    };
    let output_detail = |key: &str| {
        [
            "completion_tokens_details",
            "output_tokens_details",
            "completion_token_details",
            "output_token_details",
        ]
        .iter()
        .find_map(|details| u64_at(usage, &[details, key]))
    };
    let cached_detail = |key: &str| {
        ["prompt_tokens_details", "input_tokens_details", "input_token_details"]
            .iter()
            .find_map(|details| u64_at(usage, &[details, "cached_tokens_details", key]))
    };
    let total = u64_at(usage, &["total_tokens"]);
    let output = first(&[&["completion_tokens"], &["output_tokens"]]);
    let hit_and_miss =
        u64_at(usage, &["prompt_cache_hit_tokens"]).zip(u64_at(usage, &["prompt_cache_miss_tokens"]));
    let mut result = Usage {
        units: Vec::new(),
        billed_input: None,
        billed_output: None,
        input: first(&[&["prompt_tokens"], &["input_tokens"]])
            .or_else(|| hit_and_miss.map(|(hit, miss)| hit.saturating_add(miss)))
            // Voyage's embeddings report the total only.
            .or(if output.is_none() { total } else { None }),
        output,
        cache_read: input_detail("cached_tokens").or_else(|| {
            first(&[
                &["prompt_cache_hit_tokens"],
                &["cached_tokens"],
                &["num_cached_tokens"],
                &["cache_read_input_tokens"],
            ])
        }),
        cache_write: input_detail("cache_write_tokens")
            .or_else(|| input_detail("cache_creation_input_tokens"))
            .or_else(|| input_detail("cache_creation_tokens"))
            .or_else(|| first(&[&["cache_creation_input_tokens"], &["cache_write_tokens"]])),
        cache_write_5m: at(usage, &["prompt_tokens_details", "cache_creation"])
            .or_else(|| at(usage, &["cache_creation"]))
            .and_then(|split| u64_at(split, &["ephemeral_5m_input_tokens"])),
        cache_write_1h: at(usage, &["prompt_tokens_details", "cache_creation"])
            .or_else(|| at(usage, &["cache_creation"]))
            .and_then(|split| u64_at(split, &["ephemeral_1h_input_tokens"])),
        reasoning: output_detail("reasoning_tokens").or_else(|| u64_at(usage, &["reasoning_tokens"])),
        audio_input: input_detail("audio_tokens").or_else(|| u64_at(usage, &["audio_prompt_tokens"])),
        audio_output: output_detail("audio_tokens"),
        audio_cache_read: cached_detail("audio_tokens"),
        image_cache_read: cached_detail("image_tokens"),
        text_cache_read: cached_detail("text_tokens"),
        image_input: input_detail("image_tokens"),
        image_output: output_detail("image_tokens"),
        text_input: input_detail("text_tokens"),
        text_output: output_detail("text_tokens"),
        web_searches: first(&[
            &["server_tool_use_details", "web_search_requests"],
            &["server_tool_use", "web_search_requests"],
            &["web_search_usage", "tool_usage"],
            &["num_search_queries"],
        ]),
        provider_usd: cost(usage),
        corrected: None,
    };
    if !result.is_reported() && result.provider_usd.is_none() {
        return None;
    }
    add_reasoning(&mut result, total, dialect);
    settle(&mut result);
    Some(result)
}

/// Adds reasoning to the output where the server counts it apart. The reported total decides when it can, so that the same
/// server behind a gateway is understood; else what is known of the API.
fn add_reasoning(usage: &mut Usage, total: Option<u64>, dialect: Dialect) {
    let (Some(output), Some(reasoning)) = (usage.output, usage.reasoning.filter(|tokens| *tokens > 0)) else {
        return;
    };
    let input = usage.input.unwrap_or(0);
    let within = input.saturating_add(output);
    let apart = match total {
        Some(total) if total == within.saturating_add(reasoning) => true,
        Some(total) if total == within => false,
        _ => dialect == Dialect::ReasoningApart,
    };
    if apart {
        usage.output = Some(output.saturating_add(reasoning));
    }
}

/// Makes the numbers consistent: a subset is never larger than its whole (Azure-hosted Grok reports more cached than
/// input tokens, Vercel more reasoning than output). What was changed is said in `corrected`.
pub(crate) fn settle(usage: &mut Usage) {
    let mut words: Vec<String> = Vec::new();
    let mut clamp = |name: &str, part: &mut Option<u64>, whole_name: &str, whole: Option<u64>| {
        if let (Some(value), Some(whole)) = (*part, whole)
            && value > whole
        {
            words.push(format!("{name} {value} > {whole_name} {whole}"));
            *part = Some(whole);
        }
    };
    let (input, output) = (usage.input, usage.output);
    clamp("cache_read", &mut usage.cache_read, "input", input);
    let uncached = input.map(|input| input.saturating_sub(usage.cache_read.unwrap_or(0)));
    clamp("cache_write", &mut usage.cache_write, "input without cache_read", uncached);
    clamp("audio_input", &mut usage.audio_input, "input", input);
    clamp("image_input", &mut usage.image_input, "input", input);
    clamp("text_input", &mut usage.text_input, "input", input);
    clamp("reasoning", &mut usage.reasoning, "output", output);
    clamp("audio_output", &mut usage.audio_output, "output", output);
    clamp("image_output", &mut usage.image_output, "output", output);
    clamp("text_output", &mut usage.text_output, "output", output);
    let (cached, written) = (usage.cache_read, usage.cache_write);
    clamp("audio_cache_read", &mut usage.audio_cache_read, "cache_read", cached);
    clamp("image_cache_read", &mut usage.image_cache_read, "cache_read", cached);
    clamp("text_cache_read", &mut usage.text_cache_read, "cache_read", cached);
    clamp("cache_write_5m", &mut usage.cache_write_5m, "cache_write", written);
    clamp("cache_write_1h", &mut usage.cache_write_1h, "cache_write", written);
    if !words.is_empty() {
        let before = usage.corrected.take().map(|before| before + "; ").unwrap_or_default();
        usage.corrected = Some(before + &words.join("; "));
    }
}

/// The cost in US dollars that the provider itself put into its usage object: OpenRouter and Vercel `cost`, Perplexity
/// `cost.total_cost`, xAI `cost_in_usd_ticks` (a tick is 1e-10 dollars), the Pydantic gateway's estimate.
pub(crate) fn cost(usage: &Value) -> Option<Decimal> {
    let paths: [&[&str]; 4] =
        [&["cost", "total_cost"], &["cost"], &["pydantic_ai_gateway", "cost_estimate"], &["estimated_cost"]];
    let found = paths.iter().find_map(|path| at(usage, path).and_then(as_decimal));
    let ticks = || {
        let ticks = at(usage, &["cost_in_usd_ticks"]).and_then(as_decimal)?;
        ticks.checked_mul(Decimal::new(1, 10))
    };
    found.or_else(ticks).filter(|cost| !cost.is_sign_negative()).map(|cost| cost.normalize())
}

/// The cost in US dollars in a response header: LiteLLM's proxy sends one.
pub(crate) fn cost_of_headers(headers: &agent_wire::Headers) -> Option<Decimal> {
    let text = headers.get("x-litellm-response-cost")?.trim();
    let cost: Decimal = text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())?;
    (!cost.is_sign_negative()).then(|| cost.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn standard(usage: &Value) -> Usage {
        openai(usage, Dialect::Standard).unwrap()
    }

    #[test]
    fn chat_and_responses_names() {
        let chat = standard(&json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 3}}));
        assert_eq!(
            (chat.input, chat.output, chat.cache_read, chat.cache_write, chat.reasoning),
            (Some(10), Some(5), Some(4), Some(2), Some(3))
        );
        assert_eq!(chat.corrected, None);
        let responses = standard(
            &json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 15}),
        );
        assert_eq!(
            (responses.input, responses.output, responses.cache_read, responses.reasoning),
            (Some(10), Some(5), Some(4), Some(3))
        );
    }

    #[test]
    fn reasoning_counted_apart_is_added() {
        let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35, "completion_tokens_details": {"reasoning_tokens": 20}});
        assert_eq!(standard(&usage).output, Some(25));
        let no_total = json!({"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 20}});
        assert_eq!(openai(&no_total, Dialect::ReasoningApart).unwrap().output, Some(25));
    }

    #[test]
    fn subsets_larger_than_their_whole_are_cut_and_said() {
        let usage = standard(&json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 9}}));
        assert_eq!((usage.cache_read, usage.reasoning), (Some(10), Some(5)));
        assert_eq!(usage.corrected.as_deref(), Some("cache_read 64 > input 10; reasoning 9 > output 5"));
    }

    #[test]
    fn dialects() {
        assert_eq!(standard(&json!({"total_tokens": 7})).input, Some(7));
        assert_eq!(standard(&json!({"prompt_tokens": 7, "completion_tokens": 1, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 1})).cache_read, Some(6));
        assert_eq!(
            standard(&json!({"prompt_tokens": 7, "completion_tokens": 1, "cached_tokens": 3})).cache_read,
            Some(3)
        );
        assert_eq!(openai(&json!({}), Dialect::Standard), None);
        let groq = json!({"x_groq": {"usage": {"prompt_tokens": 1}}, "usage": null});
        assert_eq!(find(&groq), Some(&json!({"prompt_tokens": 1})));
        let moonshot = json!({"choices": [{"index": 0, "usage": {"prompt_tokens": 2}}]});
        assert_eq!(find(&moonshot), Some(&json!({"prompt_tokens": 2})));
    }

    #[test]
    fn costs() {
        assert_eq!(cost(&json!({"cost": 0.00014})), "0.00014".parse().ok());
        assert_eq!(cost(&json!({"cost": {"total_cost": 0.006, "currency": "USD"}})), "0.006".parse().ok());
        assert_eq!(cost(&json!({"cost_in_usd_ticks": 4_850_000})), "0.000485".parse().ok());
        assert_eq!(cost(&json!({"pydantic_ai_gateway": {"cost_estimate": 1e-7}})), "0.0000001".parse().ok());
        let headers = [("x-litellm-response-cost", "1.5e-06")].into_iter().collect();
        assert_eq!(cost_of_headers(&headers), "0.0000015".parse().ok());
    }
}
