//! What was sent against what reads back, question by question.

use agent_genai::Record;
use agent_genai::record::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::Span;
use super::server::Kind;

/// One question about one call; absent is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) question: &'static str,
    pub(super) sent: Value,
    pub(super) found: Value,
}

impl Answer {
    pub(super) fn is_yes(&self) -> bool {
        match (self.sent.as_f64(), self.found.as_f64()) {
            // Both sum up the same prices, in different orders.
            (Some(sent), Some(found)) if self.question == COST => (sent - found).abs() < 1e-9,
            _ => self.sent == self.found,
        }
    }
}

const TIMES: &str = "begins and ends when it did";
/// Compared as money.
const COST: &str = "cost in US dollars, by its own prices";

/// A no that is known, with its reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    pub(super) backend: String,
    pub(super) question: String,
    /// Beginnings of the names of the calls it may occur in; any when left out.
    #[serde(default)]
    pub(super) calls: Vec<String>,
    pub(super) reason: String,
}

impl Known {
    pub(super) fn is(&self, backend: &str, question: &str, call: &str) -> bool {
        self.backend == backend
            && self.question == question
            && (self.calls.is_empty() || self.calls.iter().any(|name| call.starts_with(name.as_str())))
    }
}

/// Asks everything that the call can answer.
pub(super) fn ask(kind: Kind, record: &Record, span: Option<&Span>) -> Vec<Answer> {
    let Some(span) = span else {
        return vec![Answer { question: "the span is there", sent: json!(true), found: json!(false) }];
    };
    let attribute = |name: &str| record.attributes.get(name).cloned().unwrap_or_default();
    let answers = [
        ("the span is there", json!(record.span_id), json!(span.span)),
        ("name", json!(record.name), json!(span.name)),
        ("kind", json!(span_kind(kind, record)), json!(span.kind)),
        (TIMES, json!(times(record)), json!(as_exact_as(kind, times(record), [span.start, span.end]))),
        ("status", json!(status(record)), json!(span.status)),
        ("error message", json!(record.status.message), json!(span.status_message)),
        ("model", model(kind, record), json!(span.model)),
        ("provider", attribute("gen_ai.provider.name"), json!(span.provider)),
        ("input tokens", attribute("gen_ai.usage.input_tokens"), json!(span.input_tokens)),
        ("output tokens", attribute("gen_ai.usage.output_tokens"), json!(span.output_tokens)),
        ("cached input tokens", attribute("gen_ai.usage.cache_read.input_tokens"), json!(span.cached_tokens)),
        ("input tokens in its sums", attribute("gen_ai.usage.input_tokens"), json!(span.shown_input_tokens)),
        (
            "output tokens in its sums",
            attribute("gen_ai.usage.output_tokens"),
            json!(span.shown_output_tokens),
        ),
        (COST, attribute("gen_ai.usage.cost"), json!(span.cost)),
        ("system instructions", system(&attribute("gen_ai.system_instructions")), json!(span.system)),
        ("prompt", messages(&attribute("gen_ai.input.messages")), span.input.clone()),
        ("answer", messages(&attribute("gen_ai.output.messages")), span.output.clone()),
        ("tools on offer", tools(&attribute("gen_ai.tool.definitions")), tools(&span.tools)),
    ];
    let asked = answers.into_iter().map(|(question, sent, found)| Answer { question, sent, found });
    // Nothing to ask where nothing was sent and nothing found.
    asked.filter(|answer| !(is_nothing(&answer.sent) && is_nothing(&answer.found))).collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn span_kind(kind: Kind, record: &Record) -> &'static str {
    let operation = record.name.split(' ').next().unwrap_or_default();
    match (kind, operation) {
        (_, "embeddings") => "EMBEDDING",
        // MLflow has a kind for conversations alone.
        (Kind::Phoenix, _) | (Kind::Mlflow, "generate_content") => "LLM",
        (Kind::Mlflow, _) => "CHAT_MODEL",
    }
}

fn status(record: &Record) -> &'static str {
    match record.status.code {
        StatusCode::Unset => "UNSET",
        StatusCode::Error => "ERROR",
    }
}

/// Phoenix names the model that was asked for, MLflow the one that answered; they differ behind Bedrock.
fn model(kind: Kind, record: &Record) -> Value {
    let of = |name: &str| record.attributes.get(name).cloned();
    let (asked, answered) = (of("gen_ai.request.model"), of("gen_ai.response.model"));
    match kind {
        Kind::Phoenix => asked.or(answered),
        Kind::Mlflow => answered.or(asked),
    }
    .unwrap_or_default()
}

/// Unix times in nanoseconds.
fn times(record: &Record) -> [u64; 2] {
    let time = |text: &str| {
        let nanos = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_nanosecond).unwrap_or_default();
        u64::try_from(nanos).unwrap_or_default()
    };
    [time(&record.start), time(&record.end)]
}

/// What was sent, where the difference is only that the backend stores microseconds.
fn as_exact_as(kind: Kind, sent: [u64; 2], found: [u64; 2]) -> [u64; 2] {
    let resolution = match kind {
        Kind::Phoenix => 1000,
        Kind::Mlflow => 0,
    };
    let is_close = sent.iter().zip(&found).all(|(sent, found)| sent.abs_diff(*found) <= resolution);
    if is_close { sent } else { found }
}

fn members(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn system(parts: &Value) -> Value {
    let texts: Vec<&Value> = members(parts).iter().filter_map(|part| part.get("content")).collect();
    if texts.is_empty() { Value::Null } else { json!(texts) }
}

/// In the reader's shape.
fn messages(messages: &Value) -> Value {
    let one = |message: &Value| {
        let parts: Vec<Value> =
            message.get("parts").map(members).unwrap_or_default().iter().map(part).collect();
        json!({"role": message.get("role"), "parts": parts})
    };
    members(messages).iter().map(one).collect()
}

fn part(part: &Value) -> Value {
    let member = |name: &str| part.get(name).cloned().unwrap_or_default();
    let text = |name: &str| member(name).as_str().unwrap_or_default().to_owned();
    match text("type").as_str() {
        "tool_call" => json!(["call", member("id"), member("name"), member("arguments")]),
        "tool_call_response" => json!(["result", member("id"), member("response")]),
        "uri" => json!(["media", member("uri")]),
        "blob" => json!(["media", format!("data:{};base64,{}", text("mime_type"), text("content"))]),
        kind @ ("server_tool_call" | "server_tool_call_response") => {
            json!([kind, member("id"), member(kind)])
        }
        kind => json!([kind, member("content")]),
    }
}

/// Name, description and parameters; the kind of the tool goes without saying.
fn tools(tools: &Value) -> Value {
    let one = |tool: &Value| json!([tool.get("name"), tool.get("description"), tool.get("parameters")]);
    members(tools).iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_take_the_readers_shape() {
        let sent = json!([{"role": "assistant", "finish_reason": "stop", "parts": [
            {"type": "text", "content": "hm"},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": 1}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AA=="}]}]);
        let shape = json!([{"role": "assistant", "parts": [
            ["text", "hm"], ["call", "c", "f", {"a": 1}], ["media", "data:image/png;base64,AA=="]]}]);
        assert_eq!(messages(&sent), shape);
    }

    #[test]
    fn times_are_as_exact_as_the_backend() {
        assert_eq!(as_exact_as(Kind::Phoenix, [1_999, 5_000], [2_000, 5_000]), [1_999, 5_000]);
        assert_eq!(as_exact_as(Kind::Mlflow, [1_999, 5_000], [2_000, 5_000]), [2_000, 5_000]);
        assert_eq!(as_exact_as(Kind::Phoenix, [1_999, 5_000], [3_000, 5_000]), [3_000, 5_000]);
    }

    #[test]
    fn an_unknown_count_that_reads_back_as_zero_is_a_no() {
        let answer = |sent, found| Answer { question: "input tokens", sent, found };
        assert!(!answer(Value::Null, json!(0)).is_yes());
        assert!(answer(json!(7), json!(7)).is_yes());
        assert!(!answer(json!(7), json!(8)).is_yes());
    }
}
