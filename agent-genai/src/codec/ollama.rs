//! Ollama's own API, on any host: chat and generate (lines, unless asked otherwise), and its embeddings.

pub(crate) mod embed;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::answers::Answers;
use super::completions::said;
use super::openai_chat::{parts, request as chat_request};
use super::spec::{Make, Row, Spec};
use super::{Codec, CodecOptions, error, json, media};
use crate::call::{Api, Call, Message, Operation, Part, ResponseFormat};

/// Chat.
pub(crate) static CHAT: Spec = Spec {
    rows: &[Row::likely("api/chat", Operation::Chat)],
    request: is_chat,
    response,
    sniff: Some(|body| is_chat(body) && !json::array_at(body, &["messages"]).is_empty()),
    ..Spec::new(
        Api::OllamaChat,
        Operation::Chat,
        "ollama",
        Make::Codec(|options| Box::new(Ollama::new(options))),
    )
};

/// Generate: a prompt, no history.
pub(crate) static GENERATE: Spec = Spec {
    rows: &[Row::likely("api/generate", Operation::TextCompletion)],
    request: is_generate,
    response,
    sniff: Some(|body| is_generate(body) && body.get("prompt").is_some_and(Value::is_string)),
    ..Spec::new(
        Api::OllamaGenerate,
        Operation::TextCompletion,
        "ollama",
        Make::Codec(|options| Box::new(Ollama::new(options))),
    )
};

fn is_chat(body: &Value) -> bool {
    let messages = json::at(body, &["messages"]).is_none_or(Value::is_array);
    is_generate(body) && messages && json::at(body, &["prompt"]).is_none()
}

fn is_generate(body: &Value) -> bool {
    json::str_at(body, &["model"]).is_some() && json::at(body, &["jsonrpc"]).is_none()
}

/// A line, or a whole answer.
fn response(_event: &str, body: &Value) -> Option<bool> {
    let said = json::at(body, &["message"]).is_some_and(Value::is_object)
        || body.get("response").is_some_and(Value::is_string);
    (said && json::bool_at(body, &["done"]).is_some() && json::at(body, &["model"]).is_some()).then_some(true)
}

/// Folds one exchange.
pub(crate) struct Ollama {
    answers: Answers,
    /// The last line was seen.
    done: bool,
    /// A model was only loaded or unloaded.
    idle: bool,
    /// Something came, and something of it was this API's.
    answered: bool,
    shown: bool,
}

impl Ollama {
    /// A fold for one exchange.
    pub(crate) fn new(options: CodecOptions) -> Self {
        Self { answers: Answers::new(options), done: false, idle: false, answered: false, shown: false }
    }

    /// Whole answers and lines are alike; numbers come with the last one.
    fn item(&mut self, item: &Value, call: &mut Call) {
        self.answered = true;
        self.shown |= response("", item) == Some(true) || call.error.is_some();
        let response = &mut call.response;
        response.model = json::string_at(item, &["model"]).or_else(|| response.model.take());
        if let Some(count) = json::u64_at(item, &["prompt_eval_count"]) {
            call.usage.input = Some(count);
        }
        if let Some(count) = json::u64_at(item, &["eval_count"]) {
            call.usage.output = Some(count);
        }
        let reason = json::str_at(item, &["done_reason"]);
        if json::bool_at(item, &["done"]) == Some(true) {
            self.done = true;
            self.idle = matches!(reason, Some("load" | "unload"));
        }
        let message = json::at(item, &["message"]).filter(|message| message.is_object());
        let text = json::str_at(item, &["response"]);
        let thinking = json::str_at(item, &["thinking"]);
        if self.idle || message.is_none() && text.is_none() && thinking.is_none() && reason.is_none() {
            return;
        }
        let Some(mut slot) = self.answers.slot(0) else { return };
        if let Some(message) = message {
            slot.message(message);
        }
        slot.reasoning(thinking);
        slot.text(text);
        slot.reason(reason);
    }
}

impl Codec for Ollama {
    fn request(&mut self, body: &Value, call: &mut Call) {
        let content = self.answers.content();
        let request = &mut call.request;
        request.model = json::string_at(body, &["model"]);
        request.stream = json::bool_at(body, &["stream"]).unwrap_or(true);
        let option = |key: &'static str| ["options", key];
        request.temperature = json::f64_at(body, &option("temperature"));
        request.top_p = json::f64_at(body, &option("top_p"));
        request.top_k = json::i64_at(body, &option("top_k"));
        request.max_tokens = json::i64_at(body, &option("num_predict"));
        request.seed = json::i64_at(body, &option("seed"));
        request.stop = json::strings_at(body, &option("stop"));
        request.presence_penalty = json::f64_at(body, &option("presence_penalty"));
        request.frequency_penalty = json::f64_at(body, &option("frequency_penalty"));
        // A truth value, or a level.
        request.reasoning_level = json::string_at(body, &["think"]);
        request.response_format = format(body.get("format").unwrap_or(&Value::Null), content);
        request.output_type = request.response_format.is_some().then(|| "json".to_owned());
        request.tools = chat_request::definitions(body, content);
        if content {
            let system = json::str_at(body, &["system"]).map(|text| Part::Text(text.to_owned()));
            request.system = system.into_iter().collect();
            request.messages = messages(body);
        }
    }

    fn response(&mut self, body: &Value, call: &mut Call) {
        error::note("", body, call);
        self.item(body, call);
    }

    fn event(&mut self, event: &str, data: &Value, call: &mut Call) {
        error::note_item(event, data, call);
        self.item(data, call);
    }

    fn finish(&mut self, call: &mut Call) {
        self.answers.finish(call);
    }

    fn has_ended(&self) -> bool {
        self.done
    }

    fn is_call(&self) -> bool {
        !self.idle && (self.shown || !self.answered)
    }

    fn held_bytes(&self) -> usize {
        self.answers.held_bytes()
    }
}

/// `json`, or a schema; an empty text is none.
fn format(format: &Value, content: bool) -> Option<ResponseFormat> {
    match format {
        Value::String(word) if !word.is_empty() => {
            Some(ResponseFormat { kind: word.clone(), ..ResponseFormat::default() })
        }
        Value::Object(_) => Some(ResponseFormat {
            kind: "json_schema".to_owned(),
            schema: content.then(|| format.clone()),
            ..ResponseFormat::default()
        }),
        _ => None,
    }
}

/// The history, or the prompt; images are base64 beside the text.
fn messages(body: &Value) -> Vec<Message> {
    let given = json::array_at(body, &["messages"]).iter().filter(|message| message.is_object());
    let mut messages = parts::messages(body);
    for (message, given) in messages.iter_mut().zip(given) {
        message.parts.extend(images(given));
    }
    if let Some(text) = json::str_at(body, &["prompt"]) {
        let mut message = said("user", text);
        message.parts.extend(images(body));
        messages.push(message);
    }
    messages
}

fn images(holder: &Value) -> impl Iterator<Item = Part> {
    json::array_at(holder, &["images"])
        .iter()
        .filter_map(Value::as_str)
        .map(|data| media::blob(data, "image", None))
}
