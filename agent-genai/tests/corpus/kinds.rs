//! Which recorded exchanges are calls, by the API that the recordings' names give.

use crate::load::Exchange;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every exchange is a call.
    Calls,
    /// No exchange is a call.
    NoCalls,
    /// Some are; [`is_call`] tells.
    Mixed,
}

/// Files without any call: other traffic of the same programs, and the management of what is no inference.
const NO_CALLS: &[&str] = &["models", "files", "cachedContents", "ollama.other"];

/// Files that hold calls among management.
const MIXED: &[&str] = &[
    "assistants",
    "batches",
    "realtime",
    "vectordb",
    "vector_stores",
    "weaviate",
    "mcp",
    "a2a",
    "bedrock-agent",
    "bedrock-guardrail",
    "interactions",
];

/// Kind of a file by its name, `<provider>.<api>`.
pub(crate) fn of(name: &str) -> Kind {
    let api = name.split_once('.').map_or("", |(_, api)| api);
    if name == "negative" || NO_CALLS.contains(&api) {
        Kind::NoCalls
    } else if MIXED.contains(&api) {
        Kind::Mixed
    } else {
        Kind::Calls
    }
}

/// Whether an exchange of a mixed file is a call: by its method and path, told here apart from the decoder's own tables.
pub(crate) fn is_call(name: &str, exchange: &Exchange) -> bool {
    let head = &exchange.request.0;
    let (method, path) = (head.method.as_str(), head.path());
    let ends = |tails: &[&str]| tails.iter().any(|tail| path.trim_end_matches('/').ends_with(tail));
    let api = name.split_once('.').map_or("", |(_, api)| api);
    match (api, method) {
        // A run begins with a stream, or is created and then polled; what is polled carries the usage.
        ("assistants", "POST") => ends(&["/runs"]),
        ("vectordb" | "vector_stores", "POST") => {
            ends(&["/query", "/search", "/points/search", "/points/query"])
        }
        ("batches", "GET") => ends(&["/results"]),
        // A search by a vector or a text; plain listing and aggregation are queries of a database.
        ("weaviate", "POST") => {
            let body = String::from_utf8_lossy(&exchange.request.1);
            ends(&["/graphql"]) && ["near", "hybrid", "bm25"].iter().any(|word| body.contains(word))
        }
        ("mcp" | "a2a", "POST") => {
            let body = String::from_utf8_lossy(&exchange.request.1);
            body.contains("\"method\"") && body.contains("\"id\"")
        }
        // Created, or fetched while it runs in the background.
        ("interactions", "POST") => ends(&["/interactions"]),
        ("interactions", "GET") => path.contains("/interactions/"),
        ("bedrock-agent" | "bedrock-guardrail", "POST") => true,
        _ => false,
    }
}
