//! Bedrock InvokeModel: the body is the vendor's own, and the decoder is the one that reads that vendor's bodies elsewhere.
//!
//! What Bedrock adds is around it: the model in the path, token counts in headers and in the last object of a stream, guardrails, the
//! kind of a failure in a header. Each event of a stream holds one object of the vendor's stream in base64.

mod family;
mod pictures;
mod sonic;
#[cfg(test)]
mod tests;
pub(super) mod text;
mod vectors;

use agent_wire::ResponseHead;
use base64::Engine;
use serde_json::Value;

use self::family::Family;
use super::aws::{Counts, Told};
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, RequestFacts, error, json};
use crate::call::{Api, Call, Operation, Usage};

/// Hosts of Amazon.
const HOSTS: [&str; 2] = ["*.amazonaws.com*", "*.api.aws"];

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("model/{model..}/invoke", Operation::Chat).at(HOSTS[0]),
        Row::certain("model/{model..}/invoke", Operation::Chat).at(HOSTS[1]),
        Row::likely("model/{model..}/invoke", Operation::Chat),
        Row::certain("model/{model..}/invoke-with-response-stream", Operation::Chat),
        Row::certain("model/{model..}/invoke-with-bidirectional-stream", Operation::Chat),
        Row::certain("async-invoke", Operation::GenerateContent).at(HOSTS[0]),
        Row::certain("async-invoke", Operation::GenerateContent).at(HOSTS[1]),
    ],
    response: |event, body| {
        (event == "chunk" && body.get("bytes").is_some() || Family::of_answer(body).is_some()).then_some(true)
    },
    // Inputs of embeddings.
    thin: &["texts", "images", "inputImage"],
    // Vectors, and pictures in base64.
    thin_response: &["data", "embedding", "embeddings", "embeddingsByType", "images", "artifacts"],
    packed: true,
    ..Spec::new(
        Api::BedrockInvoke,
        Operation::Chat,
        "aws.bedrock",
        Make::Codec(|options| Box::new(Invoke::new(options))),
    )
};

/// Folds one exchange.
pub(crate) struct Invoke {
    options: CodecOptions,
    model: Option<String>,
    inner: Option<Box<dyn Codec>>,
    told: Told,
    metrics: Counts,
    stream: bool,
    background: bool,
}

impl Invoke {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self {
            options,
            model: None,
            inner: None,
            told: Told::default(),
            metrics: Counts::default(),
            stream: false,
            background: false,
        }
    }

    fn make(&mut self, family: Family, call: &mut Call) {
        call.operation = family.operation();
        self.inner = Some(family.codec(self.options));
    }

    /// What Bedrock puts beside the vendor's members.
    fn added(&mut self, body: &Value, call: &mut Call) {
        if let Some(action) = json::str_at(body, &["amazon-bedrock-guardrailAction"]) {
            let flagged = action != "NONE";
            call.response.flagged = Some(flagged || call.response.flagged == Some(true));
        }
        if let Some(metrics) = json::at(body, &["amazon-bedrock-invocationMetrics"]) {
            self.metrics.update(Counts::of_metrics(metrics));
        }
    }

    /// The vendor's decoder; by the answer's shape when the request told none.
    fn vendor(&mut self, body: &Value, call: &mut Call) -> Option<&mut Box<dyn Codec>> {
        if self.inner.is_none()
            && let Some(family) = Family::of_answer(body)
        {
            self.make(family, call);
        }
        self.inner.as_mut()
    }
}

impl Codec for Invoke {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.model = facts.model.map(str::to_owned);
        self.stream = facts.row.is_some_and(|row| row.path.ends_with("-stream"));
        self.background = facts.row.is_some_and(|row| row.path == "async-invoke");
        if facts.row.is_some_and(|row| row.path.ends_with("-bidirectional-stream")) {
            self.make(Family::Sonic, call);
        }
        call.request.model.clone_from(&self.model);
        call.request.stream = self.stream;
        let header = |name: &str| facts.head.headers.get(name).map(str::to_owned);
        call.request.guardrail = header("x-amzn-bedrock-guardrailidentifier");
        call.request.service_tier = header("x-amzn-bedrock-service-tier");
        call.request.speed =
            header("x-amzn-bedrock-performanceconfig-latency").filter(|word| word != "standard");
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let asked = &mut call.request;
        let (guardrail, tier, speed) =
            (asked.guardrail.take(), asked.service_tier.take(), asked.speed.take());
        let body = if self.background {
            self.model = json::string_at(body, &["modelId"]);
            json::at(body, &["modelInput"]).unwrap_or(&Value::Null)
        } else {
            body
        };
        let family = Family::of_request(self.model.as_deref().unwrap_or_default(), body);
        self.make(family, call);
        if let Some(inner) = self.inner.as_mut() {
            inner.request(body, call);
        }
        let request = &mut call.request;
        // The path names the model, whatever the body says.
        if self.model.is_some() {
            request.model.clone_from(&self.model);
        }
        request.stream |= self.stream;
        request.guardrail = guardrail.or(request.guardrail.take());
        request.service_tier = tier.or(request.service_tier.take());
        request.speed = speed.or(request.speed.take());
    }

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        self.told = Told::new(head);
        call.response.service_tier = head.headers.get("x-amzn-bedrock-service-tier").map(str::to_owned);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        if let Some(status) = call.http.status.filter(|status| *status >= 400) {
            call.error = Some(error::from_body(body, Some(status)));
            return;
        }
        if self.background {
            // The work is only taken on; its answer goes to a bucket.
            call.response.id = json::string_at(body, &["invocationArn"]);
            return;
        }
        self.added(body, call);
        if let Some(vendor) = self.vendor(body, call) {
            vendor.response(body, call);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let Some(packed) = json::str_at(data, &["bytes"]) else {
            error::note_item(event, data, call);
            return;
        };
        let object = base64::engine::general_purpose::STANDARD
            .decode(packed)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let Some(object) = object else {
            let what = "response: a chunk holds no JSON in base64";
            call.completeness.undecodable.get_or_insert_with(|| what.to_owned());
            return;
        };
        self.added(&object, call);
        let Some(vendor) = self.vendor(&object, call) else { return };
        // Nova's stream has Converse's events, each under its own name.
        let named = object
            .as_object()
            .and_then(|members| members.iter().find(|(key, value)| super::converse::is_event(key, value)));
        match named {
            Some((name, inner)) => vendor.event(name, inner, call),
            None => vendor.event("", &object, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        if let Some(inner) = self.inner.as_mut() {
            inner.finish(call);
        }
        // A guardrail that stops the input leaves no inference to measure; the counts beside its own text are of nothing that a model
        // read or wrote.
        let stopped = self.stream && call.response.flagged == Some(true) && self.metrics == Counts::default();
        if stopped {
            call.usage = Usage::default();
        }
        self.metrics.or(&self.told.counts);
        self.metrics.settle_into(&mut call.usage);
        if call.operation == Operation::Embeddings {
            call.usage.output = None;
        }
        self.told.name_error(call);
        // The service's own answer in place of the model's has no reason of the vendor's; Converse has this word for it.
        if call.response.flagged == Some(true)
            && call.response.finish_reasons.is_empty()
            && call.error.is_none()
        {
            call.response.finish_reasons.push("guardrail_intervened".to_owned());
        }
    }

    fn has_ended(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.has_ended())
    }

    fn held_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.held_bytes())
    }
}
