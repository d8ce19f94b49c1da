//! Prices that depend on more than the model: tiers, regions, long inputs, kinds of tokens, fees, and units other than tokens.
//!
//! The expected sums are worked out by hand from the price lists in `data/`.

#![expect(clippy::unwrap_used, reason = "a broken test case shall stop the test")]

use agent_genai::PriceTable;
use agent_genai::call::{Api, Call, Operation, Unit, Usage, UsageUnits};
use agent_genai::record::{Cost, CostSource};
use agent_wire::Role;
use rust_decimal::Decimal;

/// 2026-11-24T12:00:00Z.
const NOW: u64 = 1_795_521_600_000_000_000;

fn call(api: Api, operation: Operation, provider: &str, model: &str, usage: Usage) -> Call {
    let mut call = Call::new(api, operation, Role::Client);
    call.provider = provider.to_owned();
    call.response.model = Some(model.to_owned());
    call.usage = usage;
    call.timing.start = NOW;
    call
}

fn chat(provider: &str, model: &str, usage: Usage) -> Call {
    call(Api::OpenAiChat, Operation::Chat, provider, model, usage)
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

fn counted(unit: Unit, quantity: &str) -> Usage {
    Usage { units: vec![UsageUnits { unit, quantity: quantity.parse().unwrap() }], ..Usage::default() }
}

fn usd(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

fn cost(call: &Call) -> Cost {
    PriceTable::embedded().cost(call)
}

const MILLION: u64 = 1_000_000;

#[test]
fn service_tiers_in_each_providers_words() {
    for (provider, model, tier, expected) in [
        ("openai", "gpt-5-mini", "flex", "0.125"),
        ("openai", "gpt-5-mini", "priority", "0.45"),
        ("openai", "gpt-4o", "batch", "1.25"),
        ("anthropic", "claude-3-haiku-20240307", "batch", "0.125"),
        ("gcp.gemini", "gemini-3.5-flash", "SERVICE_TIER_PRIORITY", "2.7"),
        ("gcp.vertex_ai", "gemini-3.5-flash", "ON_DEMAND_FLEX", "0.75"),
        ("gcp.vertex_ai", "gemini-3.5-flash", "ON_DEMAND", "1.5"),
        ("aws.bedrock", "amazon.nova-lite-v1:0", "default", "0.06"),
        ("groq", "openai/gpt-oss-120b", "flex", "0.15"),
        ("groq", "openai/gpt-oss-120b", "on_demand", "0.15"),
        ("groq", "openai/gpt-oss-120b", "batch", "0.075"),
        ("mistral_ai", "mistral-embed", "batch", "0.05"),
        ("azure.ai.openai", "gpt-4o-2024-08-06", "batch", "1.25"),
    ] {
        let mut call = chat(provider, model, tokens(MILLION, 0));
        call.response.service_tier = Some(tier.to_owned());
        // Below the bound of a long input.
        call.usage.input = Some(100_000);
        let tenth: Decimal = expected.parse::<Decimal>().unwrap() / Decimal::TEN;
        assert_eq!(cost(&call).usd, Some(tenth.normalize()), "{provider} {model} {tier}");
    }
    let mut provisioned = chat("gcp.vertex_ai", "gemini-3.5-flash", tokens(1, 1));
    provisioned.response.service_tier = Some("PROVISIONED_THROUGHPUT".to_owned());
    let unknown = cost(&provisioned);
    assert_eq!((unknown.usd, unknown.source), (None, CostSource::None));
    assert_eq!(unknown.lines.last().unwrap().item, "service_tier:provisioned_throughput");
}

#[test]
fn regions_that_cost_more() {
    let mut call = chat("openai", "gpt-5.4", tokens(100_000, 0));
    call.http.server_address = Some("api.openai.com".to_owned());
    assert_eq!(cost(&call).usd, usd("0.25"));
    call.http.server_address = Some("eu.api.openai.com".to_owned());
    assert_eq!(cost(&call).usd, usd("0.275"));
    call.response.service_tier = Some("priority".to_owned());
    assert_eq!(cost(&call).usd, usd("0.55"), "both at once");

    let mut call = chat("anthropic", "claude-opus-4-6", tokens(100_000, 0));
    assert_eq!(cost(&call).usd, usd("0.5"));
    call.response.region = Some("us".to_owned());
    assert_eq!(cost(&call).usd, usd("0.55"));
    call.response.region = Some("global".to_owned());
    assert_eq!(cost(&call).usd, usd("0.5"));

    for (model, expected) in [
        ("amazon.nova-lite-v1:0", "0.006"),
        ("us.amazon.nova-lite-v1:0", "0.006"),
        ("eu.amazon.nova-lite-v1:0", "0.0078"),
        ("arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.amazon.nova-lite-v1%3A0", "0.0078"),
        ("global.anthropic.claude-sonnet-4-6", "0.3"),
        ("us.anthropic.claude-sonnet-4-6", "0.33"),
    ] {
        let mut call = chat("aws.bedrock", model, tokens(100_000, 0));
        call.http.server_address = Some("bedrock-runtime.us-east-1.amazonaws.com".to_owned());
        assert_eq!(cost(&call).usd, usd(expected), "{model}");
    }

    let mut call = chat("gcp.vertex_ai", "claude-sonnet-4-6@default", tokens(100_000, 0));
    call.http.server_address = Some("aiplatform.googleapis.com".to_owned());
    assert_eq!(cost(&call).usd, usd("0.3"));
    call.http.server_address = Some("europe-west1-aiplatform.googleapis.com".to_owned());
    assert_eq!(cost(&call).usd, usd("0.33"));
}

#[test]
fn long_inputs_cached_and_written_tokens() {
    let short = chat("gcp.gemini", "gemini-2.5-pro", tokens(200_000, MILLION));
    let long = chat("gcp.gemini", "gemini-2.5-pro", tokens(200_001, MILLION));
    assert_eq!(cost(&short).usd, usd("10.25"));
    assert_eq!(cost(&long).usd, usd("15.5000025"));
    let usage = Usage {
        cache_read: Some(100_000),
        cache_write: Some(30_000),
        cache_write_5m: Some(10_000),
        cache_write_1h: Some(20_000),
        ..tokens(150_000, 0)
    };
    // 20,000 at 5, 100,000 at 0.5, 10,000 at 6.25, 20,000 at 10 USD per million.
    assert_eq!(cost(&chat("anthropic", "claude-opus-4-6", usage)).usd, usd("0.4125"));
}

#[test]
fn audio_and_image_tokens() {
    let audio = Usage { audio_input: Some(1_000), audio_output: Some(500), ..tokens(2_000, 600) };
    // gpt-audio: text 2.5 and 10, audio 32 and 64.
    assert_eq!(cost(&chat("openai", "gpt-audio-2025-08-28", audio)).usd, usd("0.0675"));
    let image = Usage { image_output: Some(1_290), ..tokens(10, 1_290) };
    // gemini-2.5-flash-image: text 0.3, images 30.
    assert_eq!(cost(&chat("gcp.gemini", "gemini-2.5-flash-image", image)).usd, usd("0.038703"));
}

#[test]
fn fees_for_requests_and_searches() {
    let mut sonar = chat("perplexity", "sonar", tokens(1_000, 1_000));
    for (size, expected) in [("low", "0.007"), ("medium", "0.01"), ("high", "0.014")] {
        sonar.response.search_context = Some(size.to_owned());
        assert_eq!(cost(&sonar).usd, usd(expected), "{size}");
    }
    // The fee of the request is for its searches.
    sonar.usage.web_searches = Some(3);
    assert_eq!(cost(&sonar).usd, usd("0.014"));

    let searches = Usage { web_searches: Some(3), ..tokens(0, 0) };
    assert_eq!(cost(&chat("anthropic", "claude-opus-4-6", searches.clone())).usd, usd("0.03"));
    assert_eq!(cost(&chat("openai", "gpt-5", searches.clone())).usd, usd("0.03"));
    let gemini =
        |model, searches| cost(&call(Api::Gemini, Operation::GenerateContent, "gcp.gemini", model, searches));
    let once = gemini("gemini-2.5-flash", searches.clone());
    assert_eq!((once.usd, once.lines.last().unwrap().item.as_str()), (usd("0.035"), "grounded_requests"));
    assert_eq!(gemini("gemini-3.5-flash", searches.clone()).usd, usd("0.042"));
    assert_eq!(cost(&chat("x_ai", "grok-4.3", searches.clone())).usd, usd("0.015"));
    let unknown = cost(&chat("deepseek", "deepseek-v4-pro", searches));
    assert_eq!((unknown.usd, unknown.source), (None, CostSource::None));
}

#[test]
fn reasoning_that_a_gateway_bills_but_does_not_report_whole() {
    let mut call = chat("vercel", "openai/gpt-5", tokens(19, 93));
    call.http.server_address = Some("ai-gateway.vercel.sh".to_owned());
    assert_eq!(cost(&call).usd, usd("0.00095375"));
    call.usage.reasoning = Some(64);
    let unknown = cost(&call);
    assert_eq!((unknown.usd, unknown.lines.last().unwrap().item.as_str()), (None, "reasoning_apart"));
    call.usage.provider_usd = usd("0.00159375");
    let theirs = cost(&call);
    assert_eq!((theirs.usd, theirs.source), (usd("0.00159375"), CostSource::Provider));
}

#[test]
fn units_other_than_tokens() {
    let other = |api, operation, provider, model, usage| cost(&call(api, operation, provider, model, usage));
    let rerank =
        other(Api::Rerank, Operation::Rerank, "cohere", "rerank-v3.5", counted(Unit::SearchUnit, "2"));
    assert_eq!((rerank.usd, rerank.source), (usd("0.004"), CostSource::Table));
    let audio = |model, usage| other(Api::Audio, Operation::GenerateContent, "openai", model, usage);
    // 0.36 USD an hour.
    assert_eq!(audio("whisper-1", counted(Unit::AudioSecond, "12.5")).usd, usd("0.00125"));
    assert_eq!(audio("tts-1", counted(Unit::Character, "1000")).usd, usd("0.015"));
    let pages = other(
        Api::Ocr,
        Operation::GenerateContent,
        "mistral_ai",
        "mistral-ocr-2512",
        counted(Unit::Page, "29"),
    );
    assert_eq!(pages.usd, usd("0.058"));
    let images = |provider, model| {
        other(Api::Images, Operation::GenerateContent, provider, model, counted(Unit::Image, "3"))
    };
    assert_eq!(images("x_ai", "grok-imagine-image").usd, usd("0.06"));
    assert_eq!(images("gcp.vertex_ai", "imagen-4.0-generate-001").usd, usd("0.12"));
    // No price for an image of unknown size: unknown, and listed.
    let unknown = images("openai", "dall-e-2");
    assert_eq!((unknown.usd, unknown.lines.len()), (None, 1));
    assert_eq!((unknown.lines[0].item.as_str(), unknown.lines[0].quantity), ("images", Decimal::from(3)));
    // Billed by tokens, of which none were reported.
    assert_eq!(images("openai", "gpt-image-1").usd, None);
    // Billed by tokens, which were: the images are no bill of their own.
    let mut both = counted(Unit::Image, "1");
    (both.input, both.output) = (Some(10), Some(272));
    let by_tokens = other(Api::Images, Operation::GenerateContent, "openai", "gpt-image-1", both);
    assert!(by_tokens.usd.is_some() && by_tokens.lines.iter().all(|line| line.item != "images"));
}

#[test]
fn a_model_of_the_fallback_table_says_so() {
    let table = PriceTable::embedded();
    let found = table.explain("snowflake", "claude-sonnet-4-6", NOW).unwrap();
    assert!(found.table.starts_with("litellm "), "{}", found.table);
    let found = table.explain("writer", "palmyra-x4", NOW).unwrap();
    assert!(found.from.unwrap().starts_with("Writer"));
}
