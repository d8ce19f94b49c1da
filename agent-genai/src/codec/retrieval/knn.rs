//! Vector clauses in the query language of Elasticsearch and OpenSearch; any other search there is no retrieval for a model.

use serde_json::Value;

use super::tree;
use crate::call::Retrieval;
use crate::codec::json;

/// Clauses that search by meaning.
const CLAUSES: &[&str] = &[
    "knn",
    "neural",
    "neural_sparse",
    "semantic",
    "sparse_vector",
    "text_expansion",
    "text_similarity_reranker",
];
/// Deepest nesting looked at.
const DEPTH: usize = 12;

/// Reads a search; `false` when it has no such clause.
pub(super) fn read(body: &Value, content: bool, retrieval: &mut Retrieval) -> bool {
    let Some(clause) = clause(body, DEPTH) else { return false };
    // OpenSearch names the field as a member, Elasticsearch in a member.
    let inner = clause.as_object().and_then(|members| members.values().find(|value| value.is_object()));
    let inner = if clause.get("field").is_some() { None } else { inner };
    let k = ["k", "rank_window_size"];
    let in_clause = k.iter().find_map(|key| tree::number(clause, key).or_else(|| tree::number(inner?, key)));
    retrieval.top_k = json::i64_at(body, &["size"]).or(in_clause);
    retrieval.filtered = tree::is_given(clause, "filter")
        || inner.is_some_and(|inner| tree::is_given(inner, "filter"))
        || tree::is_given(body, "post_filter")
        || tree::is_given(body, "query/bool/filter");
    if content {
        let words = [
            "query_vector_builder/text_embedding/model_text",
            "query_text",
            "query",
            "inference_text",
            "model_text",
        ];
        let find = |value: &Value| words.iter().find_map(|path| tree::text(value, path));
        retrieval.query = find(clause).or_else(|| find(inner?));
    }
    true
}

/// The first such clause. Of a list of them its first element.
fn clause(value: &Value, depth: usize) -> Option<&Value> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(members) => {
            let own = members.iter().find(|(key, value)| CLAUSES.contains(&key.as_str()) && !value.is_null());
            let own = own.map(|(_, own)| own.as_array().and_then(|all| all.first()).unwrap_or(own));
            own.filter(|own| own.is_object())
                .or_else(|| members.values().find_map(|value| clause(value, depth)))
        }
        Value::Array(items) => items.iter().find_map(|value| clause(value, depth)),
        _ => None,
    }
}
