//! What providers say that their calls cost, against what our tables say.

use std::collections::BTreeMap;

use agent_genai::record::CostSource;
use agent_genai::{Call, PriceTable};
use jiff::fmt::rfc2822;
use rust_decimal::Decimal;

use super::{corpus, decode, files, load::Exchange};

/// Calls of one model of one provider whose cost both know.
#[derive(Default)]
struct Compared {
    calls: usize,
    agree: usize,
    ours: Decimal,
    theirs: Decimal,
}

/// Why some providers' sums are not ours: provider, part of the model's name, reason.
const REASONS: &[(&str, &str, &str)] = &[
    ("azure.ai.inference", "grok", "Azure hands on the maker's field with a 0 that is not its bill"),
    ("openrouter", "gemini-2.5-flash", "the user's own key (BYOK): OpenRouter itself asks nothing"),
    ("openrouter", "gpt-5.1-codex-mini", "a fee of 0.002 USD that the usage does not name"),
    ("openrouter", "gpt-5.6-sol", "at the maker's price before 2026-08-21; the recording has no date"),
    ("openrouter", "qwen3.5-35b-a3b", "the price of the route taken, which the answer does not name"),
    ("perplexity", "sonar", "some answers leave out what their tokens cost"),
];

/// When the answer was given, in nanoseconds since 1970 UTC; 0 when the recording does not say.
fn time(exchange: &Exchange) -> u64 {
    let date = exchange.response.as_ref().and_then(|(head, _)| head.headers.get("date"));
    let parsed = date.and_then(|date| rfc2822::parse(date).ok());
    parsed.and_then(|date| u64::try_from(date.timestamp().as_nanosecond()).ok()).unwrap_or(0)
}

fn within(ours: Decimal, theirs: Decimal) -> bool {
    (ours - theirs).abs() <= theirs.max(ours) * Decimal::new(2, 2)
}

/// Whether a rule says why they differ.
fn reason(provider: &str, model: &str) -> Option<&'static str> {
    REASONS.iter().find(|(of, part, _)| *of == provider && model.contains(part)).map(|(.., reason)| *reason)
}

#[test]
fn costs_that_providers_report_agree_with_ours() {
    let Some(folder) = corpus() else { return };
    let table = PriceTable::embedded();
    let mut all: BTreeMap<(String, String), Compared> = BTreeMap::new();
    let mut unpriced: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut details = Vec::new();
    for exchanges in files(&folder).values() {
        for exchange in exchanges {
            for call in decode(exchange, false) {
                let at = time(exchange);
                compare(&table, &call, at, &mut all, &mut unpriced, &mut details);
            }
        }
    }
    println!("| provider | model | calls | within 2 % | ours, USD | theirs, USD | |");
    println!("|---|---|---:|---:|---:|---:|---|");
    for ((provider, model), found) in &all {
        let reason = if found.agree < found.calls { reason(provider, model).unwrap_or("?") } else { "" };
        println!(
            "| {provider} | {model} | {} | {} | {} | {} | {reason} |",
            found.calls,
            found.agree,
            found.ours.normalize(),
            found.theirs.normalize()
        );
    }
    for ((provider, model), calls) in &unpriced {
        println!("| {provider} | {model} | {calls} | | unknown | | no price |");
    }
    let unexplained: Vec<_> =
        details.iter().filter(|(provider, model, _)| reason(provider, model).is_none()).collect();
    for (provider, model, words) in &details {
        println!("{provider} {model}: {words}");
    }
    let (calls, agree) = all.values().fold((0, 0), |sum, found| (sum.0 + found.calls, sum.1 + found.agree));
    println!(
        "{agree} of {calls} costs agree within 2 %, {} differ without a known reason",
        unexplained.len()
    );
    assert!(unexplained.len() * 20 <= calls, "{unexplained:#?}");
}

fn compare(
    table: &PriceTable,
    call: &Call,
    at: u64,
    all: &mut BTreeMap<(String, String), Compared>,
    unpriced: &mut BTreeMap<(String, String), usize>,
    details: &mut Vec<(String, String, String)>,
) {
    let Some(theirs) = call.usage.provider_usd else { return };
    let cost = table.cost_at(call, at);
    let model = [&call.response.model, &call.request.model].into_iter().flatten().next().cloned();
    let key = (call.provider.clone(), model.unwrap_or_default());
    let Some(ours) = cost.usd.filter(|_| cost.source == CostSource::Table) else {
        *unpriced.entry(key).or_default() += 1;
        return;
    };
    let found = all.entry(key.clone()).or_default();
    found.calls += 1;
    found.ours += ours;
    found.theirs += theirs;
    if within(ours, theirs) {
        found.agree += 1;
    } else {
        let lines: Vec<String> = cost
            .lines
            .iter()
            .map(|line| format!("{} {} = {:?}", line.item, line.quantity, line.usd))
            .collect();
        details.push((key.0, key.1, format!("ours {ours}, theirs {theirs}: {}", lines.join("; "))));
    }
}

#[test]
fn billable_calls_without_a_price_are_listed() {
    let Some(folder) = corpus() else { return };
    let table = PriceTable::embedded();
    let mut unpriced: BTreeMap<String, usize> = BTreeMap::new();
    let (mut billable, mut priced) = (0, 0);
    for exchange in files(&folder).values().flatten() {
        for call in decode(exchange, false) {
            if !call.usage.is_reported() && call.usage.units.is_empty() {
                continue;
            }
            billable += 1;
            let cost = table.cost_at(&call, time(exchange));
            if cost.usd.is_some() {
                priced += 1;
                continue;
            }
            let model = [&call.response.model, &call.request.model].into_iter().flatten().next();
            let model = model.map_or("", String::as_str);
            let missing = cost.lines.iter().filter(|line| line.usd.is_none()).map(|line| line.item.as_str());
            let why = match table.explain_call(&call) {
                Some(_) => format!("no price for {}", missing.collect::<Vec<_>>().join(", ")),
                None => table.why_unknown(&call.provider, model),
            };
            *unpriced.entry(format!("{} {model}: {why}", call.provider)).or_default() += 1;
        }
    }
    for (words, calls) in &unpriced {
        println!("{calls} {words}");
    }
    println!("{priced} of {billable} billable calls have a price");
    assert!(priced * 10 >= billable * 8, "{priced} of {billable}");
}
