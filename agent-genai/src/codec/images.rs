//! Images made by request: OpenAI's API and the servers that speak it. The media themselves are counted, never kept.

use rust_decimal::Decimal;
use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, error, json, usage};
use crate::call::{Api, Call, Message, Operation, Part, Unit, UsageUnits};
use crate::skim;

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::likely("images/generations", Operation::GenerateContent),
        Row::likely("images/edits", Operation::GenerateContent),
        Row::likely("images/variations", Operation::GenerateContent),
    ],
    request: |body| ["prompt", "model", "image"].iter().any(|key| json::at(body, &[key]).is_some()),
    open_ended: true,
    ..Spec::new(
        Api::Images,
        Operation::GenerateContent,
        "openai",
        Make::Codec(|options| Box::new(Images::new(options))),
    )
};

/// Folds one exchange of the images API.
pub(crate) struct Images {
    content: bool,
    /// Images whose stream has brought them to their end.
    completed: u64,
}

impl Images {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { content: options.content, completed: 0 }
    }

    fn usage(body: &Value, call: &mut Call) {
        let units = std::mem::take(&mut call.usage.units);
        if let Some(found) =
            json::at(body, &["usage"]).and_then(|usage| usage::openai(usage, Dialect::Standard))
        {
            call.usage = found;
        }
        call.usage.units = units;
        // What a picture is made of is image tokens where the server does not split them.
        let text = call.usage.text_output;
        if call.usage.image_output.is_none() && text.is_none() {
            call.usage.image_output = call.usage.output;
        }
    }
}

impl Codec for Images {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.user = json::string_at(body, &["user"]);
        request.choice_count = json::i64_at(body, &["n"]);
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false)
            || json::str_at(body, &["stream"]) == Some("true");
        request.output_type = Some("image".to_owned());
        if let (true, Some(prompt)) = (self.content, json::string_at(body, &["prompt"])) {
            request.messages = vec![user(prompt)];
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        call.response.id = json::string_at(body, &["id"]);
        call.response.model = json::string_at(body, &["model"]);
        call.response.status = json::string_at(body, &["status"]);
        if let Some(images) = json::at(body, &["data"]).and_then(Value::as_array) {
            units(call, Unit::Image, Decimal::from(skim::array_len(images)));
        }
        Self::usage(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        let kind = json::str_at(data, &["type"]).unwrap_or(event);
        if let Some(failure) = error::in_item(event, data) {
            call.error = Some(failure);
        } else if kind.ends_with(".completed") {
            self.completed += 1;
            Self::usage(data, call);
        }
    }

    fn finish(&mut self, call: &mut Call) {
        if self.completed > 0 {
            units(call, Unit::Image, Decimal::from(self.completed));
        }
    }

    fn held_bytes(&self) -> usize {
        0
    }
}

fn units(call: &mut Call, unit: Unit, quantity: Decimal) {
    call.usage.units.push(UsageUnits { unit, quantity });
}

fn user(text: String) -> Message {
    Message { role: "user".to_owned(), parts: vec![Part::Text(text)], name: None, finish_reason: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{BARE, CONTENT, response, stream};
    use super::*;

    #[test]
    fn images_are_counted() {
        let body = json!({"created": 1, "data": [{"url": "https://x/1.png"}, {"b64_json": "AAAA"}],
            "usage": {"input_tokens": 50, "output_tokens": 4000, "total_tokens": 4050,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}});
        let call = response(&mut Images::new(BARE), Api::Images, 200, &body);
        assert_eq!(call.usage.units, [UsageUnits { unit: Unit::Image, quantity: Decimal::from(2) }]);
        assert_eq!(
            (call.usage.input, call.usage.text_input, call.usage.image_input, call.usage.image_output),
            (Some(50), Some(10), Some(40), Some(4000))
        );
    }

    #[test]
    fn a_stream_counts_what_was_completed() {
        let items = [
            json!({"type": "image_generation.partial_image", "b64_json": "AA"}),
            json!({"type": "image_generation.completed", "b64_json": "AA",
                "usage": {"input_tokens": 5, "output_tokens": 10, "total_tokens": 15}}),
        ];
        let call = stream(&mut Images::new(BARE), Api::Images, &items);
        assert_eq!(call.usage.output, Some(10));
        assert_eq!(call.usage.units, [UsageUnits { unit: Unit::Image, quantity: Decimal::ONE }]);
        let cut = stream(&mut Images::new(BARE), Api::Images, &items[..1]);
        assert_eq!((cut.usage.output, cut.usage.units.len()), (None, 0));
    }

    #[test]
    fn a_refusal_and_a_prompt() {
        let body = json!({"error": {"message": "no", "type": "image_generation_user_error", "code": "moderation_blocked"}});
        let call = response(&mut Images::new(BARE), Api::Images, 400, &body);
        assert_eq!(call.error.map(|error| error.message), Some("no".to_owned()));
        assert!(call.usage.units.is_empty());
        let mut call = super::super::fixture::call(Api::Images);
        let mut codec = Images::new(CONTENT);
        codec.request(&json!({"model": "gpt-image-1", "prompt": "a cat", "n": 2}), &mut call);
        assert_eq!((call.request.choice_count, call.request.messages.len()), (Some(2), 1));
        let mut call = super::super::fixture::call(Api::Images);
        Images::new(BARE).request(&json!({"model": "gpt-image-1", "prompt": "a cat"}), &mut call);
        assert!(call.request.messages.is_empty());
    }
}
