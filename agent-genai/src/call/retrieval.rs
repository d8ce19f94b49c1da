//! What a retrieval or a reranking searched for, where, and what it found.

use serde_json::Value;

/// Facts of a search in a store, or of an ordering of given documents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Retrieval {
    /// The system: `pinecone`, `qdrant`, `weaviate`, `chroma`, `openai` …
    pub system: String,
    /// Collection, index, class or knowledge base: `gen_ai.data_source.id`.
    pub data_source: Option<String>,
    /// Namespace, tenant or database within it.
    pub namespace: Option<String>,
    /// Most hits asked for.
    pub top_k: Option<i64>,
    /// Queries in the request, when there may be more than one.
    pub queries: Option<u64>,
    /// A filter was given.
    pub filtered: bool,
    /// Documents given to be ordered (reranking).
    pub documents: Option<u64>,
    /// Hits or ordered documents returned.
    pub hits: Option<u64>,
    /// Best score (or smallest distance) of the first hit, as reported.
    pub best_score: Option<f64>,
    /// Text of the query; only with content on.
    pub query: Option<String>,
    /// Ids and scores of the hits, in the order returned; bounded. Text only with content on.
    pub found: Vec<Hit>,
}

/// One hit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hit {
    /// Id in the store, or the index of the document that was given.
    pub id: Option<String>,
    /// Score as reported.
    pub score: Option<f64>,
    /// Its text or fields; only with content on.
    pub content: Option<Value>,
}
