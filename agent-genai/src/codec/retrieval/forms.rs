//! The table of systems: where each is searched, and where its requests and answers say what.

use super::READ_UNITS;
use crate::call::{Operation, Unit};
use crate::codec::spec::Row;

/// One search of one system. Paths into bodies are those of `tree`; of several the first that is there counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) row: Row,
    /// `db.system.name`; empty for what is no store.
    pub(super) system: &'static str,
    /// Where the collection, index or class is named.
    pub(super) collection: Place,
    /// Where the namespace, tenant or database is named.
    pub(super) namespace: Place,
    /// What shows that the request is such a search.
    pub(super) ask: Ask,
    /// Most hits wanted.
    pub(super) top_k: &'static [&'static str],
    /// Filters.
    pub(super) filter: &'static [&'static str],
    /// Text of the query.
    pub(super) query: &'static [&'static str],
    /// A list with one element a query, where one request may hold several.
    pub(super) queries: &'static [&'static str],
    /// Model that makes the vectors.
    pub(super) model: &'static [&'static str],
    /// The hits of the answer.
    pub(super) found: Found,
    /// Members of an answer that only other systems with the same path give.
    pub(super) others: &'static [&'static str],
    /// What the answer says is billed.
    pub(super) units: &'static [(&'static str, Unit)],
}

/// Where a name stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Nowhere.
    None,
    /// In the segment of the URL path behind this one.
    After(&'static str),
    /// In the segment of the URL path before this one.
    Before(&'static str),
    /// In the first label of the host (Pinecone).
    Label,
    /// In the body.
    Body(&'static str),
}

/// How a request shows that it is a search.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask {
    /// By any of these.
    Any(&'static [&'static str]),
    /// By the operators of Weaviate's GraphQL.
    GraphQl,
    /// By a vector clause in the query language of Elasticsearch and OpenSearch.
    Knn,
}

/// How an answer holds the hits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// An object each.
    Rows {
        lists: &'static [&'static str],
        id: &'static [&'static str],
        score: &'static [&'static str],
        text: &'static [&'static str],
    },
    /// Ids, scores and texts in lists of their own, one a query.
    Columns { id: &'static str, score: &'static [&'static str], text: &'static str },
}

const fn form(row: Row, system: &'static str, ask: Ask, found: Found) -> Form {
    Form {
        row,
        system,
        collection: Place::None,
        namespace: Place::None,
        ask,
        top_k: &[],
        filter: &[],
        query: &[],
        queries: &[],
        model: &[],
        found,
        others: &[],
        units: &[],
    }
}

/// A row whose bodies must agree: see `Codec::is_call`.
const fn row(path: &'static str) -> Row {
    Row::likely(path, Operation::Retrieval)
}

const fn rows<const N: usize>(forms: &[Form; N]) -> [Row; N] {
    let mut rows = [row(""); N];
    let mut at = 0;
    #[expect(clippy::indexing_slicing, reason = "both arrays have N elements; evaluated when compiled")]
    while at < N {
        rows[at] = forms[at].row;
        at += 1;
    }
    rows
}

/// The form of a row.
pub(super) fn of(row: &Row) -> Option<&'static Form> {
    STORES.iter().chain(WEB.iter()).find(|form| form.row == *row)
}

pub(super) static STORE_ROWS: [Row; STORES.len()] = rows(&STORES);
pub(super) static WEB_ROWS: [Row; WEB.len()] = rows(&WEB);

const PINECONE: Found = Found::Rows {
    lists: &["matches", "result/hits", "hits", "documents"],
    id: &["id", "_id"],
    score: &["score", "_score"],
    text: &["metadata", "fields"],
};
const QDRANT: Found = Found::Rows {
    lists: &[
        "result/groups/*/hits",
        "result/points",
        "result/*/groups/*/hits",
        "result/*/points",
        "result/*",
        "result",
    ],
    id: &["id"],
    score: &["score"],
    text: &["payload"],
};
const CHROMA: Found =
    Found::Columns { id: "ids/*", score: &["distances/*", "scores/*"], text: "documents/*" };
const MILVUS: Found = Found::Rows {
    lists: &["data/*", "data"],
    id: &["id", "_id", "pk"],
    score: &["distance", "score"],
    text: &["text", "content", "entity"],
};
const ELASTIC: Found =
    Found::Rows { lists: &["hits/hits"], id: &["_id"], score: &["_score"], text: &["_source", "fields"] };

const fn pinecone(at: Row, ask: &'static [&'static str]) -> Form {
    Form {
        collection: Place::Label,
        namespace: Place::Body("namespace"),
        top_k: &["topK", "top_k", "query/top_k", "query/topK"],
        filter: &["filter", "query/filter"],
        query: &["query/inputs/text"],
        queries: &["queries"],
        model: &["rerank/model"],
        units: READ_UNITS,
        ..form(at, "pinecone", Ask::Any(ask), PINECONE)
    }
}

const fn qdrant(path: &'static str, ask: &'static [&'static str]) -> Form {
    Form {
        collection: Place::After("collections"),
        top_k: &["limit", "searches/*/limit"],
        filter: &["filter", "searches/*/filter", "prefetch/filter", "prefetch/*/filter"],
        query: &["query/text", "query/nearest/text", "query/fusion/text"],
        queries: &["searches"],
        model: &["query/model", "query/nearest/model"],
        ..form(row(path), "qdrant", Ask::Any(ask), QDRANT)
    }
}

const fn chroma(path: &'static str, ask: &'static [&'static str]) -> Form {
    Form {
        collection: Place::After("collections"),
        namespace: Place::After("databases"),
        top_k: &["n_results", "searches/*/limit/limit"],
        filter: &["where", "where_document", "searches/*/filter"],
        query: &["query_texts"],
        queries: &["query_embeddings", "query_texts", "searches"],
        ..form(row(path), "chroma", Ask::Any(ask), CHROMA)
    }
}

const fn milvus(path: &'static str) -> Form {
    Form {
        collection: Place::Body("collectionName"),
        namespace: Place::Body("dbName"),
        top_k: &["limit"],
        filter: &["filter", "search/*/filter"],
        queries: &["data"],
        ..form(row(path), "milvus", Ask::Any(&["collectionName"]), MILVUS)
    }
}

static STORES: [Form; 29] = [
    // A path that others have as well elsewhere: members of the request and of the answer must be Pinecone's.
    pinecone(row("query").at("*.pinecone.io"), &["vector", "id", "sparseVector", "topK", "queries"]),
    pinecone(row("query"), &["topK"]),
    Form {
        namespace: Place::After("namespaces"),
        ..pinecone(row("records/namespaces/*/search"), &["query"])
    },
    Form {
        namespace: Place::After("namespaces"),
        ..pinecone(row("namespaces/*/documents/search"), &["top_k", "query", "score_by", "search"])
    },
    qdrant("collections/*/points/query", &["query", "prefetch", "limit"]),
    qdrant("collections/*/points/query/batch", &["searches"]),
    qdrant("collections/*/points/query/groups", &["group_by"]),
    qdrant("collections/*/points/search", &["vector"]),
    qdrant("collections/*/points/search/batch", &["searches"]),
    qdrant("collections/*/points/search/groups", &["group_by"]),
    qdrant("collections/*/points/recommend", &["positive", "negative"]),
    qdrant("collections/*/points/recommend/batch", &["searches"]),
    qdrant("collections/*/points/recommend/groups", &["group_by"]),
    qdrant("collections/*/points/discover", &["target", "context"]),
    qdrant("collections/*/points/discover/batch", &["searches"]),
    form(
        row("graphql"),
        "weaviate",
        Ask::GraphQl,
        Found::Rows {
            lists: &["data/Get/*"],
            id: &["_additional/id"],
            score: &["_additional/distance", "_additional/score", "_additional/certainty"],
            text: &["text", "content", "_additional/generate"],
        },
    ),
    chroma("collections/*/query", &["query_embeddings", "query_texts"]),
    chroma("collections/*/search", &["searches"]),
    Form {
        collection: Place::After("vector_stores"),
        top_k: &["max_num_results"],
        filter: &["filters"],
        query: &["query"],
        ..form(
            row("vector_stores/*/search"),
            "openai",
            Ask::Any(&["query"]),
            Found::Rows { lists: &["data"], id: &["file_id"], score: &["score"], text: &["content"] },
        )
    },
    Form {
        collection: Place::After("indexes"),
        top_k: &["limit"],
        filter: &["filter"],
        query: &["q"],
        // Meilisearch, a search by words, has the same path.
        others: &["estimatedTotalHits", "totalHits"],
        ..form(
            row("indexes/*/search"),
            "marqo",
            Ask::Any(&["q", "context"]),
            Found::Rows { lists: &["hits"], id: &["_id"], score: &["_score"], text: &["_highlights"] },
        )
    },
    milvus("vectordb/entities/search"),
    milvus("vectordb/entities/hybrid_search"),
    milvus("vectordb/entities/advanced_search"),
    milvus("v1/vector/search"),
    Form { collection: Place::Before("_search"), ..form(row("_search"), "opensearch", Ask::Knn, ELASTIC) },
    Form {
        collection: Place::Before("_knn_search"),
        ..form(row("_knn_search"), "elasticsearch", Ask::Knn, ELASTIC)
    },
    Form {
        collection: Place::Before("docs"),
        top_k: &["top", "vectorQueries/*/k"],
        filter: &["filter"],
        query: &["search", "vectorQueries/*/text"],
        queries: &["vectorQueries"],
        ..form(
            row("docs/search"),
            "azure.ai.search",
            Ask::Any(&["vectorQueries", "vectors", "semanticConfiguration"]),
            Found::Rows {
                lists: &["value"],
                id: &["id", "chunk_id", "key"],
                score: &["@search.rerankerScore", "@search.score"],
                text: &["content", "chunk", "text"],
            },
        )
    },
    Form {
        collection: Place::After("indexes"),
        top_k: &["topK"],
        filter: &["filter"],
        ..form(
            row("vectorize/v2/indexes/*/query"),
            "cloudflare.vectorize",
            Ask::Any(&["vector"]),
            Found::Rows { lists: &["result/matches"], id: &["id"], score: &["score"], text: &["metadata"] },
        )
    },
    Form {
        collection: Place::After("namespaces"),
        top_k: &["top_k", "limit"],
        filter: &["filters"],
        queries: &["queries"],
        ..form(
            row("namespaces/*/query").at("*.turbopuffer.com"),
            "turbopuffer",
            Ask::Any(&["rank_by", "queries", "vector"]),
            Found::Rows {
                lists: &["results/*/rows", "rows"],
                id: &["id"],
                score: &["$dist", "dist"],
                text: &["attributes", "text"],
            },
        )
    },
];

static WEB: [Form; 3] = [
    Form {
        top_k: &["max_results"],
        filter: &["include_domains", "exclude_domains", "time_range"],
        query: &["query"],
        units: &[("usage/credits", Unit::SearchUnit)],
        ..form(
            row("search").at("api.tavily.com"),
            "",
            Ask::Any(&["query"]),
            Found::Rows { lists: &["results"], id: &["url"], score: &["score"], text: &["content", "title"] },
        )
    },
    exa("search", &["query"]),
    exa("findSimilar", &["url"]),
];

const fn exa(path: &'static str, ask: &'static [&'static str]) -> Form {
    Form {
        top_k: &["numResults"],
        filter: &["includeDomains", "excludeDomains", "category", "startPublishedDate", "endPublishedDate"],
        query: &["query", "url"],
        ..form(
            row(path).at("api.exa.ai"),
            "",
            Ask::Any(ask),
            Found::Rows {
                lists: &["results"],
                id: &["url", "id"],
                score: &["score"],
                text: &["text", "summary", "title"],
            },
        )
    }
}
