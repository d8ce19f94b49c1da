//! Servers with a text API of their own that differs in names only: a table says where each fact stands.
//!
//! llama.cpp, Text Generation Inference (Hugging Face), IBM watsonx and Alibaba's DashScope. Where one of them answers with the choices of a
//! chat completion, that codec reads them.

mod forms;
#[cfg(test)]
mod tests;

use agent_wire::ResponseHead;
use serde_json::Value;

pub(crate) use self::forms::{DASHSCOPE, LLAMA_CPP, TGI, WATSONX};
use super::answers::Answers;
use super::completions::said;
use super::openai_chat::{OpenAiChat, request as chat_request};
use super::spec::RequestFacts;
use super::usage::{self, Dialect};
use super::{Codec, CodecOptions, error, json};
use crate::call::{Call, Operation, Usage};

/// Where a fact stands: keys from the root.
type Place = &'static [&'static str];

/// Where the facts of one API stand. Of several places the first that holds something counts.
pub(crate) struct Form {
    /// The prompt, in the request.
    prompt: &'static [Place],
    /// The object with the answer, from the root.
    answer: Place,
    /// The list of answers in it, when there may be more than one.
    list: &'static str,
    /// Model, where the answer names it.
    model: &'static [Place],
    /// Id of the answer.
    id: &'static [Place],
    /// Text, whole or a piece of it.
    text: &'static [Place],
    /// A piece of text that is none when this is true.
    skip: Place,
    /// Why it ended.
    reason: &'static [Place],
    /// Truth values that say why it ended, by older versions of the server, and the word for each.
    flags: &'static [(&'static str, &'static str)],
    /// Input tokens; the largest count of a stream is the count.
    input: &'static [Place],
    /// Output tokens, likewise.
    output: &'static [Place],
    /// Input tokens read from a cache.
    cache_read: &'static [Place],
    /// Response headers with input and output tokens.
    headers: Option<(&'static str, &'static str)>,
    /// The items of a stream repeat the text so far unless the request has this setting.
    repeats: Option<Place>,
}

/// Words for "has not ended".
const UNENDED: &[&str] = &["none", "null", "not_finished"];

/// Objects with settings, from the root.
const SETTINGS: &[Place] = &[&[], &["parameters"]];

/// Folds one exchange.
pub(crate) struct Native {
    form: &'static Form,
    options: CodecOptions,
    answers: Answers,
    chat: OpenAiChat,
    usage: Usage,
    pieces: bool,
    repeats: bool,
    answered: bool,
    shown: bool,
}

impl Native {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions, form: &'static Form) -> Self {
        Self {
            form,
            options,
            answers: Answers::new(options),
            chat: OpenAiChat::new(options),
            usage: Usage::default(),
            pieces: false,
            repeats: false,
            answered: false,
            shown: false,
        }
    }

    fn item(&mut self, event: Option<&str>, body: &Value, call: &mut Call) {
        self.answered = true;
        self.shown |= call.error.is_some();
        let response = &mut call.response;
        response.model = first(body, self.form.model).or_else(|| response.model.take());
        response.id = first(body, self.form.id).or_else(|| response.id.take());
        let standard = usage::find(body).and_then(|usage| usage::openai(usage, Dialect::Standard));
        if let Some(usage) = standard {
            self.usage = usage;
        }
        if event.is_some() && self.repeats {
            self.answers = Answers::new(self.options);
            self.chat = OpenAiChat::new(self.options);
        }
        let answer = json::at(body, self.form.answer).unwrap_or(body);
        if json::at(answer, &["choices"]).is_some() {
            self.shown = true;
            match event {
                Some(event) => self.chat.event(event, answer, call),
                None => self.chat.response(answer, call),
            }
            return;
        }
        let listed = json::at(answer, &[self.form.list]).unwrap_or(answer);
        let items = listed.as_array().map_or(std::slice::from_ref(listed), Vec::as_slice);
        for (index, item) in (0..).zip(items.iter().filter(|item| item.is_object())) {
            self.one(index, event.is_some(), item);
        }
    }

    /// One answer, or a piece of it.
    fn one(&mut self, index: u64, streamed: bool, item: &Value) {
        let count = |places: &[Place]| places.iter().find_map(|place| json::u64_at(item, place));
        let usage = &mut self.usage;
        usage.input = usage.input.max(count(self.form.input));
        usage.output = usage.output.max(count(self.form.output));
        usage.cache_read = usage.cache_read.max(count(self.form.cache_read));
        let text = self
            .form
            .text
            .iter()
            .enumerate()
            .find_map(|(at, place)| Some((at, json::at(item, place)?.as_str()?)));
        let reason = first(item, self.form.reason).filter(|reason| !UNENDED.contains(&reason.as_str()));
        let flagged = || {
            let set = |flag: &&(&str, &str)| json::bool_at(item, &[flag.0]) == Some(true);
            self.form.flags.iter().find(set).map(|flag| flag.1.to_owned())
        };
        let reason = reason.or_else(flagged);
        if text.is_none() && reason.is_none() {
            return;
        }
        self.shown = true;
        let Some(mut slot) = self.answers.slot(index) else { return };
        slot.reason(reason.as_deref());
        let Some((at, text)) = text else { return };
        let skipped = !self.form.skip.is_empty() && json::bool_at(item, self.form.skip) == Some(true);
        // The last item of a stream may repeat the whole in the place of whole answers.
        if !skipped && (at == 0 || !self.pieces) {
            slot.text(Some(text));
        }
        self.pieces |= streamed && !self.repeats;
    }
}

fn first(value: &Value, places: &[Place]) -> Option<String> {
    places.iter().find_map(|place| json::string_at(value, place))
}

impl Codec for Native {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        let segment = facts.row.and_then(|row| row.path.rsplit('/').next());
        call.request.stream = segment.is_some_and(|segment| segment.contains("stream"));
    }

    fn request(&mut self, body: &Value, call: &mut Call) {
        let streamed = call.request.stream;
        chat_request::fold(body, self.options.content, call);
        if let Some(input) = json::at(body, &["input"]).filter(|input| input.is_object()) {
            // DashScope has the messages one level down.
            let model = call.request.model.take();
            chat_request::fold(input, self.options.content, call);
            call.request.model = model;
        }
        let setting = |names: &[&'static str]| {
            SETTINGS.iter().find_map(|place| {
                let settings = json::at(body, place)?;
                names.iter().find_map(|name| json::at(settings, &[name]))
            })
        };
        let number = |names: &[&'static str]| setting(names).and_then(Value::as_f64);
        let integer = |names: &[&'static str]| setting(names).and_then(json::as_i64);
        let request = &mut call.request;
        request.model = request.model.take().or_else(|| json::string_at(body, &["model_id"]));
        request.stream |= streamed;
        request.temperature = number(&["temperature"]);
        request.top_p = number(&["top_p"]);
        request.top_k = integer(&["top_k"]);
        request.max_tokens = integer(&["max_tokens", "max_completion_tokens", "max_new_tokens", "n_predict"]);
        request.frequency_penalty = number(&["frequency_penalty"]);
        request.presence_penalty = number(&["presence_penalty"]);
        request.seed = integer(&["seed", "random_seed"]);
        request.choice_count = integer(&["n", "best_of"]);
        if let Some(stop) = setting(&["stop", "stop_sequences"]) {
            request.stop = json::strings_at(stop, &[]);
        }
        if let (Some(parameters), true) = (json::at(body, &["parameters"]), request.tools.is_empty()) {
            request.tools = chat_request::definitions(parameters, self.options.content);
        }
        self.repeats = self.form.repeats.is_some_and(|place| json::bool_at(body, place) != Some(true));
        let prompt = self.form.prompt.iter().find_map(|place| json::str_at(body, place));
        if prompt.is_none()
            && json::at(body, &["inputs"]).is_none()
            && call.operation == Operation::TextCompletion
        {
            let chat = json::at(body, &["messages"]).or_else(|| json::at(body, &["input", "messages"]));
            if chat.is_some() {
                call.operation = Operation::Chat;
            }
        }
        if self.options.content && call.request.messages.is_empty() {
            call.request.messages = prompt.map(|text| said("user", text)).into_iter().collect();
        }
    }

    fn response_head(&mut self, head: &ResponseHead, _call: &mut Call) {
        if let Some((input, output)) = self.form.headers {
            let count = |name: &str| head.headers.get(name).and_then(|text| text.trim().parse().ok());
            self.usage.input = count(input);
            self.usage.output = count(output);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        self.item(None, body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        error::note_item(event, data, call);
        self.item(Some(event), data, call);
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
        self.chat.finish(call);
        usage::settle(&mut self.usage);
        if self.usage.is_reported() {
            call.usage = std::mem::take(&mut self.usage);
        }
    }

    fn is_call(&self) -> bool {
        self.shown || !self.answered
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes() + self.chat.held_bytes()
    }
}
