//! How many of the models in the recorded traffic have a price.

#![expect(
    clippy::indexing_slicing,
    reason = "JSON values index to null, and a broken file shall stop the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use agent_genai::PriceTable;
use agent_genai::call::{Api, Call, Completeness, Http, Operation, Request, Response, Timing, Usage};
use agent_wire::Role;
use base64::Engine;
use serde_json::Value;

/// The first `"model": "…"` of a body: enough for JSON and for every streamed form.
fn model(body: &str) -> Option<String> {
    let after = body.split_once("\"model\"")?.1.trim_start().strip_prefix(':')?.trim_start();
    Some(after.strip_prefix('"')?.split('"').next()?.to_owned()).filter(|model| !model.is_empty())
}

fn body(message: &Value) -> String {
    let text = message["body_b64"].as_str().unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn header(message: &Value, name: &str) -> Option<String> {
    let fields = message["headers"].as_object()?;
    let (_, values) = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
    values[0].as_str().map(str::to_owned)
}

fn call(api: Api, exchange: &Value, path_model: fn(&str) -> Option<String>) -> Option<Call> {
    let url = exchange["request"]["url"].as_str()?;
    let (host, path) = url.split_once("://")?.1.split_once('/')?;
    // A price is looked for as a call to that host would have it; nothing else names the provider here.
    let provider = match api {
        Api::AnthropicMessages => "anthropic",
        _ => "openai",
    };
    let path = format!("/{}", path.split('?').next()?);
    let request = model(&body(&exchange["request"])).or_else(|| path_model(&path));
    let response = model(&body(&exchange["response"]));
    if request.is_none() && response.is_none() {
        return None;
    }
    Some(Call {
        api,
        operation: Operation::Chat,
        provider: provider.to_owned(),
        role: Role::Client,
        request: Request { model: request, ..Request::default() },
        response: Response {
            model: response,
            upstream: header(&exchange["response"], "x-inference-provider"),
            ..Response::default()
        },
        usage: Usage { input: Some(1000), output: Some(100), ..Usage::default() },
        error: None,
        http: Http { server_address: Some(host.split(':').next()?.to_owned()), path, ..Http::default() },
        timing: Timing::default(),
        completeness: Completeness::default(),
        part: 0,
        fetched_usage: None,
        retrieval: None,
        rpc: None,
    })
}

#[test]
fn recorded_models_have_prices() {
    let Some(corpus) = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from) else {
        println!("skipped: WIRESPAN_CORPUS is not set to the folder of recorded traffic");
        return;
    };
    let table = PriceTable::embedded();
    let mut by_file: BTreeMap<String, (usize, usize, BTreeSet<String>)> = BTreeMap::new();
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let api = match name.split_once('.').map(|(_, api)| api) {
            Some("chat.completions.jsonl") => Api::OpenAiChat,
            Some("responses.jsonl") => Api::OpenAiResponses,
            Some("embeddings.jsonl") => Api::OpenAiEmbeddings,
            Some("messages.jsonl") => Api::AnthropicMessages,
            _ => continue,
        };
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let exchange: Value = serde_json::from_str(line).unwrap();
            if exchange["response"]["status"].as_u64().is_none_or(|status| status >= 300) {
                continue;
            }
            let Some(call) = call(api, &exchange, |_| None) else { continue };
            let (all, priced, unknown) = by_file.entry(name.clone()).or_default();
            *all += 1;
            if table.cost(&call).usd.is_some() {
                *priced += 1;
            } else {
                unknown.insert(call.response.model.or(call.request.model).unwrap_or_default());
            }
        }
    }
    let (mut all, mut priced) = (0, 0);
    for (name, (of, with, unknown)) in &by_file {
        println!("{name}: {with} of {of} priced; without: {unknown:?}");
        all += of;
        priced += with;
    }
    println!("{priced} of {all} recorded calls have a price");
    for name in ["openai.chat.completions.jsonl", "openai.responses.jsonl", "anthropic.messages.jsonl"] {
        let (of, with, unknown) = by_file.get(name).unwrap();
        assert!(with * 100 >= of * 95, "{name}: {with} of {of}; without a price: {unknown:?}");
    }
}

/// Files that hold no calls of models, by the end of their names.
const OTHER: &[&str] = &[
    "a2a",
    "mcp",
    "models",
    "files",
    "batches",
    "vectordb",
    "vector_stores",
    "weaviate",
    "cachedContents",
    "count_tokens",
    "countTokens",
    "bedrock-count-tokens",
    "bedrock-guardrail",
    "bedrock-agent",
    "ollama.other",
    "assistants",
    "responses-other",
    "sagemaker.invoke",
    "negative",
    "realtime-ws",
];

/// The model that the path of a request names, as a decoder would read it.
fn path_model(path: &str) -> Option<String> {
    let (_, after) = ["/models/", "/model/", "/deployments/", "/ai/run/"]
        .into_iter()
        .find_map(|mark| path.split_once(mark))?;
    let whole = path.contains("/ai/run/");
    let end = if whole { after } else { after.split(['/', ':']).next()? };
    Some(end.to_owned()).filter(|model| !model.is_empty())
}

/// What is known of the prices of one provider's models.
#[derive(Default)]
struct Seen {
    first: BTreeSet<String>,
    fallback: BTreeSet<String>,
    unpriced: BTreeSet<String>,
}

#[test]
fn every_provider_of_the_recorded_traffic_is_listed_with_its_prices() {
    let Some(corpus) = std::env::var_os("WIRESPAN_CORPUS").map(PathBuf::from) else {
        println!("skipped: WIRESPAN_CORPUS is not set to the folder of recorded traffic");
        return;
    };
    let table = PriceTable::embedded();
    let mut providers: BTreeMap<String, Seen> = BTreeMap::new();
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some((provider, api)) = name.strip_suffix(".jsonl").and_then(|name| name.split_once('.')) else {
            continue;
        };
        if OTHER.iter().any(|end| api.ends_with(end)) || provider == "negative" {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let exchange: Value = serde_json::from_str(line).unwrap();
            if exchange["response"]["status"].as_u64().is_none_or(|status| status >= 300) {
                continue;
            }
            let Some(mut call) = call(Api::OpenAiChat, &exchange, path_model) else { continue };
            call.provider = provider.to_owned();
            let seen = providers.entry(provider.to_owned()).or_default();
            let model = [&call.response.model, &call.request.model].into_iter().flatten().next();
            let model = model.cloned().unwrap_or_default().to_lowercase();
            match table.explain_call(&call) {
                Some(found) if found.table.starts_with("litellm") => seen.fallback.insert(model),
                Some(_) => seen.first.insert(model),
                None => seen.unpriced.insert(model),
            };
        }
    }
    let (mut all, mut priced) = (0, 0);
    println!("| provider | models seen | priced by the first table | by the fallback | without a price |");
    println!("|---|---:|---:|---:|---|");
    for (name, seen) in &mut providers {
        seen.unpriced.retain(|model| !seen.first.contains(model) && !seen.fallback.contains(model));
        let of = seen.first.len() + seen.fallback.len() + seen.unpriced.len();
        let unpriced = seen.unpriced.iter().cloned().collect::<Vec<_>>().join(", ");
        println!("| {name} | {of} | {} | {} | {unpriced} |", seen.first.len(), seen.fallback.len());
        all += of;
        priced += seen.first.len() + seen.fallback.len();
    }
    println!("{priced} of {all} models have a price");
    assert!(priced * 4 >= all * 3, "{priced} of {all}");
}
