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

fn call(api: Api, exchange: &Value) -> Option<Call> {
    let url = exchange["request"]["url"].as_str()?;
    let (host, path) = url.split_once("://")?.1.split_once('/')?;
    // A price is looked for as a call to that host would have it; nothing else names the provider here.
    let provider = match api {
        Api::AnthropicMessages => "anthropic",
        _ => "openai",
    };
    let (request, response) = (model(&body(&exchange["request"])), model(&body(&exchange["response"])));
    if request.is_none() && response.is_none() {
        return None;
    }
    Some(Call {
        api,
        operation: Operation::Chat,
        provider: provider.to_owned(),
        role: Role::Client,
        request: Request { model: request, ..Request::default() },
        response: Response { model: response, ..Response::default() },
        usage: Usage { input: Some(1000), output: Some(100), ..Usage::default() },
        error: None,
        http: Http {
            server_address: Some(host.split(':').next()?.to_owned()),
            path: format!("/{}", path.split('?').next()?),
            ..Http::default()
        },
        timing: Timing::default(),
        completeness: Completeness::default(),
        part: 0,
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
            let Some(call) = call(api, &exchange) else { continue };
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
