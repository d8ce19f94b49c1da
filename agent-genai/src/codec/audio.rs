//! Speech to text and text to speech: OpenAI's API and the servers that speak it, Deepgram, xAI. Sound is never kept.

use rust_decimal::Decimal;
use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::usage::Dialect;
use super::{Codec, CodecOptions, RequestFacts, error, json, usage};
use crate::call::{Api, Call, Message, Operation, Part, Unit, UsageUnits};
use crate::skim;

const DEEPGRAM: &str = "*.deepgram.com";

/// Where it lives and how it looks.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("audio/transcriptions", Operation::GenerateContent),
        Row::certain("audio/translations", Operation::GenerateContent),
        Row::certain("audio/speech", Operation::GenerateContent),
        Row::certain("v1/tts", Operation::GenerateContent).at("api.x.ai"),
        Row::certain("v1/listen", Operation::GenerateContent).at(DEEPGRAM),
        Row::certain("v1/speak", Operation::GenerateContent).at(DEEPGRAM),
        Row::certain("text-to-speech/*", Operation::GenerateContent).at("api.elevenlabs.io"),
        Row::certain("text-to-speech/*/stream", Operation::GenerateContent).at("api.elevenlabs.io"),
        Row::certain("v1/speech-to-text", Operation::GenerateContent).at("api.elevenlabs.io"),
    ],
    open_ended: true,
    ..Spec::new(
        Api::Audio,
        Operation::GenerateContent,
        "openai",
        Make::Codec(|options| Box::new(Audio::new(options))),
    )
};

/// Paths that make sound; the others read it.
const SPEECH: &[&str] =
    &["audio/speech", "v1/tts", "v1/speak", "text-to-speech/*", "text-to-speech/*/stream"];

/// Folds one exchange of an audio API.
pub(crate) struct Audio {
    options: CodecOptions,
    speech: bool,
    text: String,
}

impl Audio {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { options, speech: false, text: String::new() }
    }

    fn usage(&self, body: &Value, call: &mut Call) {
        let Some(reported) = json::at(body, &["usage"]) else { return };
        let units = std::mem::take(&mut call.usage.units);
        if let Some(found) = usage::openai(reported, Dialect::Standard) {
            call.usage = found;
        }
        call.usage.units = units;
        if json::str_at(reported, &["type"]) == Some("duration") {
            seconds(json::at(reported, &["seconds"]), call);
        }
    }

    fn keep(&mut self, text: &str) {
        if self.options.content && self.text.len() + text.len() <= self.options.max_content {
            self.text.push_str(text);
        }
    }
}

impl Codec for Audio {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        self.speech = facts.row.is_some_and(|row| SPEECH.contains(&row.path));
        call.request.output_type = Some(if self.speech { "speech" } else { "text" }.to_owned());
        // Deepgram names the model in the query.
        let query = facts.head.query().unwrap_or_default();
        call.request.model = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("model="))
            .filter(|model| !model.is_empty())
            .map(str::to_owned);
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        let named = json::string_at(body, &["model"]).or_else(|| json::string_at(body, &["model_id"]));
        request.model = named.or_else(|| request.model.take());
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(false)
            || json::str_at(body, &["stream"]) == Some("true")
            || json::str_at(body, &["stream_format"]) == Some("sse");
        request.temperature = json::f64_at(body, &["temperature"]);
        let said = ["input", "text", "prompt"].iter().find_map(|key| json::str_at(body, &[key]));
        let Some(said) = said else { return };
        // Speech is billed by the character. A text that was cut on the way in cannot be counted.
        if let (true, (_, false)) = (self.speech, skim::text_head(said)) {
            let quantity = Decimal::from(said.chars().count());
            call.usage.units.push(UsageUnits { unit: Unit::Character, quantity });
        }
        if self.options.content {
            request.messages = vec![message("user", said.to_owned())];
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        let status = call.http.status.filter(|status| *status >= 400);
        call.error = match status {
            Some(_) => Some(error::from_body(body, status)),
            None => error::in_item("", body),
        };
        if call.error.is_some() {
            return;
        }
        self.usage(body, call);
        let metadata = json::at(body, &["metadata"]);
        call.response.id = metadata.and_then(|metadata| json::string_at(metadata, &["request_id"]));
        let deepgram =
            metadata.and_then(|metadata| json::at(metadata, &["model_info"])).and_then(Value::as_object);
        call.response.model = json::string_at(body, &["model"])
            .or_else(|| deepgram?.values().next().and_then(|info| json::string_at(info, &["name"])));
        if call.usage.units.is_empty() && !self.speech {
            let duration = json::at(body, &["duration"]);
            seconds(duration.or_else(|| json::at(metadata?, &["duration"])), call);
        }
        let channels = json::array_at(body, &["results", "channels"]).iter();
        let alternatives = channels.filter_map(|channel| json::array_at(channel, &["alternatives"]).first());
        let transcripts = alternatives.filter_map(|best| json::str_at(best, &["transcript"]));
        for text in json::str_at(body, &["text"]).into_iter().chain(transcripts) {
            self.keep(text);
        }
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        if let Some(failure) = error::in_item(event, data) {
            call.error = Some(failure);
            return;
        }
        match json::str_at(data, &["type"]).unwrap_or(event) {
            "transcript.text.delta" => self.keep(json::str_at(data, &["delta"]).unwrap_or_default()),
            "transcript.text.done" | "speech.audio.done" => self.usage(data, call),
            _ => {}
        }
    }

    fn text(&mut self, text: &str, _call: &mut Call) -> bool {
        // `response_format`: text, srt, vtt.
        self.keep(text);
        !self.speech
    }

    fn finish(&mut self, call: &mut Call) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            call.response.messages = vec![message("assistant", text)];
        }
        // What was refused was not spoken.
        if call.error.is_some() {
            call.usage.units.clear();
        }
    }

    fn held_bytes(&self) -> usize {
        self.text.len()
    }
}

fn seconds(value: Option<&Value>, call: &mut Call) {
    if let Some(quantity) = value.and_then(json::as_decimal).filter(|seconds| !seconds.is_sign_negative()) {
        call.usage.units.push(UsageUnits { unit: Unit::AudioSecond, quantity });
    }
}

fn message(role: &str, text: String) -> Message {
    Message { role: role.to_owned(), parts: vec![Part::Text(text)], name: None, finish_reason: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{BARE, CONTENT, response, stream};
    use super::*;

    fn seconds_of(call: &Call) -> Option<String> {
        call.usage
            .units
            .first()
            .filter(|units| units.unit == Unit::AudioSecond)
            .map(|units| units.quantity.to_string())
    }

    #[test]
    fn transcriptions_by_token_and_by_time() {
        let tokens = json!({"text": "hi", "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 0, "audio_tokens": 14}, "output_tokens": 5, "total_tokens": 19}});
        let call = response(&mut Audio::new(CONTENT), Api::Audio, 200, &tokens);
        assert_eq!(
            (call.usage.input, call.usage.audio_input, call.usage.output),
            (Some(14), Some(14), Some(5))
        );
        assert_eq!(call.response.messages.len(), 1);
        let time = json!({"text": "hi", "usage": {"type": "duration", "seconds": 7}});
        let call = response(&mut Audio::new(BARE), Api::Audio, 200, &time);
        assert_eq!((seconds_of(&call).as_deref(), call.usage.input), (Some("7"), None));
        assert!(call.response.messages.is_empty());
        let deepgram = json!({"metadata": {"request_id": "r", "duration": 25.9, "model_info": {"x": {"name": "nova"}}},
            "results": {"channels": [{"alternatives": [{"transcript": "yeah"}]}]}});
        let call = response(&mut Audio::new(CONTENT), Api::Audio, 200, &deepgram);
        assert_eq!(
            (seconds_of(&call).as_deref(), call.response.model.as_deref()),
            (Some("25.9"), Some("nova"))
        );
    }

    #[test]
    fn streams() {
        let items = [
            json!({"type": "transcript.text.delta", "delta": "a"}),
            json!({"type": "transcript.text.delta", "delta": "b"}),
            json!({"type": "transcript.text.done", "text": "ab", "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}),
        ];
        let call = stream(&mut Audio::new(CONTENT), Api::Audio, &items);
        assert_eq!(call.response.messages[0].parts, [Part::Text("ab".into())]);
        assert_eq!(call.usage.output, Some(2));
    }

    #[test]
    fn speech_is_counted_by_the_character_unless_it_failed() {
        let spoken = |status: u16| {
            let mut codec = Audio { speech: true, ..Audio::new(BARE) };
            let mut call = super::super::fixture::call(Api::Audio);
            call.http.status = Some(status);
            codec.request(&json!({"model": "tts-1", "input": "grüezi"}), &mut call);
            if status >= 400 {
                codec.response(&json!({"error": {"message": "no"}}), &mut call);
            }
            codec.finish(&mut call);
            call.usage.units.first().map(|units| units.quantity.to_string())
        };
        assert_eq!(spoken(200).as_deref(), Some("6"));
        assert_eq!(spoken(400), None);
    }
}
