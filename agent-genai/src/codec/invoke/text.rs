//! Prompt in, texts out: Titan, Llama, Mistral's and DeepSeek's prompts, AI21 Jurassic. They differ in the names of members only.

use serde_json::Value;

use crate::call::Call;
use crate::codec::answers::Answers;
use crate::codec::aws::Counts;
use crate::codec::completions::said;
use crate::codec::{Codec, CodecOptions, error, json};

/// Paths of members, tried in order.
type Names = &'static [&'static [&'static str]];

const PROMPT: Names = &[&["inputText"], &["prompt"], &["inputPrompt"]];
const MAX_TOKENS: Names = &[
    &["textGenerationConfig", "maxTokenCount"],
    &["max_gen_len"],
    &["maxTokens"],
    &["max_tokens"],
    &["max_new_tokens"],
    &["maxOutputTokens"],
];
const TEMPERATURE: Names = &[&["textGenerationConfig", "temperature"], &["temperature"]];
const TOP_P: Names = &[&["textGenerationConfig", "topP"], &["top_p"], &["topP"]];
const TOP_K: Names = &[&["top_k"], &["topK"]];
const STOP: Names =
    &[&["textGenerationConfig", "stopSequences"], &["stop"], &["stopSequences"], &["stop_sequences"]];
const CHOICES: Names = &[&["numResults"], &["n"]];

/// Lists of answers; without one the object itself is the answer, or a piece of it.
const LISTS: &[&str] = &["results", "outputs", "completions", "choices"];
const TEXT: Names = &[&["outputText"], &["generation"], &["data", "text"], &["text"], &["message"]];
const REASON: Names = &[
    &["completionReason"],
    &["stop_reason"],
    &["finishReason", "reason"],
    &["finishReason"],
    &["finish_reason"],
];
const INPUT: Names = &[&["inputTextTokenCount"], &["prompt_token_count"], &["usage", "prompt_tokens"]];
/// Of the whole answer, or of a stream so far.
const OUTPUT: Names =
    &[&["totalOutputTextTokenCount"], &["generation_token_count"], &["usage", "completion_tokens"]];

fn find<'a, T>(value: &'a Value, names: Names, read: impl Fn(&'a Value, &[&str]) -> Option<T>) -> Option<T> {
    names.iter().find_map(|path| read(value, path))
}

/// Folds one exchange.
pub(in crate::codec) struct Texts {
    answers: Answers,
    counts: Counts,
}

impl Texts {
    pub(in crate::codec) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), counts: Counts::default() }
    }

    fn piece(&mut self, index: u64, item: &Value) {
        let Some(mut slot) = self.answers.slot(index) else { return };
        slot.text(find(item, TEXT, json::str_at));
        slot.reason(find(item, REASON, json::str_at));
    }
}

impl Codec for Texts {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let request = &mut call.request;
        request.max_tokens = find(body, MAX_TOKENS, json::i64_at);
        request.temperature = find(body, TEMPERATURE, json::f64_at);
        request.top_p = find(body, TOP_P, json::f64_at);
        request.top_k = find(body, TOP_K, json::i64_at);
        request.choice_count = find(body, CHOICES, json::i64_at);
        request.presence_penalty = json::f64_at(body, &["presencePenalty", "scale"]);
        request.frequency_penalty = json::f64_at(body, &["frequencyPenalty", "scale"]);
        request.stop = STOP
            .iter()
            .map(|path| json::strings_at(body, path))
            .find(|stop| !stop.is_empty())
            .unwrap_or_default();
        if self.answers.content() {
            request.messages =
                find(body, PROMPT, json::str_at).map(|text| said("user", text)).into_iter().collect();
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        self.event("", body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        error::note_item(event, data, call);
        let id = json::at(data, &["id"]).filter(|id| id.is_string() || id.is_u64());
        if call.response.id.is_none() {
            call.response.id = id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        }
        let list = LISTS.iter().find_map(|key| json::at(data, &[key]).and_then(Value::as_array));
        match list {
            Some(items) => {
                for (index, item) in (0..).zip(items) {
                    self.piece(index, item);
                }
            }
            None => self.piece(json::u64_at(data, &["index"]).unwrap_or(0), data),
        }
        // Titan counts each of its results.
        let each = list.into_iter().flatten().filter_map(|item| json::u64_at(item, &["tokenCount"]));
        let output = find(data, OUTPUT, json::u64_at).or_else(|| each.reduce(u64::saturating_add));
        self.counts.update(Counts::plain(find(data, INPUT, json::u64_at), output));
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
        self.counts.settle_into(&mut call.usage);
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}
