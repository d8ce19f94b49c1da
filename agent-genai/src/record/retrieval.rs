//! Attributes of retrieval and reranking spans.

use serde_json::{Map, Value};

use super::builder::Builder;
use crate::call::{Hit, Retrieval};
use crate::semconv::attribute as name;

pub(super) fn attributes(retrieval: &Retrieval, content: bool, out: &mut Builder) {
    if !retrieval.system.is_empty() {
        out.set(name::DB_SYSTEM_NAME, retrieval.system.as_str());
    }
    out.text(name::DATA_SOURCE_ID, retrieval.data_source.as_ref());
    out.text(name::DB_NAMESPACE, retrieval.namespace.as_ref());
    out.some(name::RETRIEVAL_TOP_K, retrieval.top_k);
    out.some(name::RETRIEVAL_QUERY_COUNT, retrieval.queries.filter(|count| *count != 1));
    out.some(name::RETRIEVAL_FILTERED, retrieval.filtered.then_some(true));
    out.some(name::RERANK_DOCUMENT_COUNT, retrieval.documents);
    out.some(name::RETRIEVAL_HIT_COUNT, retrieval.hits);
    out.some(name::RETRIEVAL_BEST_SCORE, retrieval.best_score);
    if content {
        out.text(name::RETRIEVAL_QUERY_TEXT, retrieval.query.as_ref());
        if !retrieval.found.is_empty() {
            out.set(name::RETRIEVAL_DOCUMENTS, Value::Array(retrieval.found.iter().map(document).collect()));
        }
    }
}

fn document(hit: &Hit) -> Value {
    let Hit { id, score, content } = hit;
    let mut document = Map::new();
    if let Some(id) = id {
        document.insert("id".to_owned(), id.as_str().into());
    }
    if let Some(score) = score {
        document.insert("score".to_owned(), (*score).into());
    }
    if let Some(content) = content {
        document.insert("content".to_owned(), content.clone());
    }
    Value::Object(document)
}
