//! Document recognition: pages in, text out, billed by the page (Mistral, and Azure's deployments of it).

use serde_json::Value;

use super::answers::Answers;
use super::spec::{Make, Row, Spec};
use super::{Codec, error, json, media};
use crate::call::{Api, Call, Message, Operation, Part, Unit, UsageUnits};

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[Row::likely("ocr", Operation::GenerateContent)],
    request: |body| json::at(body, &["document"]).is_some() && json::at(body, &["model"]).is_some(),
    response: |_, body| json::at(body, &["pages"]).is_some_and(Value::is_array).then_some(true),
    thin_response: &[],
    ..Spec::new(
        Api::Ocr,
        Operation::GenerateContent,
        "mistral_ai",
        Make::Codec(|options| Box::new(Ocr { answers: Answers::new(options) })),
    )
};

/// Folds one exchange.
pub(crate) struct Ocr {
    answers: Answers,
}

impl Codec for Ocr {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        if !self.answers.content() {
            return;
        }
        let document = body.get("document").unwrap_or(&Value::Null);
        let url = ["document_url", "image_url"]
            .iter()
            .find_map(|key| json::str_at(document, &[key, "url"]).or_else(|| json::str_at(document, &[key])));
        let file = json::string_at(document, &["file_id"]);
        let part = match (url, file) {
            (Some(url), _) => media::from_url(url, "document"),
            (None, Some(file_id)) => Part::File { modality: "document".to_owned(), file_id, mime_type: None },
            (None, None) => return,
        };
        request.messages =
            vec![Message { role: "user".to_owned(), parts: vec![part], name: None, finish_reason: None }];
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        call.response.id = json::string_at(body, &["id"]);
        call.response.model = json::string_at(body, &["model"]);
        let pages = json::at(body, &["usage_info", "pages_processed"]).and_then(json::as_decimal);
        call.usage
            .units
            .extend(pages.map(|quantity| UsageUnits { unit: Unit::Page, quantity: quantity.normalize() }));
        let texts =
            json::array_at(body, &["pages"]).iter().filter_map(|page| json::str_at(page, &["markdown"]));
        if let Some(mut slot) = self.answers.slot(0).filter(|_| call.error.is_none()) {
            for (number, text) in texts.enumerate() {
                // Pages are told apart by an empty line, as in the text of one page.
                slot.text((number > 0).then_some("\n\n"));
                slot.text(Some(text));
            }
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        match error::in_item(event, data) {
            Some(failure) => call.error = Some(failure),
            None => self.response(data, call),
        }
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        true
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::codec::CodecOptions;
    use crate::codec::fixture::{self, BARE, CONTENT, json_of};

    fn codec(options: CodecOptions) -> Ocr {
        Ocr { answers: Answers::new(options) }
    }

    #[test]
    fn pages_are_billed_and_read() {
        let body = json!({"pages": [{"index": 0, "markdown": "# a"}, {"index": 1, "markdown": "b"}], "model": "ocr-1",
            "usage_info": {"pages_processed": 2, "doc_size_bytes": 9}});
        let call = fixture::response(&mut codec(CONTENT), Api::Ocr, 200, &body);
        assert_eq!(call.response.messages[0].parts, [Part::Text("# a\n\nb".into())]);
        assert_eq!(call.usage.units, [UsageUnits { unit: Unit::Page, quantity: 2.into() }]);
        assert!(!call.usage.is_reported());
        let bare = fixture::response(&mut codec(BARE), Api::Ocr, 200, &body);
        assert_eq!((bare.response.messages.len(), bare.usage.units.len()), (0, 1));
        let failed = fixture::response(&mut codec(BARE), Api::Ocr, 401, &json!({"detail": "Unauthorized"}));
        assert_eq!(failed.error.map(|error| error.message).as_deref(), Some("Unauthorized"));
    }

    #[test]
    fn documents() {
        let inline = json!({"model": "m", "document": {"type": "document_url", "document_url": "data:application/pdf;base64,AAAA"}});
        let call = fixture::request(&mut codec(CONTENT), Api::Ocr, &inline);
        assert_eq!(
            call.request.messages[0].parts,
            [media::blob("AAAA", "document", Some("application/pdf"))]
        );
        assert!(fixture::request(&mut codec(BARE), Api::Ocr, &inline).request.messages.is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(body in json_of(&["pages", "markdown", "document", "document_url", "usage_info", "pages_processed"])) {
            let mut codec = codec(CONTENT);
            let mut call = fixture::call(Api::Ocr);
            codec.request(&body, &mut call);
            codec.event("", &body, &mut call);
            codec.finish(&mut call);
        }
    }
}
