//! Bedrock guardrails on their own: content is judged, no model is asked.

use agent_wire::ResponseHead;
use serde_json::Value;

use crate::call::{Api, Call, Operation};
use crate::codec::aws::Told;
use crate::codec::completions::said;
use crate::codec::retrieval::segment_after;
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, RequestFacts, error, json};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("guardrail/*/version/*/apply", Operation::Moderation),
        Row::certain("guardrail-checks/invoke", Operation::Moderation).at("*bedrock-runtime*"),
    ],
    ..Spec::new(
        Api::BedrockGuardrail,
        Operation::Moderation,
        "aws.bedrock",
        Make::Codec(|options| Box::new(Guardrail { content: options.content, told: Told::default() })),
    )
};

/// Folds one exchange.
pub(crate) struct Guardrail {
    content: bool,
    told: Told,
}

impl Codec for Guardrail {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        call.request.guardrail = segment_after(facts.head.path(), "guardrail");
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        if self.content {
            // `INPUT` is what a user said, `OUTPUT` what a model did.
            let role = if json::str_at(body, &["source"]) == Some("OUTPUT") { "assistant" } else { "user" };
            let texts = json::array_at(body, &["content"]).iter();
            call.request.messages =
                texts.filter_map(|block| Some(said(role, json::str_at(block, &["text", "text"])?))).collect();
        }
    }

    fn response_head(&mut self, head: &ResponseHead, _call: &mut Call) {
        self.told = Told::new(head);
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        if let Some(action) = json::str_at(body, &["action"]) {
            call.response.flagged = Some(action != "NONE");
        }
        if self.content {
            let texts = json::array_at(body, &["outputs"]).iter();
            call.response.messages = texts
                .filter_map(|output| Some(said("assistant", json::str_at(output, &["text"])?)))
                .collect();
        }
    }

    fn event(&mut self, _event: &str, data: &Value, call: &mut Call) {
        self.response(data, call);
    }

    fn finish(&mut self, call: &mut Call) {
        self.told.name_error(call);
    }

    fn held_bytes(&self) -> usize {
        0
    }
}
