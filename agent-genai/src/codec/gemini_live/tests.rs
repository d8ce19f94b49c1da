//! The rules of live sessions, each on a few messages.

use agent_wire::{ExchangeEnd, Nanos};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::GeminiLive;
use crate::call::{Api, Call, Part};
use crate::codec::fixture::{self, BARE, CONTENT};
use crate::codec::{CodecOptions, Session, SessionMessage};

/// `true`: from the client.
type Said = (bool, Value);

fn session(options: CodecOptions, messages: &[Said]) -> Vec<Call> {
    let template = fixture::call(Api::GeminiLive);
    let mut session = GeminiLive::new(options);
    let mut calls = Vec::new();
    for (at, (from_client, value)) in (1..).zip(messages) {
        let at: Nanos = at * 1_000;
        session.message(
            &SessionMessage { from_client: *from_client, event: "", value, bytes: 10, at },
            &template,
        );
        calls.extend(std::iter::from_fn(|| session.take()));
    }
    session.end(&ExchangeEnd::default(), &template);
    calls.extend(std::iter::from_fn(|| session.take()));
    calls
}

fn setup() -> Said {
    (
        true,
        json!({"setup": {"model": "models/gemini-live", "generationConfig": {"responseModalities": ["AUDIO"], "temperature": 0.5},
        "systemInstruction": {"parts": [{"text": "Be kind"}]}, "tools": [{"functionDeclarations": [{"name": "f"}]}]}}),
    )
}

fn asks(text: &str) -> Said {
    (
        true,
        json!({"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": true}}),
    )
}

fn says(text: &str) -> Said {
    (false, json!({"serverContent": {"modelTurn": {"parts": [{"text": text}]}}}))
}

fn counts(prompt: u64, response: u64) -> Value {
    json!({"promptTokenCount": prompt, "responseTokenCount": response, "totalTokenCount": prompt + response,
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": response}]})
}

#[test]
fn a_turn_with_its_settings_and_counts() {
    let calls = session(
        CONTENT,
        &[
            setup(),
            (false, json!({"setupComplete": {"sessionId": "s1"}})),
            asks("Hi"),
            says("a"),
            says("b"),
            (false, json!({"serverContent": {"turnComplete": true}, "usageMetadata": counts(7, 3)})),
            asks("more"),
            says("c"),
            (false, json!({"serverContent": {"turnComplete": true}})),
            (false, json!({"usageMetadata": counts(12, 4)})),
        ],
    );
    assert_eq!(calls.len(), 2);
    let call = &calls[0];
    let r = &call.request;
    assert_eq!(
        (r.model.as_deref(), r.output_type.as_deref(), r.temperature),
        (Some("gemini-live"), Some("speech"), Some(0.5))
    );
    assert_eq!((r.conversation_id.as_deref(), r.tools.len(), r.system.len()), (Some("s1"), 1, 1));
    assert_eq!((call.timing.start, call.timing.first_chunk, call.timing.end), (3_000, Some(4_000), 6_000));
    assert_eq!((call.usage.input, call.usage.output, call.usage.audio_output), (Some(7), Some(3), Some(3)));
    assert_eq!(
        (call.response.messages[0].parts.clone(), call.response.finish_reasons.clone()),
        (vec![Part::Text("ab".into())], vec!["stop".to_owned()])
    );
    assert_eq!((calls[1].usage.input, calls[1].request.messages.len()), (Some(12), 1));
}

#[test]
fn sound_is_known_by_its_transcription() {
    let calls = session(
        CONTENT,
        &[
            setup(),
            (true, json!({"realtimeInput": {"audio": {"data": "AAAA", "mimeType": "audio/pcm"}}})),
            (false, json!({"serverContent": {"inputTranscription": {"text": "Hel"}}})),
            (
                false,
                json!({"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": "BBBB"}}]}}}),
            ),
            (
                false,
                json!({"serverContent": {"inputTranscription": {"text": "lo"}, "outputTranscription": {"text": "Hi"}}}),
            ),
            (false, json!({"serverContent": {"interrupted": true}})),
            (false, json!({"serverContent": {"turnComplete": true}, "usageMetadata": counts(1, 2)})),
        ],
    );
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].request.messages[0].parts, [Part::Text("Hello".into())]);
    assert_eq!(calls[0].response.messages[0].parts, [Part::Text("Hi".into())]);
    assert_eq!(calls[0].response.finish_reasons, ["interrupted"]);
}

#[test]
fn a_turn_that_calls_functions_is_two_calls() {
    let messages = [
        setup(),
        asks("add"),
        (
            false,
            json!({"toolCall": {"functionCalls": [{"id": "c1", "name": "f", "args": {"a": 1}}]}, "usageMetadata": counts(5, 1)}),
        ),
        (
            true,
            json!({"toolResponse": {"functionResponses": [{"id": "c1", "name": "f", "response": {"r": 2}}]}}),
        ),
        says("2"),
        (false, json!({"serverContent": {"turnComplete": true}, "usageMetadata": counts(9, 1)})),
    ];
    let calls = session(CONTENT, &messages);
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (calls[0].response.tool_calls[0].name.as_str(), calls[0].response.finish_reasons.as_slice()),
        ("f", &["tool_calls".to_owned()][..])
    );
    assert_eq!(
        calls[1].request.messages[0].parts,
        [Part::ToolCallResponse { id: Some("c1".into()), response: json!({"r": 2}) }]
    );
    assert_eq!(calls[1].usage.input, Some(9));
    let bare = session(BARE, &messages);
    assert!(bare.iter().all(|call| call.request.messages.is_empty() && call.response.messages.is_empty()));
    assert!(bare[0].response.tool_calls[0].arguments.is_none());
}

#[test]
fn a_turn_that_was_cut() {
    let calls = session(CONTENT, &[setup(), asks("Hi"), says("a")]);
    assert_eq!((calls.len(), calls[0].completeness.truncated), (1, true));
    assert_eq!(calls[0].response.finish_reasons, ["error"]);
    assert!(
        session(CONTENT, &[setup(), (false, json!({"setupComplete": {}})), (false, json!({"goAway": {}}))])
            .is_empty()
    );
}

const WORDS: &[&str] = &[
    "setup",
    "model",
    "generationConfig",
    "clientContent",
    "turns",
    "parts",
    "text",
    "realtimeInput",
    "toolResponse",
    "functionResponses",
    "serverContent",
    "modelTurn",
    "turnComplete",
    "interrupted",
    "toolCall",
    "functionCalls",
    "name",
    "args",
    "usageMetadata",
    "promptTokenCount",
    "totalTokenCount",
    "inputTranscription",
    "outputTranscription",
    "setupComplete",
    "sessionId",
];

proptest! {
    #[test]
    fn never_panics(messages in prop::collection::vec((any::<bool>(), fixture::json_of(WORDS)), 1..6), content: bool) {
        let options = CodecOptions { content, max_content: 256 };
        for call in session(options, &messages) {
            prop_assert!(content || call.request.messages.is_empty() && call.response.messages.is_empty());
        }
    }
}
