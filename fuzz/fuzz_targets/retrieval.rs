//! Any bytes as a search in a vector store; the first byte chooses the store as well.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const PATHS: &[&str] = &[
    "/query",
    "/records/namespaces/n/search",
    "/collections/c/points/query",
    "/collections/c/points/search/batch",
    "/v1/graphql",
    "/api/v2/tenants/t/databases/d/collections/c/query",
    "/indexes/i/search",
    "/i/_search",
];

const WORDS: &[&str] = &[
    "query",
    "vector",
    "topK",
    "limit",
    "searches",
    "ids",
    "distances",
    "documents",
    "result",
    "points",
    "hits",
    "_id",
    "_score",
    "data",
    "Get",
    "nearText",
    "concepts",
    "where",
    "tenant",
    "knn",
    "neural",
    "field",
    "query_vector",
    "filter",
    "size",
    "matches",
    "id",
    "score",
    "errors",
    "message",
    "code",
    "usage",
    "readUnits",
    "query_texts",
    "query_embeddings",
    "n_results",
    "metadata",
    "q",
    "_additional",
    "inputs",
    "text",
    "{Get{C(nearText:{concepts:[\\\"a\\\"]} limit:2){b}}}",
];

fuzz_target!(|data: &[u8]| {
    let at = data.first().map_or(0, |first| usize::from(*first)) % PATHS.len();
    exchange::fold(PATHS.get(at).copied().unwrap_or_default(), WORDS, data);
});
