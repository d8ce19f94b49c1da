//! The stand-in's Gemini side: `generateContent`, `streamGenerateContent` with `alt=sse`, `batchEmbedContents`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Question};
use super::seen::Facts;

/// Tokens of thought, beside those of the candidates.
const THOUGHTS: u64 = 4;

/// The model and the method of a path: `…/models/MODEL:METHOD`.
pub(super) fn place(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once("/models/")?.1.split_once(':')
}

/// `POST …/models/MODEL:METHOD`
pub(super) fn answer(question: &Question<'_>, model: &str, method: &str) -> Answer {
    if let Some(status) = question.wish.status {
        return error(model, method, status);
    }
    match method {
        "generateContent" => whole(question, facts(question, model, false)),
        "streamGenerateContent" => stream(question, facts(question, model, true)),
        "batchEmbedContents" => embeddings(question, model),
        _ => error(model, method, 404),
    }
}

fn facts(question: &Question<'_>, model: &str, stream: bool) -> Facts {
    Facts {
        operation: "generate_content".into(),
        model: model.to_owned(),
        id: question.id("gem-"),
        stream,
        input: Some(question.input_tokens()),
        output: Some(question.output_tokens() + THOUGHTS),
        cached: Some(question.cached_tokens()),
        finish: Some("STOP".into()),
        error: None,
    }
}

/// Name of the first function on offer, unless one's result was just handed in.
fn function(question: &Question<'_>) -> Option<String> {
    let last = question.body.get("contents").and_then(Value::as_array).and_then(|contents| contents.last());
    let parts = last.and_then(|content| content.get("parts")).and_then(Value::as_array);
    if parts.is_some_and(|parts| parts.iter().any(|part| part.get("functionResponse").is_some())) {
        return None;
    }
    let name = question.body.pointer("/tools/0/functionDeclarations/0/name")?;
    Some(name.as_str()?.to_owned())
}

fn usage(question: &Question<'_>) -> Value {
    let (input, output) = (question.input_tokens(), question.output_tokens());
    json!({"promptTokenCount": input, "candidatesTokenCount": output, "thoughtsTokenCount": THOUGHTS,
        "cachedContentTokenCount": question.cached_tokens(), "totalTokenCount": input + output + THOUGHTS,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": question.cached_tokens()}]})
}

fn response(facts: &Facts, parts: &Value, finish: Option<&str>, usage: &Value) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let (Some(finish), Some(candidate)) = (finish, candidate.as_object_mut()) {
        candidate.insert("finishReason".to_owned(), finish.into());
    }
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": facts.model, "responseId": facts.id})
}

fn call(question: &Question<'_>, name: &str) -> Value {
    json!({"functionCall": {"id": question.id("call-"), "name": name, "args": question.tool_arguments()}})
}

fn whole(question: &Question<'_>, facts: Facts) -> Answer {
    let parts = match function(question) {
        Some(name) => json!([call(question, &name)]),
        None => json!([{"text": "thinking of it", "thought": true}, {"text": question.text()}]),
    };
    let body = response(&facts, &parts, Some("STOP"), &usage(question));
    Answer::json(&body, Some(facts))
}

fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\r\n\r\n"))
}

fn stream(question: &Question<'_>, mut facts: Facts) -> Answer {
    let usage = usage(question);
    let mut events = Vec::new();
    match function(question) {
        Some(name) => events.push(event(&response(&facts, &json!([call(question, &name)]), None, &usage))),
        None => {
            let thought = json!([{"text": "thinking of it", "thought": true}]);
            events.push(event(&response(&facts, &thought, None, &usage)));
            for piece in question.text_chunks() {
                events.push(event(&response(&facts, &json!([{"text": piece}]), None, &usage)));
            }
        }
    }
    if question.wish.error_in_stream {
        events.truncate(2);
        events.push(event(
            &json!({"error": {"code": 503, "message": "the model is overloaded", "status": "UNAVAILABLE"}}),
        ));
        facts = Facts { finish: None, error: Some("UNAVAILABLE".into()), ..facts };
        return Answer::events(events, facts);
    }
    events.push(event(&response(&facts, &json!([{"text": ""}]), Some("STOP"), &usage)));
    Answer::events(events, facts)
}

fn embeddings(question: &Question<'_>, model: &str) -> Answer {
    let count = question.body.get("requests").and_then(Value::as_array).map_or(1, Vec::len);
    let dimensions =
        question.body.pointer("/requests/0/outputDimensionality").and_then(Value::as_u64).unwrap_or(8);
    let values: Vec<f64> = (0..dimensions).map(|_| 0.5).collect();
    let embeddings: Vec<Value> = (0..count).map(|_| json!({"values": values})).collect();
    let facts = Facts { operation: "embeddings".into(), model: model.to_owned(), ..Facts::default() };
    Answer::json(&json!({"embeddings": embeddings}), Some(facts))
}

fn error(model: &str, method: &str, status: u16) -> Answer {
    let kind = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        _ => "INTERNAL",
    };
    let body = json!({"error": {"code": status, "message": format!("the stand-in answers {status}"), "status": kind}});
    let operation = if method == "batchEmbedContents" { "embeddings" } else { "generate_content" };
    let facts = Facts {
        operation: operation.into(),
        model: model.to_owned(),
        stream: method == "streamGenerateContent",
        error: Some(kind.into()),
        ..Facts::default()
    };
    Answer::error(status, &body, Some(facts))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn model_and_method_come_from_the_path() {
        assert_eq!(
            place("/v1beta/models/gemini-2.5-flash:generateContent"),
            Some(("gemini-2.5-flash", "generateContent"))
        );
        assert_eq!(place("/v1/models"), None);
    }
}
