//! Searches in vector stores, and web search made for models: one fold, led by a table of systems.
//!
//! Only searches are calls. What fills, lists, counts or manages a store is no retrieval and no inference, so it makes no span.

mod forms;
mod graphql;
mod knn;
#[cfg(test)]
mod tests;
mod tree;

use agent_wire::ResponseHead;
use rust_decimal::Decimal;
use serde_json::Value;

use self::forms::{Ask, Form, Found, Place};
pub(super) use self::tree::segment_after;
use super::spec::{Make, Spec};
use super::{Codec, RequestFacts, error, json};
use crate::call::{Api, Call, CallError, Hit, Operation, Retrieval, Unit, UsageUnits};
use crate::providers;
use crate::skim;

/// Vector stores: where they live and how they look.
pub(crate) static SPEC: Spec = Spec {
    rows: &forms::STORE_ROWS,
    thin_response: &[],
    ..Spec::new(
        Api::VectorStore,
        Operation::Retrieval,
        "",
        Make::Codec(|options| Box::new(Search::new(options.content))),
    )
};

/// Web search: at known hosts only, because its path and its bodies are those of any search.
pub(crate) static WEB: Spec = Spec {
    rows: &forms::WEB_ROWS,
    thin_response: &[],
    ..Spec::new(
        Api::WebSearch,
        Operation::Retrieval,
        "",
        Make::Codec(|options| Box::new(Search::new(options.content))),
    )
};

/// Most hits whose ids and scores are kept.
const MAX_HITS: usize = 100;

/// Folds one search.
struct Search {
    content: bool,
    form: Option<&'static Form>,
    foreign: bool,
}

impl Search {
    fn new(content: bool) -> Self {
        Self { content, form: None, foreign: false }
    }
}

impl Codec for Search {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.form = facts.row.and_then(forms::of);
        let Some(form) = self.form else { return };
        let host = facts.head.authority().map(providers::split_authority).map(|(host, _)| host);
        let at = |place: Place| place.in_head(facts.head.path(), host);
        call.retrieval = Some(Box::new(Retrieval {
            system: form.system.to_owned(),
            data_source: at(form.collection),
            namespace: at(form.namespace),
            ..Retrieval::default()
        }));
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let (Some(form), Some(retrieval)) = (self.form, call.retrieval.as_mut()) else { return };
        let asked = match form.ask {
            Ask::Any(paths) => paths.iter().any(|path| tree::is_given(body, path)),
            Ask::GraphQl => graphql::read(body, self.content, retrieval),
            Ask::Knn => knn::read(body, self.content, retrieval),
        };
        if !asked {
            self.foreign = true;
            return;
        }
        for (place, to) in
            [(form.collection, &mut retrieval.data_source), (form.namespace, &mut retrieval.namespace)]
        {
            if let (Place::Body(path), None) = (place, &to) {
                *to = tree::text(body, path);
            }
        }
        let first = |paths: &[&str]| paths.iter().find_map(|path| tree::number(body, path));
        retrieval.top_k = retrieval.top_k.or_else(|| first(form.top_k));
        retrieval.filtered |= form.filter.iter().any(|path| tree::is_given(body, path));
        let counts = form.queries.iter().find_map(|path| tree::arrays(body, path).first().copied());
        retrieval.queries = retrieval.queries.or_else(|| counts.map(skim::array_len));
        if self.content && retrieval.query.is_none() {
            retrieval.query = form.query.iter().find_map(|path| tree::text(body, path));
        }
        if let Some(model) = form.model.iter().find_map(|path| tree::text(body, path)) {
            call.request.model = Some(model);
        }
    }

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        // Both answer the same path; only the elder names itself.
        if let (Some(retrieval), Some(product)) =
            (call.retrieval.as_mut(), head.headers.get("x-elastic-product"))
            && retrieval.system == "opensearch"
        {
            retrieval.system = product.to_ascii_lowercase();
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let (Some(form), Some(retrieval)) = (self.form, call.retrieval.as_mut()) else { return };
        call.response.id =
            json::string_at(body, &["request_id"]).or_else(|| json::string_at(body, &["requestId"]));
        for (path, unit) in form.units {
            if let Some(quantity) =
                tree::at(body, path).and_then(json::as_decimal).filter(|many| *many > Decimal::ZERO)
            {
                call.usage.units.push(UsageUnits { unit: *unit, quantity });
            }
        }
        let status = call.http.status.filter(|status| *status >= 400);
        if status.is_some() {
            call.error = Some(failure(body, status));
            return;
        }
        let capped = call.completeness.body_capped;
        let others = form.others.iter().any(|path| tree::at(body, path).is_some());
        if others || !found(form, body, self.content, capped, retrieval) {
            match refusal(body).filter(|_| !others) {
                Some(error) => call.error = Some(error),
                None => self.foreign = true,
            }
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        if let Some(error) = error::in_item(event, data) {
            call.error = Some(error);
        }
    }

    fn finish(&mut self, _call: &mut Call) {}

    fn is_call(&self) -> bool {
        !self.foreign
    }

    fn held_bytes(&self) -> usize {
        0
    }
}

/// Reads the hits; `false` when the body has none of the places where they stand.
fn found(form: &Form, body: &Value, content: bool, capped: bool, retrieval: &mut Retrieval) -> bool {
    match form.found {
        Found::Rows { lists, id, score, text } => {
            let Some(lists) =
                lists.iter().map(|path| tree::arrays(body, path)).find(|lists| !lists.is_empty())
            else {
                return false;
            };
            retrieval.hits = Some(lists.iter().map(|list| skim::array_len(list)).sum());
            let hits = lists.iter().flat_map(|list| list.iter()).filter(|hit| hit.is_object());
            retrieval.found = hits
                .take(MAX_HITS)
                .map(|hit| Hit {
                    id: id.iter().find_map(|path| tree::text(hit, path)),
                    score: score.iter().find_map(|path| tree::float(hit, path)),
                    content: text.iter().filter(|_| content).find_map(|path| tree::at(hit, path)).cloned(),
                })
                .collect();
            // Hits without id and score are another system's; Weaviate gives only what was asked for.
            let bare = |hit: &Hit| hit.id.is_none() && hit.score.is_none();
            let free = capped || matches!(form.ask, Ask::GraphQl);
            if !free && retrieval.found.first().is_some_and(bare) {
                return false;
            }
        }
        Found::Columns { id, score, text } => {
            let columns = |path| -> Vec<&Value> {
                tree::arrays(body, path).into_iter().flat_map(|list| list.iter()).take(MAX_HITS).collect()
            };
            let lists = tree::arrays(body, id);
            if lists.is_empty() {
                return false;
            }
            retrieval.hits = Some(lists.iter().map(|list| skim::array_len(list)).sum());
            let scores: Vec<&Value> =
                score.iter().map(|path| columns(path)).find(|all| !all.is_empty()).unwrap_or_default();
            let texts = columns(text);
            let ids = columns(id).into_iter().enumerate();
            retrieval.found = ids
                .map(|(at, id)| Hit {
                    id: tree::as_text(id),
                    score: scores.get(at).and_then(|score| score.as_f64()),
                    content: texts
                        .get(at)
                        .filter(|text| content && !text.is_null())
                        .map(|text| (*text).clone()),
                })
                .collect();
        }
    }
    retrieval.best_score = retrieval.found.first().and_then(|hit| hit.score);
    true
}

/// The error of a body under a success status: GraphQL's list, or a code of the store's own that is not that of success.
fn refusal(body: &Value) -> Option<CallError> {
    let listed = !json::array_at(body, &["errors"]).is_empty();
    let code = json::i64_at(body, &["code"]).filter(|code| !matches!(code, 0 | 200));
    let coded = code.filter(|_| json::str_at(body, &["message"]).is_some());
    match coded {
        Some(code) => {
            Some(error::own(&code.to_string(), json::str_at(body, &["message"]).unwrap_or_default()))
        }
        None if listed => Some(error::from_body(body, None)),
        None => error::in_item("", body),
    }
}

/// The error of a failed search; stores put its words in places of their own.
fn failure(body: &Value, status: Option<u16>) -> CallError {
    // Chroma: the class of the error as text, its words beside it.
    if let (Some(kind), Some(words)) = (json::str_at(body, &["error"]), json::str_at(body, &["message"])) {
        return error::own(kind, &format!("{kind}: {words}"));
    }
    let mut failure = error::from_body(body, status);
    if failure.message.is_empty() {
        let places = ["status/error", "error/reason", "error/root_cause/*/reason", "detail"];
        if let Some(words) = places.iter().find_map(|path| tree::text(body, path)) {
            failure = error::own(&failure.kind, &words);
        }
    }
    failure
}

impl Place {
    /// The name, where the head of the request tells it.
    fn in_head(self, path: &str, host: Option<&str>) -> Option<String> {
        match self {
            Self::None | Self::Body(_) => None,
            Self::After(word) => segment_after(path, word),
            Self::Before(word) => tree::segment_before(path, word),
            // `{index}-{project}.svc.…`
            Self::Label => {
                let (label, domain) = host?.split_once('.')?;
                let (index, _) = label.rsplit_once('-').filter(|_| domain.starts_with("svc."))?;
                Some(index.to_owned())
            }
        }
    }
}

/// Units that stores bill by, at the places where they report them.
const READ_UNITS: &[(&str, Unit)] = &[
    ("usage/readUnits", Unit::ReadUnit),
    ("usage/read_units", Unit::ReadUnit),
    ("usage/rerank_units", Unit::SearchUnit),
];
