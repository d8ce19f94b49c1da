//! What a `predict` gave: vectors, images, videos or text.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::call::{Call, Message, Operation, Part, Unit, Usage, UsageUnits};
use crate::codec::content::Budget;
use crate::codec::gemini::names;
use crate::codec::media;
use crate::skim;

/// The predictions of one answer.
#[derive(Default)]
pub(super) struct Made {
    vectors: Option<(u64, Option<u64>)>,
    images: u64,
    refused: bool,
    parts: Vec<Part>,
    usage: Usage,
    capped: bool,
    summed: bool,
}

impl Made {
    /// Reads an answer. With content, media and text are kept as far as the budget goes.
    pub(super) fn of(body: &Value, content: bool, budget: &mut Budget) -> Self {
        let mut made = Self::default();
        let predictions = names::array(body, &["predictions"]);
        for prediction in predictions {
            made.prediction(prediction, content, budget);
        }
        if let Some((count, _)) = &mut made.vectors {
            *count = skim::array_len(predictions);
        }
        // The text models before Gemini.
        let tokens = |side: &str| names::count(body, &["metadata", "tokenMetadata", side, "totalTokens"]);
        made.usage.input = tokens("inputTokenCount").or(made.usage.input);
        made.usage.output = tokens("outputTokenCount");
        made.capped = budget.exceeded();
        made
    }

    fn prediction(&mut self, prediction: &Value, content: bool, budget: &mut Budget) {
        let get = |path: &[&str]| names::get(prediction, path);
        let vector = get(&["embeddings", "values"])
            .or_else(|| get(&["textEmbedding"]))
            .or_else(|| get(&["imageEmbedding"]));
        if let Some(values) = vector.and_then(Value::as_array) {
            let (count, dimension) = self.vectors.unwrap_or_default();
            self.vectors =
                Some((count, dimension.or(Some(skim::array_len(values)).filter(|length| *length > 0))));
            if let Some(tokens) = names::count(prediction, &["embeddings", "statistics", "tokenCount"]) {
                self.summed = true;
                self.usage.input = Some(self.usage.input.unwrap_or(0).saturating_add(tokens));
            }
            return;
        }
        self.refused |= get(&["raiFilteredReason"]).is_some();
        let mime = names::string(prediction, &["mimeType"]);
        let sound = mime.as_deref().is_some_and(|mime| mime.starts_with("audio/"));
        let data = get(&["bytesBase64Encoded"]).and_then(Value::as_str);
        let place = get(&["gcsUri"]).and_then(Value::as_str);
        if (data.is_some() || place.is_some()) && !sound {
            self.images += 1;
        }
        if !content {
            return;
        }
        let modality = if sound { "audio" } else { "image" };
        if let Some(data) = data.filter(|data| budget.content(data.len())) {
            self.parts.push(media::blob(data, modality, mime.as_deref()));
        }
        if let Some(uri) = place.filter(|uri| budget.content(uri.len())) {
            self.parts.push(Part::Uri {
                modality: modality.to_owned(),
                uri: uri.to_owned(),
                mime_type: mime,
            });
        }
        let candidates =
            names::array(prediction, &["candidates"]).iter().filter_map(|one| names::get(one, &["content"]));
        let texts = prediction
            .as_str()
            .into_iter()
            .chain(get(&["content"]).into_iter().chain(candidates).filter_map(Value::as_str));
        for text in texts.filter(|text| !text.is_empty()) {
            if budget.content(text.len()) {
                self.parts.push(Part::Text(text.to_owned()));
            }
        }
    }

    /// Whether its usage was summed over the predictions.
    pub(super) fn is_summed(&self) -> bool {
        self.summed
    }

    /// Puts it into the call.
    pub(super) fn store(self, call: &mut Call) {
        if let Some((count, dimension)) = self.vectors {
            call.operation = Operation::Embeddings;
            call.response.vector_count = Some(count);
            call.response.vector_dimension = dimension;
        }
        if self.images > 0 {
            call.usage.units.push(UsageUnits { unit: Unit::Image, quantity: Decimal::from(self.images) });
        }
        call.usage.input = self.usage.input;
        call.usage.output = self.usage.output;
        call.response.flagged = self.refused.then_some(true);
        call.completeness.body_capped |= self.capped;
        if !self.parts.is_empty() {
            call.response.messages = vec![Message {
                role: "assistant".to_owned(),
                parts: self.parts,
                name: None,
                finish_reason: None,
            }];
        }
    }
}
