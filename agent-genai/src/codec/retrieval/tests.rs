use agent_wire::{Headers, RequestHead, Version};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codec::fixture::{self, call};
use crate::recognise::{self, Head};

/// One search at a place: the call, or `None` when it is none.
fn search(url: &str, request: &Value, status: u16, answer: &Value, content: bool) -> Option<Call> {
    let head = RequestHead {
        method: "POST".into(),
        target: url.into(),
        version: Version::Http11,
        headers: Headers::default(),
    };
    let Head::Api(route) = recognise::head(&head) else { return None };
    let mut codec = Search::new(content);
    let mut call = call(route.api);
    call.http.status = Some(status);
    codec.begin(&RequestFacts { row: Some(route.row), model: None, head: &head }, &mut call);
    codec.request(request, &mut call);
    if !codec.is_call() {
        return None;
    }
    codec.response(answer, &mut call);
    codec.finish(&mut call);
    codec.is_call().then_some(call)
}

/// System, source, namespace, top k, hits, best score, filter.
type Facts<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<i64>, Option<u64>, Option<f64>, bool);

fn facts(call: &Call) -> Facts<'_> {
    let found = call.retrieval.as_deref().unwrap();
    (
        &found.system,
        found.data_source.as_deref(),
        found.namespace.as_deref(),
        found.top_k,
        found.hits,
        found.best_score,
        found.filtered,
    )
}

fn ok(url: &str, request: &Value, answer: &Value) -> Call {
    search(url, request, 200, answer, true).unwrap_or_else(|| panic!("{url}: no call"))
}

#[test]
fn pinecone() {
    let hit = json!({"id": "v1", "score": 0.9, "values": [0.1], "metadata": {"text": "t"}});
    let call = ok(
        "https://my-idx-90c5d9e.svc.aped-4627.pinecone.io/query",
        &json!({"namespace": "ns1", "topK": 3, "vector": [0.3], "filter": {"a": 1}}),
        &json!({"results": [], "matches": [hit], "namespace": "ns1", "usage": {"readUnits": 5}}),
    );
    assert_eq!(facts(&call), ("pinecone", Some("my-idx"), Some("ns1"), Some(3), Some(1), Some(0.9), true));
    assert_eq!(call.usage.units, [UsageUnits { unit: Unit::ReadUnit, quantity: Decimal::from(5) }]);
    assert_eq!(call.retrieval.unwrap().found.first().unwrap().content, Some(json!({"text": "t"})));
    let call = ok(
        "http://localhost:5081/records/namespaces/a%20b/search",
        &json!({"query": {"inputs": {"text": "cats"}, "top_k": 2}, "rerank": {"model": "r-1", "top_n": 1}}),
        &json!({"result": {"hits": [{"_id": "x", "_score": 0.5, "fields": {}}]}, "usage": {"rerank_units": 1}}),
    );
    assert_eq!(facts(&call), ("pinecone", None, Some("a b"), Some(2), Some(1), Some(0.5), false));
    assert_eq!(call.retrieval.unwrap().query.as_deref(), Some("cats"));
    assert_eq!(call.request.model.as_deref(), Some("r-1"));
}

#[test]
fn qdrant_in_every_form() {
    let hit = json!({"id": 7, "version": 1, "score": 0.8, "payload": {"a": "b"}});
    let of = |path: &str, request: &Value, result: Value| {
        let url = format!("http://q:6333/collections/docs/points/{path}?timeout=1");
        ok(&url, request, &json!({"result": result, "status": "ok", "time": 0.1}))
    };
    let call = of(
        "query",
        &json!({"query": [0.1], "limit": 4, "filter": {"must": []}}),
        json!({"points": [hit, hit]}),
    );
    assert_eq!(facts(&call), ("qdrant", Some("docs"), None, Some(4), Some(2), Some(0.8), true));
    let call = of("search", &json!({"vector": [0.1], "limit": 4}), json!([hit]));
    assert_eq!(facts(&call), ("qdrant", Some("docs"), None, Some(4), Some(1), Some(0.8), false));
    let two = json!({"searches": [{"query": [0.1], "limit": 2}, {"query": [0.2], "limit": 2}]});
    let call = of("query/batch", &two, json!([{"points": [hit]}, {"points": [hit, hit]}]));
    assert_eq!((call.retrieval.as_ref().unwrap().queries, facts(&call).4), (Some(2), Some(3)));
    let call = of("search/batch", &two, json!([[hit], [hit]]));
    assert_eq!(facts(&call).4, Some(2));
    let call =
        of("query/groups", &json!({"group_by": "g", "query": [1.0]}), json!({"groups": [{"hits": [hit]}]}));
    assert_eq!(facts(&call).4, Some(1));
    let failed = search(
        "http://q/collections/docs/points/query",
        &json!({"query": [0.1]}),
        404,
        &json!({"status": {"error": "Not found: Collection `docs` doesn't exist!"}, "time": 0.0}),
        false,
    );
    let error = failed.unwrap().error.unwrap();
    assert_eq!((error.kind.as_str(), error.message.starts_with("Not found")), ("404", true));
}

#[test]
fn chroma_in_columns() {
    let url = "http://h:8000/api/v2/tenants/t/databases/d/collections/c-1/query";
    let request = json!({"query_embeddings": [[1.0], [2.0]], "n_results": 2, "where": {"s": "x"}, "where_document": null});
    let answer = json!({"ids": [["a", "b"], ["c"]], "distances": [[0.1, 0.2], [0.3]], "documents": [["A", null], ["C"]]});
    let call = ok(url, &request, &answer);
    assert_eq!(facts(&call), ("chroma", Some("c-1"), Some("d"), Some(2), Some(3), Some(0.1), true));
    let found = call.retrieval.unwrap();
    assert_eq!(found.queries, Some(2));
    let third = Hit { id: Some("c".into()), score: Some(0.3), content: Some(json!("C")) };
    assert_eq!(found.found.get(2), Some(&third));
    assert_eq!(found.found.get(1).unwrap().content, None);
    let bare = search(url, &request, 200, &answer, false).unwrap().retrieval.unwrap();
    assert!(bare.found.iter().all(|hit| hit.content.is_none() && hit.id.is_some()));
    let v1 = ok(
        "/api/v1/collections/c-2/query",
        &json!({"query_texts": ["q"], "n_results": 1}),
        &json!({"ids": [[]]}),
    );
    assert_eq!(facts(&v1), ("chroma", Some("c-2"), None, Some(1), Some(0), None, false));
    let refused = json!({"error": "InvalidArgumentError", "message": "dimension of 3, got 2"});
    let error = search(url, &request, 400, &refused, true).unwrap().error.unwrap();
    assert_eq!(error.kind, "InvalidArgumentError");
    assert_eq!(error.message, "InvalidArgumentError: dimension of 3, got 2");
    assert!(
        search(&url.replace("/query", "/get"), &json!({"ids": ["a"]}), 200, &json!({"ids": ["a"]}), true)
            .is_none()
    );
}

#[test]
fn weaviate_searches_and_lists() {
    let url = "http://w:8080/v1/graphql";
    let text = r#"{ Get { Article(nearText:{concepts:["kings", "}books(" ] certainty: 0.7}, limit: 2 where:{path:["a"]} tenant:"T") { author _additional { id distance } } } }"#;
    let answer =
        json!({"data": {"Get": {"Article": [{"author": "L", "_additional": {"id": "i", "distance": 0.2}}]}}});
    let call = ok(url, &json!({"query": text}), &answer);
    assert_eq!(facts(&call), ("weaviate", Some("Article"), Some("T"), Some(2), Some(1), Some(0.2), true));
    assert_eq!(call.retrieval.unwrap().query.as_deref(), Some("kings\n}books("));
    for operator in
        ["hybrid:{query:\"a\"}", "bm25:{query:\"a\"}", "nearVector:{vector:[0.1]}", "ask:{question:\"a\"}"]
    {
        let query = format!("query X {{Get{{C(limit:1 {operator}){{a}}}}}}");
        assert_eq!(
            facts(&ok(url, &json!({"query": query}), &json!({"data": {"Get": {"C": []}}}))).3,
            Some(1)
        );
    }
    for none in [
        "{Aggregate{Article{meta{count}}}}",
        "{Get{Article(limit:2){author}}}",
        "{Get{Article{nearText}}}",
        "query { users(near: 1) { id } }",
        "mutation { Get }",
        "{Get{A(where:{valueText:\"nearText:{}\"}){b}}}",
        "\"",
        "{Get{A(",
    ] {
        assert!(search(url, &json!({"query": none}), 200, &json!({"data": {}}), true).is_none(), "{none}");
    }
    let failed = json!({"data": {"Get": {"C": null}}, "errors": [{"message": "no vectorizer"}]});
    let call = ok(url, &json!({"query": "{Get{C(nearText:{concepts:[\"a\"]}){b}}}"}), &failed);
    assert_eq!(call.error.unwrap().message, "no vectorizer");
}

#[test]
fn other_stores() {
    let call = ok(
        "https://api.openai.com/v1/vector_stores/vs_1/search",
        &json!({"query": "q", "max_num_results": 5, "filters": {"type": "eq"}}),
        &json!({"object": "vector_store.search_results.page", "data": [{"file_id": "f", "score": 0.7, "content": []}]}),
    );
    assert_eq!(facts(&call), ("openai", Some("vs_1"), None, Some(5), Some(1), Some(0.7), true));
    let call = ok(
        "http://m:8882/indexes/Idx/search",
        &json!({"q": "moon", "limit": 10, "searchMethod": "TENSOR"}),
        &json!({"hits": [{"_id": "a", "_score": 0.8}], "query": "moon"}),
    );
    assert_eq!(facts(&call), ("marqo", Some("Idx"), None, Some(10), Some(1), Some(0.8), false));
    let meili = json!({"hits": [{"id": "a"}], "query": "moon", "estimatedTotalHits": 1});
    assert!(search("http://m/indexes/i/search", &json!({"q": "moon"}), 200, &meili, true).is_none());
    let request =
        json!({"collectionName": "c", "dbName": "d", "data": [[0.1], [0.2]], "limit": 3, "filter": "a > 1"});
    let url = "http://m:19530/v2/vectordb/entities/search";
    let call = ok(url, &request, &json!({"code": 0, "data": [{"id": 1, "distance": 0.4}]}));
    assert_eq!(facts(&call), ("milvus", Some("c"), Some("d"), Some(3), Some(1), Some(0.4), true));
    let error = ok(url, &request, &json!({"code": 1100, "message": "bad"})).error.unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("1100", "bad"));
}

#[test]
fn elastic_only_by_vectors() {
    let url = "http://e:9200/my-index/_search?pretty";
    let answer = json!({"took": 1, "hits": {"total": {"value": 1}, "hits": [{"_id": "1", "_score": 0.6, "_source": {}}]}});
    let elder = json!({"knn": {"field": "v", "query_vector": [0.1], "k": 5, "filter": {"term": {}}}});
    let call = ok(url, &elder, &answer);
    assert_eq!(facts(&call), ("opensearch", Some("my-index"), None, Some(5), Some(1), Some(0.6), true));
    let younger =
        json!({"size": 3, "query": {"bool": {"must": [{"neural": {"body": {"query_text": "a", "k": 9}}}]}}});
    let call = ok(url, &younger, &answer);
    assert_eq!((facts(&call).3, call.retrieval.unwrap().query.as_deref()), (Some(3), Some("a")));
    assert!(search(url, &json!({"query": {"match": {"a": "b"}}}), 200, &answer, true).is_none());
}

#[test]
fn web_search_at_known_hosts_only() {
    let request = json!({"query": "What?", "max_results": 2, "search_depth": "basic", "include_domains": []});
    let answer = json!({"query": "What?", "request_id": "r", "results": [{"url": "https://u", "score": 0.9, "content": "c"}]});
    let call = ok("https://api.tavily.com/search", &request, &answer);
    assert_eq!(facts(&call), ("", None, None, Some(2), Some(1), Some(0.9), false));
    assert_eq!((call.api, call.response.id.as_deref()), (Api::WebSearch, Some("r")));
    for host in ["google.serper.dev", "localhost", "api.tavily.com.evil.org"] {
        assert!(search(&format!("https://{host}/search"), &request, 200, &answer, true).is_none(), "{host}");
    }
}

#[test]
fn the_same_paths_elsewhere_are_left_alone() {
    for (url, request, answer) in [
        ("http://influx/query", json!({"q": "select 1"}), json!({"results": []})),
        ("http://sql/v2/query", json!({"sql": "select 1"}), json!({"rows": []})),
        ("http://x/query", json!({"topK": 1}), json!({"data": []})),
        ("http://x/collections/c/query", json!({"query": "a"}), json!({"ids": [[]]})),
        ("http://x/graphql", json!({"query": "{ me { id } }"}), json!({"data": {}})),
    ] {
        assert!(search(url, &request, 200, &answer, true).is_none(), "{url}");
    }
}

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
    "C",
    "{Get{C(nearText:{concepts:[\"a\"]} limit:2){b}}}",
    "knn",
    "field",
    "collectionName",
    "matches",
    "errors",
    "message",
    "code",
    "usage",
    "readUnits",
    "query_texts",
    "where",
    "results",
    "url",
    "score",
];

proptest! {
    #[test]
    fn any_bodies(request in fixture::json_of(WORDS), answer in fixture::json_of(WORDS), at in 0..forms::STORE_ROWS.len()) {
        let row = forms::STORE_ROWS.get(at).unwrap();
        let head = RequestHead {
            method: "POST".into(), target: format!("/{}", row.path), version: Version::Http11, headers: Headers::default(),
        };
        let mut codec = Search::new(true);
        let mut call = call(Api::VectorStore);
        codec.begin(&RequestFacts { row: Some(row), model: None, head: &head }, &mut call);
        codec.request(&request, &mut call);
        codec.response(&answer, &mut call);
        codec.finish(&mut call);
        prop_assert!(call.retrieval.unwrap().found.len() <= MAX_HITS);
    }

    #[test]
    fn any_graphql(text in "(Get|near[A-Z]|limit|where|[{}()\\[\\]:,\"\\\\ a-z0-9é]){0,40}") {
        graphql::read(&json!({"query": text}), true, &mut Retrieval::default());
    }
}
