//! Pictures and videos: Titan and Nova Canvas, Stability in its old and new form, Nova Reel and Luma. They are counted, never kept.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::call::{Call, Unit, UsageUnits};
use crate::codec::completions::said;
use crate::codec::{Codec, CodecOptions, error, json};
use crate::skim;

/// Where the prompt stands.
const PROMPTS: &[&[&str]] = &[
    &["prompt"],
    &["textToImageParams", "text"],
    &["inPaintingParams", "text"],
    &["outPaintingParams", "text"],
    &["imageVariationParams", "text"],
    &["colorGuidedGenerationParams", "text"],
    &["textToVideoParams", "text"],
];

/// Folds one exchange.
pub(super) struct Pictures {
    content: bool,
}

impl Pictures {
    pub(super) fn new(options: CodecOptions) -> Self {
        Self { content: options.content }
    }
}

impl Codec for Pictures {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        let video = json::at(body, &["videoGenerationConfig"]).is_some()
            || json::str_at(body, &["taskType"]).is_some_and(|task| task.contains("VIDEO"));
        // `video` is no value of the conventions.
        request.output_type = (!video).then(|| "image".to_owned());
        request.choice_count = json::i64_at(body, &["imageGenerationConfig", "numberOfImages"])
            .or_else(|| json::i64_at(body, &["samples"]));
        request.seed =
            [&["imageGenerationConfig", "seed"][..], &["videoGenerationConfig", "seed"], &["seed"]]
                .iter()
                .find_map(|path| json::i64_at(body, path));
        if self.content {
            let one = PROMPTS.iter().find_map(|path| json::str_at(body, path));
            let many = json::array_at(body, &["text_prompts"]).iter();
            let texts = one.into_iter().chain(many.filter_map(|prompt| json::str_at(prompt, &["text"])));
            request.messages = texts.map(|text| said("user", text)).collect();
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note_item("", body, call);
        let images =
            ["images", "artifacts"].iter().find_map(|key| json::at(body, &[key]).and_then(Value::as_array));
        if let Some(images) = images {
            let quantity = Decimal::from(skim::array_len(images));
            call.usage.units.push(UsageUnits { unit: Unit::Image, quantity });
        }
        // Stability has one for each picture, null when nothing was filtered.
        let artifacts = json::array_at(body, &["artifacts"])
            .iter()
            .filter_map(|one| json::string_at(one, &["finishReason"]));
        call.response.finish_reasons =
            json::strings_at(body, &["finish_reasons"]).into_iter().chain(artifacts).collect();
    }

    fn event(&mut self, _event: &str, data: &Value, call: &mut Call) {
        self.response(data, call);
    }

    fn finish(&mut self, _call: &mut Call) {}

    fn held_bytes(&self) -> usize {
        0
    }
}
