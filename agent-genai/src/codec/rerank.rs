//! Reranking: documents ordered by how well they answer a query. Cohere, Voyage, Jina, Together, OpenRouter, vLLM, Pinecone, Bedrock's
//! agent runtime and TEI differ in names only.

use rust_decimal::Decimal;
use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, cohere, error, json, usage};
use crate::call::{Api, Call, Hit, Operation, Retrieval, Unit, UsageUnits};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("rerank", Operation::Rerank)],
    request,
    response,
    thin_response: &[],
    ..Spec::new(
        Api::Rerank,
        Operation::Rerank,
        "cohere",
        Make::Codec(|options| Box::new(Rerank::new(options))),
    )
};

/// What is ordered, by any of its names.
const DOCUMENTS: &[&str] = &["documents", "texts", "sources", "inputs"];
/// The ordered documents.
const RESULTS: &[&str] = &["results", "data"];
/// How well one fits.
const SCORES: &[&str] = &["relevance_score", "relevanceScore", "score"];
/// Most hits that are kept one by one; all are counted.
const MAX_FOUND: usize = 256;

fn request(body: &Value) -> bool {
    let query = json::at(body, &["query"]).is_some() || json::at(body, &["queries"]).is_some();
    query && DOCUMENTS.iter().any(|key| json::at(body, &[key]).is_some_and(Value::is_array))
}

fn response(_event: &str, body: &Value) -> Option<bool> {
    let mut lists = RESULTS.iter().map(|key| json::array_at(body, &[key]));
    let scored = |item: &Value| SCORES.iter().any(|key| json::f64_at(item, &[key]).is_some());
    (lists.any(|list| list.first().is_some_and(scored)) || scored(body)).then_some(true)
}

/// Folds one exchange.
pub(crate) struct Rerank {
    content: bool,
    retrieval: Retrieval,
}

impl Rerank {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, retrieval: Retrieval::default() }
    }

    fn hits(&mut self, items: &[Value]) {
        let retrieval = &mut self.retrieval;
        retrieval.hits = Some(retrieval.hits.unwrap_or(0).saturating_add(skim::array_len(items)));
        for item in items.iter().filter(|item| item.is_object()) {
            let score = SCORES.iter().find_map(|key| json::f64_at(item, &[key]));
            if retrieval.found.is_empty() {
                retrieval.best_score = score;
            }
            if retrieval.found.len() < MAX_FOUND {
                let id = json::u64_at(item, &["index"]).map(|index| index.to_string());
                let text = ["document", "text"].iter().find_map(|key| json::at(item, &[key]));
                let content = text.filter(|_| self.content).cloned();
                retrieval.found.push(Hit { id, score, content });
            }
        }
    }

    fn count(body: &Value, call: &mut Call) {
        if let Some(meta) = json::at(body, &["meta"]) {
            cohere::count(meta, call);
            cohere::billed_alone(call);
        }
        let Some(told) = json::at(body, &["usage"]) else { return };
        if let Some(mut found) = usage::openai(told, Dialect::Standard) {
            // Some servers write completion_tokens: 0; an ordering has no output.
            found.output = found.output.filter(|tokens| *tokens > 0);
            call.usage = found;
        }
        let units = ["rerank_units", "search_units"].iter().find_map(|key| json::at(told, &[key]));
        if let Some(quantity) = units.and_then(json::as_decimal).filter(|n| *n > Decimal::ZERO) {
            call.usage.units.push(UsageUnits { unit: Unit::SearchUnit, quantity: quantity.normalize() });
        }
    }
}

impl Codec for Rerank {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let bedrock = ["rerankingConfiguration", "bedrockRerankingConfiguration"];
        let arn = [&bedrock[..], &["modelConfiguration", "modelArn"]].concat();
        let results = [&bedrock[..], &["numberOfResults"]].concat();
        call.request.model = json::string_at(body, &["model"]).or_else(|| json::string_at(body, &arn));
        let retrieval = &mut self.retrieval;
        retrieval.top_k = ["top_n", "top_k"]
            .iter()
            .find_map(|key| json::i64_at(body, &[key]))
            .or_else(|| json::i64_at(body, &results));
        let documents = DOCUMENTS.iter().find_map(|key| json::at(body, &[key]).and_then(Value::as_array));
        retrieval.documents = documents.map(|documents| skim::array_len(documents));
        let query = json::string_at(body, &["query"]).or_else(|| {
            json::array_at(body, &["queries"])
                .first()
                .and_then(|query| json::string_at(query, &["textQuery", "text"]))
        });
        retrieval.query = query.filter(|_| self.content);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if call.error.is_some() {
            return;
        }
        call.response.id = json::string_at(body, &["id"]);
        call.response.model = json::string_at(body, &["model"]);
        Self::count(body, call);
        // TEI answers with the bare list.
        let list =
            body.as_array().or_else(|| RESULTS.iter().find_map(|key| json::at(body, &[key])?.as_array()));
        if let Some(items) = list {
            self.hits(items);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match error::in_item(event, data) {
            Some(failure) => call.error = Some(failure),
            // One element of a bare list.
            None if json::at(data, &["index"]).is_some() => self.hits(std::slice::from_ref(data)),
            None => self.response(data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        call.retrieval = Some(Box::new(std::mem::take(&mut self.retrieval)));
    }

    fn held_bytes(&self) -> usize {
        self.retrieval.found.len() * size_of::<Hit>() + self.retrieval.query.as_ref().map_or(0, String::len)
    }
}

#[cfg(test)]
mod tests;
