//! Cohere's generate, summarize and classify, from before chat.

use serde_json::Value;

use super::{HOST, billed_alone, count, settings};
use crate::call::{Api, Call, Operation};
use crate::codec::answers::Answers;
use crate::codec::completions::said;
use crate::codec::spec::{Make, Row, Spec};
use crate::codec::{Codec, CodecOptions, error, json};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("generate", Operation::TextCompletion).at(HOST),
        Row::certain("summarize", Operation::TextCompletion).at(HOST),
        Row::certain("classify", Operation::Moderation).at(HOST),
        Row::likely("v1/generate", Operation::TextCompletion),
    ],
    request: |body| json::at(body, &["prompt"]).is_some_and(Value::is_string),
    response,
    sniff: Some(|body| {
        json::str_at(body, &["model"]).is_some() && json::at(body, &["prompt"]).is_some_and(Value::is_string)
    }),
    ..Spec::new(
        Api::CohereLegacy,
        Operation::TextCompletion,
        "cohere",
        Make::Codec(|options| Box::new(CohereLegacy::new(options))),
    )
};

fn response(_event: &str, body: &Value) -> Option<bool> {
    let generations = json::array_at(body, &["generations"]);
    let line = json::bool_at(body, &["is_finished"]).is_some() && json::at(body, &["text"]).is_some();
    (line || generations.iter().any(|item| json::at(item, &["text"]).is_some())).then_some(true)
}

/// Folds one exchange.
pub(crate) struct CohereLegacy {
    answers: Answers,
    pieces: bool,
    ended: bool,
    /// Something of this API's was in the answer.
    shown: bool,
    answered: bool,
}

impl CohereLegacy {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), pieces: false, ended: false, shown: false, answered: false }
    }

    fn whole(&mut self, body: &Value, call: &mut Call) {
        call.response.id = json::string_at(body, &["id"]);
        if let Some(meta) = json::at(body, &["meta"]) {
            count(meta, call);
            billed_alone(call);
        }
        for (index, item) in (0..).zip(json::array_at(body, &["generations"])) {
            let pieces = self.pieces;
            let Some(mut slot) = self.answers.slot(index) else { return };
            slot.reason(json::str_at(item, &["finish_reason"]));
            if !pieces {
                slot.text(json::str_at(item, &["text"]));
            }
        }
        if let Some(summary) = json::str_at(body, &["summary"])
            && let Some(mut slot) = self.answers.slot(0)
        {
            slot.text(Some(summary));
        }
        self.shown |= ["generations", "summary", "classifications", "meta"]
            .iter()
            .any(|key| json::at(body, &[key]).is_some());
    }
}

impl Codec for CohereLegacy {
    fn request(&mut self, body: &Value, call: &mut Call) {
        settings(body, call);
        if let Some(inputs) = json::at(body, &["inputs"]).and_then(Value::as_array) {
            call.request.input_count = Some(skim::array_len(inputs));
        }
        if self.answers.content() {
            let text = json::str_at(body, &["prompt"]).or_else(|| json::str_at(body, &["text"]));
            call.request.messages = text.map(|text| said("user", text)).into_iter().collect();
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.answered = true;
        error::note("", body, call);
        if call.error.is_none() {
            self.whole(body, call);
        } else {
            self.shown = true;
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        self.answered = true;
        error::note_item(event, data, call);
        if json::bool_at(data, &["is_finished"]) == Some(true) {
            self.ended = true;
            if let Some(body) = json::at(data, &["response"]) {
                self.whole(body, call);
            }
            if let Some(mut slot) = self.answers.slot(0) {
                slot.reason(json::str_at(data, &["finish_reason"]));
            }
        } else if let Some(piece) = json::str_at(data, &["text"]) {
            self.pieces = true;
            self.shown = true;
            let index = json::u64_at(data, &["index"]).unwrap_or(0);
            if let Some(mut slot) = self.answers.slot(index) {
                slot.text(Some(piece));
            }
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn is_call(&self) -> bool {
        self.shown || !self.answered
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}
