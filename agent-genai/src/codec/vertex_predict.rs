//! `predict` and `predictLongRunning`: embeddings of Vertex, images, videos, and the text models that came before Gemini.

mod predictions;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;
use serde_json::Value;

use self::predictions::Made;
use super::content::Budget;
use super::gemini::names;
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Message, Operation, Part, Unit, UsageUnits};
use crate::skim;

const GEMINI: &str = "*generativelanguage.googleapis.com";
const VERTEX: &str = "*aiplatform*.googleapis.com";

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("models/{model}:predict", Operation::GenerateContent).at(GEMINI),
        Row::certain("models/{model}:predictLongRunning", Operation::GenerateContent),
        Row::certain("publishers/*/models/{model}:predict", Operation::GenerateContent),
        // Models of one's own, of any kind, live at endpoints; other servers of models have such paths, too.
        Row::likely("endpoints/{model}:predict", Operation::GenerateContent).at(VERTEX),
        Row::certain("models/{model}:fetchPredictOperation", Operation::FetchResponse),
        Row::certain("models/{model}/operations/*", Operation::FetchResponse).by("GET").at(GEMINI),
    ],
    request: |body| {
        let first = names::array(body, &["instances"]).first();
        first.is_some_and(|instance| {
            ["prompt", "messages", "taskType"].iter().any(|key| names::get(instance, &[key]).is_some())
        })
    },
    thin: &[],
    thin_response: &[],
    short_numbers: true,
    ..Spec::new(
        Api::VertexPredict,
        Operation::GenerateContent,
        "gcp.vertex_ai",
        Make::Codec(|options| Box::new(VertexPredict::new(options))),
    )
};

/// Folds one exchange of `predict`.
pub(crate) struct VertexPredict {
    options: CodecOptions,
    /// Seconds of video asked for.
    seconds: Option<Decimal>,
    fetch: bool,
    /// Input was summed over the predictions.
    summed: bool,
}

impl VertexPredict {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, seconds: None, fetch: false, summed: false }
    }

    /// A long-running operation: begun, or as it stands.
    fn operation(&mut self, body: &Value, call: &mut Call) {
        call.response.id = names::string(body, &["name"]);
        let done = names::get(body, &["done"]).and_then(Value::as_bool).unwrap_or(false);
        let failed = error::in_item("", body).is_some();
        let status = if failed {
            "failed"
        } else if done {
            "completed"
        } else {
            "in_progress"
        };
        call.response.status = Some(status.to_owned());
        // Videos are billed by the second; only the request says how many.
        if let Some(quantity) = self.seconds.take().filter(|_| !self.fetch && !failed) {
            call.usage.units.push(UsageUnits { unit: Unit::VideoSecond, quantity });
        }
    }
}

impl Codec for VertexPredict {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.fetch = facts.row.is_some_and(|row| row.operation == Operation::FetchResponse);
        call.request.model = facts.model.map(str::to_owned);
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        if self.fetch {
            return;
        }
        let instances = names::array(body, &["instances"]);
        let parameters = names::get(body, &["parameters"]).unwrap_or(&Value::Null);
        let first = instances.first().unwrap_or(&Value::Null);
        let model = call.request.model.clone().unwrap_or_default();
        let request = &mut call.request;
        if is_embedding(&model, first) {
            call.operation = Operation::Embeddings;
            request.dimensions = names::integer(parameters, &["outputDimensionality"])
                .or_else(|| names::integer(parameters, &["dimension"]));
            request.input_count = Some(skim::array_len(instances));
            return;
        }
        let number = |key: &str| names::get(parameters, &[key]).and_then(Value::as_f64);
        request.temperature = number("temperature");
        request.top_p = number("topP");
        request.top_k = names::integer(parameters, &["topK"]);
        request.max_tokens = names::integer(parameters, &["maxOutputTokens"]);
        request.seed = names::integer(parameters, &["seed"]);
        request.choice_count = names::integer(parameters, &["sampleCount"])
            .or_else(|| names::integer(parameters, &["candidateCount"]));
        request.stop = names::get(parameters, &["stopSequences"])
            .map(|stop| json::strings_at(stop, &[]))
            .unwrap_or_default();
        if model.starts_with("imagen") {
            request.output_type = Some("image".to_owned());
        }
        let seconds = names::get(parameters, &["durationSeconds"]).and_then(json::as_decimal);
        let videos = Decimal::from(request.choice_count.unwrap_or(1).clamp(1, 64));
        self.seconds = seconds
            .filter(|seconds| !seconds.is_sign_negative())
            .and_then(|seconds| seconds.checked_mul(videos));
        if self.options.content {
            request.messages = instances.iter().filter_map(asked).collect();
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        if status.is_some() {
            return;
        }
        if names::get(body, &["name"]).is_some() {
            self.operation(body, call);
        }
        let made = Made::of(body, self.options.content, &mut Budget::new(self.options.max_content));
        self.summed = made.is_summed();
        made.store(call);
        // Chirp and others that name neither answer to `deployedModelId`.
        if call.response.model.is_none() {
            call.response.model = names::string(body, &["modelDisplayName"]);
        }
    }

    fn event(&mut self, _event: &str, data: &Value, call: &mut Call) {
        self.response(data, call);
    }

    fn finish(&mut self, call: &mut Call) {
        // Each prediction counts for itself: the sum over some of them is no count.
        let seen = &call.completeness;
        if seen.truncated || seen.lost_bytes > 0 || seen.body_capped || seen.undecodable.is_some() {
            if self.summed {
                call.usage.input = None;
            }
            call.response.vector_count = None;
            call.usage.units.retain(|units| units.unit != Unit::Image);
        }
    }

    fn held_bytes(&self) -> usize {
        0
    }
}

/// By the model's name, else by what the first instance holds: a text with a task.
fn is_embedding(model: &str, instance: &Value) -> bool {
    let has = |key: &str| names::get(instance, &[key]).is_some();
    model.contains("embedding") || model.contains("gecko") || has("taskType")
}

/// What one instance asks.
fn asked(instance: &Value) -> Option<Message> {
    let text = ["prompt", "content", "context"].iter().find_map(|key| names::string(instance, &[key]))?;
    Some(Message { role: "user".to_owned(), parts: vec![Part::Text(text)], name: None, finish_reason: None })
}
