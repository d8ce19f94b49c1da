//! Prices: agreement with genai-prices over cases of our own making, overrides, and what is unknown.

#![expect(clippy::unwrap_used, reason = "a broken test case shall stop the test")]

use agent_genai::call::{Api, Call, Completeness, Http, Operation, Request, Response, Timing, Usage};
use agent_genai::record::{Cost, CostSource};
use agent_genai::{PriceError, PriceTable};
use agent_wire::Role;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// 2026-11-23T12:00:00Z.
const NOW: u64 = 1_795_435_200_000_000_000;

fn call(provider: &str, model: &str, usage: Usage) -> Call {
    Call {
        api: Api::OpenAiChat,
        operation: Operation::Chat,
        provider: provider.to_owned(),
        role: Role::Client,
        request: Request::default(),
        response: Response { model: Some(model.to_owned()), ..Response::default() },
        usage,
        error: None,
        http: Http::default(),
        timing: Timing { start: NOW, ..Timing::default() },
        completeness: Completeness::default(),
        part: 0,
        fetched_usage: None,
        retrieval: None,
        rpc: None,
    }
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input: Some(input), output: Some(output), ..Usage::default() }
}

fn usd(text: &str) -> Option<Decimal> {
    Some(text.parse().unwrap())
}

fn items(cost: &Cost) -> Vec<(&str, u64, Option<Decimal>)> {
    let whole = |quantity: Decimal| u64::try_from(quantity).unwrap();
    cost.lines.iter().map(|line| (line.item.as_str(), whole(line.quantity), line.usd)).collect()
}

#[test]
fn agrees_with_genai_prices_exactly() {
    let file: Value = serde_json::from_str(include_str!("data/price_cases.json")).unwrap();
    let table = PriceTable::embedded();
    assert!(
        table.version().starts_with(file["source"].as_str().unwrap()),
        "snapshot and cases are of two versions"
    );
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 200);
    let mut wrong = Vec::new();
    for case in cases {
        let count = |name: &str| case["usage"].get(name).map(|n| n.as_u64().unwrap());
        let usage = Usage {
            input: count("input"),
            output: count("output"),
            cache_read: count("cache_read"),
            cache_write: count("cache_write"),
            cache_write_5m: count("cache_write_5m"),
            cache_write_1h: count("cache_write_1h"),
            reasoning: count("reasoning"),
            audio_input: count("audio_input"),
            audio_output: count("audio_output"),
            audio_cache_read: count("audio_cache_read"),
            image_input: count("image_input"),
            image_output: count("image_output"),
            web_searches: count("web_searches"),
            ..Usage::default()
        };
        let mut call = call(case["provider"].as_str().unwrap(), case["model"].as_str().unwrap(), usage);
        call.timing.start = case["at"].as_u64().unwrap() * 1_000_000_000;
        call.response.service_tier = case.get("tier").map(|tier| tier.as_str().unwrap().to_owned());
        let cost = table.cost(&call);
        let sum: Option<Decimal> = cost.lines.iter().map(|line| line.usd).sum();
        if cost.usd != usd(case["usd"].as_str().unwrap())
            || cost.usd != sum
            || cost.source != CostSource::Table
        {
            wrong.push(format!("{case} gives {cost:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn subsets_are_taken_out_of_their_wholes() {
    let usage = Usage { cache_read: Some(600), reasoning: Some(40), ..tokens(1000, 100) };
    let cost = PriceTable::embedded().cost(&call("openai", "gpt-4o", usage));
    assert_eq!(
        items(&cost),
        [("input", 400, usd("0.001")), ("cache_read", 600, usd("0.00075")), ("output", 100, usd("0.001"))]
    );
    assert_eq!((cost.usd, cost.source), (usd("0.00275"), CostSource::Table));
}

#[test]
fn an_unknown_model_is_unknown_and_not_free() {
    let cost = PriceTable::embedded().cost(&call("openai", "no-such-model", tokens(10, 20)));
    assert_eq!((cost.usd, cost.source), (None, CostSource::None));
    assert_eq!(items(&cost), [("input", 10, None), ("output", 20, None)]);
}

#[test]
fn without_usage_there_is_no_cost() {
    let cost = PriceTable::embedded().cost(&call("openai", "gpt-4o", Usage::default()));
    assert_eq!(cost, Cost { usd: None, source: CostSource::None, provider_usd: None, lines: Vec::new() });
}

#[test]
fn half_a_usage_is_not_taken_for_the_whole() {
    let table = PriceTable::embedded();
    let half = Usage { input: Some(10), ..Usage::default() };
    assert_eq!(table.cost(&call("openai", "gpt-4o", half.clone())).usd, None);
    let mut embeddings = call("openai", "text-embedding-3-small", half);
    embeddings.operation = Operation::Embeddings;
    assert_eq!(table.cost(&embeddings).usd, usd("0.0000002"));
}

#[test]
fn what_the_provider_reports_stands_beside_and_counts_when_there_is_no_price() {
    let table = PriceTable::embedded();
    let usage = Usage { provider_usd: usd("0.5"), ..tokens(1_000_000, 0) };
    let known = table.cost(&call("openai", "gpt-4o", usage.clone()));
    assert_eq!((known.usd, known.source, known.provider_usd), (usd("2.5"), CostSource::Table, usd("0.5")));
    let unknown = table.cost(&call("openai", "no-such-model", usage.clone()));
    assert_eq!((unknown.usd, unknown.source), (usd("0.5"), CostSource::Provider));
    let own = table
        .with_override_value(&json!({"models": [{"match": "gpt-*", "prices": {"input": "7", "output": 1}}]}))
        .unwrap()
        .cost(&call("openai", "gpt-4o", usage));
    assert_eq!((own.usd, own.source, own.provider_usd), (usd("7"), CostSource::Override, usd("0.5")));
}

#[test]
fn a_search_without_a_known_price_leaves_the_sum_unknown() {
    let usage = Usage { web_searches: Some(2), ..tokens(10, 10) };
    let table = PriceTable::embedded();
    let cost = table.cost(&call("openai", "gpt-3.5-turbo", usage.clone()));
    assert_eq!((cost.usd, cost.source), (None, CostSource::None));
    assert_eq!(cost.lines.last().map(|line| (line.item.as_str(), line.usd)), Some(("web_searches", None)));
    assert!(cost.lines[0].usd.is_some());
    assert_eq!(table.cost(&call("openai", "gpt-4o", usage)).usd, usd("0.020125"));
}

#[test]
fn a_tier_without_known_prices_is_unpriced_and_says_so() {
    let table = PriceTable::embedded();
    let mut flex = call("openai", "gpt-5-mini", tokens(1_000_000, 0));
    flex.response.service_tier = Some("flex".to_owned());
    assert_eq!(table.cost(&flex).usd, usd("0.125"));
    // Before the first date for which the source knows flex prices.
    flex.timing.start = 1_760_000_000_000_000_000;
    let early = table.cost(&flex);
    assert_eq!((early.usd, early.source), (None, CostSource::None));
    assert_eq!(early.lines.last().map(|line| line.item.as_str()), Some("service_tier:flex"));
    // Asked for, but served as usual.
    flex.response.service_tier = Some("default".to_owned());
    flex.request.service_tier = Some("flex".to_owned());
    assert_eq!(table.cost(&flex).usd, usd("0.25"));
    // Anthropic's speed is not a tier of the response.
    let mut fast = call("anthropic", "claude-opus-5", tokens(1_000_000, 0));
    fast.response.service_tier = Some("standard".to_owned());
    assert_eq!(table.cost(&fast).usd, usd("5"));
    fast.request.speed = Some("fast".to_owned());
    assert_eq!(table.cost(&fast).usd, usd("10"));
    // A tier's price holds for its own provider only.
    let mut lent = call("azure.ai.openai", "gpt-5.5", tokens(1_000, 0));
    assert!(table.cost(&lent).usd.is_some());
    lent.response.service_tier = Some("fast".to_owned());
    assert_eq!(table.cost(&lent).usd, None);
    // The fallback table has some of Azure's own.
    lent.response.service_tier = Some("priority".to_owned());
    assert_eq!(table.cost(&lent).usd, usd("0.01"));
}

#[test]
fn a_replay_without_times_is_priced_as_of_the_snapshot() {
    let table = PriceTable::embedded();
    let call = call("openai", "gpt-5.6-sol", tokens(1_000_000, 0));
    assert_eq!(table.cost_at(&call, 0), table.cost_at(&call, NOW));
    assert_ne!(table.cost_at(&call, 1_780_000_000_000_000_000).usd, table.cost_at(&call, NOW).usd);
}

#[test]
fn overrides_are_tried_in_order_and_can_be_restricted() {
    let table = PriceTable::embedded()
        .with_override_value(&json!({"models": [
            {"match": ["llama-*", "mistral-##b"], "host": "llm.corp.example", "prices": {"input": 1, "output": 2}},
            {"match": "gpt-4o", "provider": "azure", "prices": {"input": 3, "output": 3, "requests": 10}},
            {"match": "dated", "prices": [
                {"prices": {"input": 1, "output": 1}}, {"from": "2026-01-01", "prices": {"input": 2, "output": 2}}]},
            {"match": "long", "prices": {"input": {"base": 1, "tiers": [{"above": 10, "price": 5}]}, "output": 0}},
        ]}))
        .unwrap();
    let mut llama = call("vllm", "Llama-3", tokens(1_000_000, 1_000_000));
    assert_eq!(table.cost(&llama).usd, None);
    llama.http.server_address = Some("LLM.corp.example".to_owned());
    assert_eq!((table.cost(&llama).usd, table.cost(&llama).source), (usd("3"), CostSource::Override));
    let azure = table.cost(&call("azure.ai.openai", "gpt-4o", tokens(1_000_000, 0)));
    assert_eq!((azure.usd, azure.source), (usd("3.01"), CostSource::Override));
    assert_eq!(table.cost(&call("openai", "gpt-4o", tokens(1_000_000, 0))).source, CostSource::Table);
    assert_eq!(table.cost(&call("any", "dated", tokens(1_000_000, 0))).usd, usd("2"));
    assert_eq!(table.cost(&call("any", "long", tokens(10, 0))).usd, usd("0.00001"));
    assert_eq!(table.cost(&call("any", "long", tokens(11, 0))).usd, usd("0.000055"));
}

#[test]
fn an_error_in_an_override_names_the_place_and_the_nearest_key() {
    let error = |value: Value| PriceTable::embedded().with_override_value(&value).unwrap_err();
    let text = |value: Value| error(value).to_string();
    assert_eq!(
        text(json!({"models": [{"match": "x", "prices": {"cache-reed": 1}}]})),
        "models[0].prices: unknown key `cache-reed`; did you mean `cache_read`?"
    );
    assert_eq!(
        text(json!({"model": []})),
        ": unknown key `model`; did you mean `models`?".replacen(": ", "the top level: ", 1)
    );
    assert!(matches!(
        error(json!({"models": [{"match": "x", "zzzzzzzz": 1, "prices": {}}]})),
        PriceError::UnknownKey { nearest: None, .. }
    ));
    assert_eq!(text(json!({"models": [{"match": "x"}]})), "models[0]: the key `prices` is missing");
    assert_eq!(
        text(json!({"models": [{"match": "x", "prices": {"input": -1}}]})),
        "models[0].prices.input: expected US dollars from 0 to 1000000, found \"-1\""
    );
    assert_eq!(
        text(json!({"models": [{"match": 5, "prices": {}}]})),
        "models[0].match[0]: expected a text that is not empty, found the number 5"
    );
    assert_eq!(
        text(json!({"models": [{"match": "x", "prices": [{"from": "soon", "prices": {}}]}]})),
        "models[0].prices[0].from: expected a date as 2026-10-31, found \"soon\""
    );
    assert!(matches!(PriceTable::embedded().with_override(b"models:"), Err(PriceError::Json(_))));
}

#[test]
fn the_override_in_the_documentation_is_valid() {
    let page = include_str!("../../docs/prices.md");
    let from = page.find("    {\"models\"").unwrap();
    let block: String = page[from..].lines().take_while(|line| line.starts_with("    ")).collect();
    let table = PriceTable::embedded().with_override(block.as_bytes()).unwrap();
    let cost = table.cost(&call("azure.ai.openai", "gpt-4o-2024-11-20", tokens(1_000_000, 0)));
    assert_eq!((cost.usd, cost.source), (usd("2.2"), CostSource::Override));
}

#[test]
fn explains_the_entry() {
    let table = PriceTable::embedded();
    let found = table.explain("openai", "gpt-4o-2024-08-06", NOW).unwrap();
    assert_eq!((found.source, found.provider.as_str(), found.model.as_str()), ("table", "openai", "gpt-4o"));
    assert_eq!(found.matched, "gpt-4o-2024-08-06");
    assert_eq!(found.prices[0].usd, Decimal::new(25, 1));
    assert!(found.variants.contains(&"service_tier=priority".to_owned()));
    assert_eq!(
        table.explain("api.anthropic.com", "claude-3-haiku-20240307", NOW).unwrap().provider,
        "anthropic"
    );
    assert_eq!(table.explain("openai", "no-such-model", NOW), None);
}
