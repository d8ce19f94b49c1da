//! Reranking by each provider's names.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::codec::fixture::{self, BARE, CONTENT, json_of};

fn whole(content: bool, request: &Value, response: &Value) -> (Call, Retrieval) {
    let mut codec = Rerank::new(if content { CONTENT } else { BARE });
    let mut call = fixture::call(Api::Rerank);
    call.http.status = Some(200);
    codec.request(request, &mut call);
    codec.response(response, &mut call);
    codec.finish(&mut call);
    let retrieval = *call.retrieval.clone().unwrap();
    (call, retrieval)
}

#[test]
fn cohere_and_its_units() {
    let request = json!({"model": "rerank-v3.5", "query": "q", "documents": ["a", "b", "c"], "top_n": 2});
    let response = json!({"id": "i", "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.5}],
        "meta": {"billed_units": {"search_units": 1.0}}});
    let (call, retrieval) = whole(true, &request, &response);
    assert_eq!(call.response.id.as_deref(), Some("i"));
    assert_eq!(call.usage.units, [UsageUnits { unit: Unit::SearchUnit, quantity: Decimal::ONE }]);
    assert_eq!((call.usage.input, call.usage.output), (None, None));
    assert_eq!((retrieval.documents, retrieval.hits, retrieval.top_k), (Some(3), Some(2), Some(2)));
    assert_eq!((retrieval.best_score, retrieval.query.as_deref()), (Some(0.9), Some("q")));
    assert_eq!(retrieval.found[1].id.as_deref(), Some("0"));
    assert_eq!(whole(false, &request, &response).1.query, None);
}

#[test]
fn tokens_cost_and_documents() {
    let response = json!({"id": "gen-1", "model": "m-1", "results": [{"index": 1, "relevance_score": 0.8, "document": {"text": "d"}}],
        "usage": {"total_tokens": 17, "cost": 3.4e-7}});
    let request = json!({"model": "v/m", "query": "q", "documents": ["a", "d"]});
    let (call, retrieval) = whole(true, &request, &response);
    assert_eq!((call.usage.input, call.usage.output), (Some(17), None));
    assert!(call.usage.provider_usd.is_some());
    assert_eq!((call.request.model.as_deref(), call.response.model.as_deref()), (Some("v/m"), Some("m-1")));
    assert_eq!(retrieval.found[0].content, Some(json!({"text": "d"})));
    assert_eq!(whole(false, &request, &response).1.found[0].content, None);
    let voyage = json!({"object": "list", "data": [{"relevance_score": 0.7, "index": 0}], "usage": {"total_tokens": 43}});
    assert_eq!(whole(false, &request, &voyage).1.best_score, Some(0.7));
    let pinecone =
        json!({"data": [{"index": 0, "score": 0.2, "document": {"id": "x"}}], "usage": {"rerank_units": 3}});
    assert_eq!(whole(false, &request, &pinecone).0.usage.units[0].quantity, Decimal::from(3));
}

#[test]
fn bedrock_and_bare_lists() {
    let request = json!({"queries": [{"type": "TEXT", "textQuery": {"text": "q"}}], "sources": [{}, {}],
        "rerankingConfiguration": {"bedrockRerankingConfiguration": {"numberOfResults": 1, "modelConfiguration": {"modelArn": "arn:x"}}}});
    let (call, retrieval) = whole(true, &request, &json!({"results": [{"index": 1, "relevanceScore": 0.3}]}));
    assert_eq!(call.request.model.as_deref(), Some("arn:x"));
    assert_eq!((retrieval.documents, retrieval.top_k, retrieval.best_score), (Some(2), Some(1), Some(0.3)));
    assert_eq!(retrieval.query.as_deref(), Some("q"));
    let tei = json!({"query": "q", "texts": ["a", "b", "\u{FDD0}4"]});
    let (_, retrieval) = whole(false, &tei, &json!([{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]));
    assert_eq!((retrieval.documents, retrieval.hits, retrieval.best_score), (Some(6), Some(2), Some(0.9)));
    let mut codec = Rerank::new(BARE);
    let mut call = fixture::call(Api::Rerank);
    codec.event("", &json!({"index": 1, "score": 0.9}), &mut call);
    codec.event("", &json!({"index": 0, "score": 0.1}), &mut call);
    codec.finish(&mut call);
    assert_eq!(
        call.retrieval.map(|retrieval| (retrieval.hits, retrieval.best_score)),
        Some((Some(2), Some(0.9)))
    );
}

#[test]
fn failures_and_shapes() {
    let failed = fixture::response(&mut Rerank::new(BARE), Api::Rerank, 400, &json!({"detail": "no"}));
    assert_eq!(failed.error.map(|error| error.kind).as_deref(), Some("400"));
    assert_eq!(failed.retrieval.and_then(|retrieval| retrieval.hits), None);
    assert!(request(&json!({"query": "q", "documents": []})));
    assert!(!request(&json!({"query": "q"})));
}

const WORDS: &[&str] = &[
    "query",
    "queries",
    "documents",
    "texts",
    "results",
    "data",
    "index",
    "score",
    "relevance_score",
    "meta",
    "usage",
    "billed_units",
    "search_units",
    "rerank_units",
    "total_tokens",
    "document",
    "textQuery",
    "text",
    "top_n",
];

proptest! {
    #[test]
    fn never_panics(bodies in prop::collection::vec(json_of(WORDS), 0..5), content: bool) {
        let mut codec = Rerank::new(if content { CONTENT } else { BARE });
        let mut call = fixture::call(Api::Rerank);
        for body in &bodies {
            codec.request(body, &mut call);
            codec.event("", body, &mut call);
            codec.response(body, &mut call);
        }
        codec.finish(&mut call);
        prop_assert!(content || call.retrieval.unwrap().query.is_none());
    }
}
