//! The request body of an exchange, skimmed as it arrives and read when it has ended.

use agent_wire::{Body, RequestHead};
use serde_json::Value;

use super::Fold;
use super::form::Form;
use super::stand::Standing;
use crate::call::Api;
use crate::codec::{json, registry};
use crate::decoder::DecoderOptions;
use crate::recognise;
use crate::skim::{self, Ending, SkimLimits, Skimmer};

/// Bytes of a body on an unknown path within which one of the members of our requests must begin.
const SNIFF: u64 = 128 << 10;
/// Output of a skim without content. Tools and settings fit many times over.
const BARE_BUDGET: usize = 512 << 10;
/// Longest string kept without content: ids, names, messages of errors.
pub(super) const BARE_STRING: usize = 1024;

/// Members of a request that hold content.
const CONTENT_MEMBERS: &[&str] = &[
    "messages",
    "input",
    "inputs",
    "system",
    "instructions",
    "contents",
    "documents",
    "prompt",
    "requests",
    "instances",
];
/// Members anywhere that are bulk, or content, or both.
const BULK_MEMBERS: &[&str] = &[
    "parameters",
    "input_schema",
    "inputSchema",
    "description",
    "schema",
    "logit_bias",
    "encrypted_content",
];

/// The body so far.
pub(super) struct RequestBody {
    skimmer: Option<Skimmer>,
    /// The body is a form, read in place of JSON.
    form: Option<Form>,
    settled: bool,
    /// A hole in the body: what follows it cannot be joined.
    broken: bool,
    /// The body is an array, whose elements were taken one by one.
    pub(super) elements: bool,
    /// Bytes of the body that the call holds as content.
    kept: usize,
}

impl RequestBody {
    pub(super) fn new(options: &DecoderOptions, head: &RequestHead, api: Option<Api>) -> Self {
        let max_field = if options.content { options.max_body } else { BARE_STRING };
        Self {
            skimmer: Some(Skimmer::new(limits(options, api))),
            form: head.headers.get("content-type").and_then(|kind| Form::new(kind, max_field)),
            settled: false,
            broken: false,
            elements: false,
            kept: 0,
        }
    }

    pub(super) fn take(&mut self, body: Body<'_>) {
        if let (Some(form), Body::Data(data), false) = (self.form.as_mut(), body, self.broken) {
            form.push(data);
            return;
        }
        let Some(skimmer) = self.skimmer.as_mut().filter(|_| !self.broken) else { return };
        match body {
            Body::Data(data) => skimmer.push(data),
            Body::Line { data, .. } => {
                skimmer.push(data);
                skimmer.push(b"\n");
            }
            Body::Event(_) | Body::Element { .. } | Body::Message(_) | Body::Grpc { .. } | Body::Frame(_) => {
            }
            Body::Gap(_) => self.broken = true,
        }
    }

    /// Whether the bytes so far show that it is none of our requests.
    pub(super) fn is_foreign(&self) -> bool {
        let Some(skimmer) = self.skimmer.as_ref() else { return false };
        let keys = skimmer.root_keys();
        let own = keys.iter().any(|key| recognise::is_own_key(key));
        skimmer.is_no_object()
            || skimmer.has_ended() && !own
            || keys.iter().any(|key| recognise::is_foreign_key(key))
            || skimmer.taken() > SNIFF && !own
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.skimmer.as_ref().map_or(0, Skimmer::held_bytes)
            + self.form.as_ref().map_or(0, Form::held_bytes)
            + self.kept
    }
}

fn limits(options: &DecoderOptions, api: Option<Api>) -> SkimLimits {
    if options.content {
        // Inputs of embeddings are no message content.
        let thin = api.and_then(registry::spec).map_or(&[][..], |spec| spec.thin);
        SkimLimits {
            max_string: usize::MAX,
            max_numbers: usize::MAX,
            budget: options.max_body,
            reserve: 1 << 20,
            thin,
            drop: &[],
        }
    } else {
        SkimLimits {
            max_string: BARE_STRING,
            max_numbers: 8,
            budget: BARE_BUDGET,
            reserve: 64 << 10,
            thin: CONTENT_MEMBERS,
            drop: BULK_MEMBERS,
        }
    }
}

impl Fold {
    /// The request is as complete as it will ever be: reads it and judges by it. `partial`: part of it was not seen.
    pub(super) fn settle_request(&mut self, partial: bool) {
        if std::mem::replace(&mut self.request.settled, true) {
            return;
        }
        if let Some(form) = self.request.form.take() {
            let unseen = partial || self.request.broken;
            self.judge_request(Some(form.finish()), unseen, 0);
            return;
        }
        let Some(skimmed) = self.request.skimmer.take().map(Skimmer::finish) else { return };
        if self.options.content {
            self.request.kept = skimmed.json.len();
        }
        let completeness = &mut self.call.completeness;
        completeness.body_capped |= skimmed.capped;
        let mut value = skimmed.value();
        if let (true, Some(value)) = (skimmed.capped, value.as_mut()) {
            skim::strip_marks(value);
        }
        match skimmed.ending {
            Ending::Empty | Ending::Whole => {}
            Ending::Truncated if partial || self.request.broken => {}
            Ending::Truncated => {
                super::note_undecodable(completeness, "request", Some("the JSON text ends inside a value"));
            }
            Ending::Invalid(at) => {
                super::note_undecodable(completeness, "request", Some(&format!("no JSON from byte {at} on")));
            }
        }
        // What came as elements of an array has been judged one by one.
        if self.request.elements {
            return;
        }
        let unseen = partial || self.request.broken || self.stand.attached;
        self.judge_request(value.filter(Value::is_object), unseen, skimmed.json.len());
    }

    fn judge_request(&mut self, body: Option<Value>, unseen: bool, bytes: usize) {
        match (self.stand.standing, body) {
            (Standing::Settled, Some(body)) => self.read_request(&body),
            (Standing::Claimed, Some(body)) => {
                // A request that a known provider will refuse for what it lacks is a failed call all the same.
                let refused = || json::at(&body, &["model"]).is_some() && self.is_known_host();
                let agrees = recognise::agrees(self.call.api, &body);
                let rival = if agrees { None } else { recognise::rival(&self.head, &body) };
                if let Some(route) = rival {
                    self.reroute(route);
                    self.read_request(&body);
                } else if agrees && self.is_telling(&body) || refused() {
                    self.stand.standing = Standing::Settled;
                    self.read_request(&body);
                } else if unseen || agrees {
                    // The answer confirms it, or refuses.
                    self.read_request(&body);
                } else {
                    // The path is that of one API and the body may be another's (Writer and gateways have chat completions where
                    // Cohere has its own).
                    self.stand.reopen();
                    self.judge_request(Some(body), unseen, bytes);
                }
            }
            (Standing::Open(_), Some(body)) if self.is_at_root() && recognise::session(&body).is_none() => {
                self.stand.reject();
            }
            (Standing::Open(_), Some(body)) => match recognise::request(&body, self.anthropic) {
                Some(candidate) => match recognise::session(&body) {
                    Some(api) => {
                        self.settle(api);
                        self.read_request(&body);
                    }
                    None => {
                        self.stand.standing = Standing::Open(Some(candidate));
                        self.stand.wait(body, bytes);
                    }
                },
                None if unseen => {}
                None => self.stand.reject(),
            },
            (Standing::Open(_), None) if !unseen => self.stand.reject(),
            _ => {}
        }
    }

    /// Whether a body that agrees with its path is enough.
    fn is_telling(&self, body: &Value) -> bool {
        let vague = registry::spec(self.call.api).is_some_and(|spec| spec.vague);
        let deployment = || self.route.as_ref().is_some_and(|route| route.deployment.is_some());
        !vague || json::str_at(body, &["model"]).is_some() || deployment() || self.is_known_host()
    }

    /// The request names no place on its host. No API of models lives there, whatever the bodies look like; remote procedures do.
    fn is_at_root(&self) -> bool {
        let head = &self.head;
        let origin = head.target.starts_with('/') || head.target.contains("://");
        let path = head.path().split('/').any(|segment| !segment.is_empty());
        let unseen = head.method.is_empty() || head.target.is_empty();
        !(unseen || origin && path)
    }

    pub(super) fn read_request(&mut self, body: &Value) {
        if self.stand.session.is_some() {
            let at = self.call.timing.request_end.unwrap_or(self.call.timing.start);
            let bytes = self.call.completeness.request_bytes;
            self.session_message(true, "", body, bytes, at);
            return;
        }
        if let Some(codec) = self.stand.codec.as_mut() {
            codec.request(body, &mut self.call);
        }
    }
}
