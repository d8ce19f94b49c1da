use agent_wire::{RequestHead, Version};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::call::{Api, Call, Part};
use crate::codec::fixture::{BARE, CONTENT, json_of};
use crate::codec::spec::{Make, Spec};
use crate::codec::{Codec, CodecOptions, RequestFacts};

/// A codec that has seen the head of a request to this path.
fn begun(spec: &'static Spec, row: usize, path: &str, options: CodecOptions) -> (Box<dyn Codec>, Call) {
    let Make::Codec(make) = spec.make else { panic!() };
    let mut codec = make(options);
    let mut call = crate::codec::fixture::call(spec.api);
    call.operation = spec.rows[row].operation;
    let head = RequestHead {
        method: "POST".into(),
        target: path.into(),
        version: Version::Http11,
        headers: Default::default(),
    };
    codec.begin(&RequestFacts { row: Some(&spec.rows[row]), model: None, head: &head }, &mut call);
    (codec, call)
}

fn chunk(text: &str) -> Value {
    json!({"bytes": base64::engine::general_purpose::STANDARD.encode(text)})
}

const AGENT_PATH: &str = "/agents/AG1/agentAliases/AL1/sessions/se%3A1/text";

fn usage(input: u64, output: u64) -> Value {
    json!({"modelInvocationOutput": {"metadata": {"usage": {"inputTokens": input, "outputTokens": output}}}})
}

#[test]
fn tokens_of_every_inference_are_summed() {
    let (mut codec, mut call) = begun(&agent::SPEC, 0, AGENT_PATH, CONTENT);
    codec.request(&json!({"inputText": "hi", "enableTrace": true}), &mut call);
    let input = json!({"modelInvocationInput": {"foundationModel": "m1"}});
    for trace in [
        json!({"preProcessingTrace": usage(1, 2)}),
        json!({"orchestrationTrace": input}),
        json!({"orchestrationTrace": usage(10, 20)}),
        json!({"orchestrationTrace": {"rationale": {"text": "so"}}}),
        json!({"orchestrationTrace": {"invocationInput": {"invocationType": "ACTION_GROUP", "actionGroupInvocationInput":
            {"actionGroupName": "g", "function": "add", "parameters": [{"name": "a", "type": "number", "value": "1"}]}}}}),
        json!({"guardrailTrace": {"action": "NONE"}}),
    ] {
        codec.event("trace", &json!({"sessionId": "se:1", "trace": trace}), &mut call);
    }
    codec.event("chunk", &chunk("fo"), &mut call);
    codec.event("chunk", &chunk("ur"), &mut call);
    codec.finish(&mut call);
    assert!(codec.has_ended());
    assert_eq!((call.usage.input, call.usage.output), (Some(11), Some(22)));
    assert_eq!(
        (call.request.agent.as_deref(), call.request.conversation_id.as_deref()),
        (Some("AG1"), Some("se:1"))
    );
    assert_eq!((call.response.model.as_deref(), call.response.flagged), (Some("m1"), Some(false)));
    let step = &call.response.tool_calls[0];
    assert_eq!((step.name.as_str(), step.kind.as_str()), ("add", "actionGroupInvocationInput"));
    assert_eq!(step.arguments, Some(json!({"a": "1"})));
    assert_eq!(call.response.messages[0].parts, [Part::Reasoning("so".into()), Part::Text("four".into())]);
}

#[test]
fn without_traces_nothing_is_made_up() {
    let (mut codec, mut call) = begun(&agent::SPEC, 0, AGENT_PATH, BARE);
    codec.request(&json!({"inputText": "hi"}), &mut call);
    codec.event("chunk", &chunk("four"), &mut call);
    codec.finish(&mut call);
    assert!(
        !call.usage.is_reported() && call.response.messages.is_empty() && call.request.messages.is_empty()
    );
    // Two models: the tokens have no one price.
    let (mut codec, mut call) = begun(&agent::SPEC, 0, AGENT_PATH, BARE);
    for model in ["a", "b"] {
        let trace =
            json!({"trace": {"orchestrationTrace": {"modelInvocationInput": {"foundationModel": model}}}});
        codec.event("trace", &trace, &mut call);
    }
    codec.finish(&mut call);
    assert_eq!((call.response.model.is_none(), codec.has_ended()), (true, false));
}

#[test]
fn control_is_returned_as_tool_calls() {
    let (mut codec, mut call) = begun(&agent::SPEC, 1, "/agents/s1", CONTENT);
    codec.request(&json!({"inputText": "hi", "foundationModel": "m", "agentName": "n"}), &mut call);
    codec.event("returnControl", &json!({"invocationId": "i1", "invocationInputs": [
        {"functionInvocationInput": {"actionGroup": "g", "function": "f", "parameters": [{"name": "a", "value": "1"}]}}]}), &mut call);
    codec.finish(&mut call);
    assert_eq!(
        (
            call.request.conversation_id.as_deref(),
            call.request.agent.as_deref(),
            call.request.model.as_deref()
        ),
        (Some("s1"), Some("n"), Some("m"))
    );
    let tool = &call.response.tool_calls[0];
    assert_eq!(
        (tool.id.as_deref(), tool.name.as_str(), tool.arguments.clone()),
        (Some("i1"), "f", Some(json!({"a": "1"})))
    );
}

#[test]
fn flows() {
    let (mut codec, mut call) = begun(&agent::SPEC, 2, "/flows/F1/aliases/A1", CONTENT);
    codec.request(&json!({"inputs": [{"nodeName": "in", "content": {"document": {"a": 1}}}]}), &mut call);
    codec.event("flowOutputEvent", &json!({"nodeName": "out", "content": {"document": "done"}}), &mut call);
    codec.event("flowCompletionEvent", &json!({"completionReason": "SUCCESS"}), &mut call);
    codec.finish(&mut call);
    assert_eq!(
        (call.request.agent.as_deref(), call.response.finish_reasons[0].as_str()),
        (Some("F1"), "SUCCESS")
    );
    assert_eq!(call.response.messages[0].parts, [Part::Text("done".into())]);
    assert_eq!(call.request.messages[0].parts, [Part::Text("{\"a\":1}".into())]);
}

#[test]
fn retrievals() {
    let body = json!({"retrievalQuery": {"text": "q"}, "retrievalConfiguration": {"vectorSearchConfiguration": {"numberOfResults": 3, "filter": {"equals": {}}}}});
    let answer = json!({"guardrailAction": "NONE", "retrievalResults": [
        {"content": {"text": "t1", "type": "TEXT"}, "location": {"type": "S3", "s3Location": {"uri": "s3://b/a"}}, "score": 0.5},
        {"content": {"text": "t2"}, "location": {"type": "WEB", "webLocation": {"url": "https://x"}}, "score": 0.25}]});
    for options in [CONTENT, BARE] {
        let (mut codec, mut call) = begun(&knowledge::SPEC, 0, "/knowledgebases/KB1/retrieve", options);
        codec.request(&body, &mut call);
        codec.response(&answer, &mut call);
        codec.finish(&mut call);
        let found = call.retrieval.unwrap();
        assert_eq!((found.data_source.as_deref(), found.top_k, found.filtered), (Some("KB1"), Some(3), true));
        assert_eq!(
            (found.hits, found.best_score, found.found[1].id.as_deref()),
            (Some(2), Some(0.5), Some("https://x"))
        );
        assert_eq!(
            (found.query.is_some(), found.found[0].content.is_some()),
            (options.content, options.content)
        );
        assert_eq!(call.response.flagged, Some(false));
    }
}

#[test]
fn generated_answers() {
    let body = json!({"input": {"text": "q"}, "sessionId": "s", "retrieveAndGenerateConfiguration": {"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": {
        "knowledgeBaseId": "KB1", "modelArn": "m", "generationConfiguration": {"guardrailConfiguration": {"guardrailId": "g"},
            "inferenceConfig": {"textInferenceConfig": {"maxTokens": 5, "temperature": 0.5}}}}}});
    let (mut codec, mut call) = begun(&knowledge::SPEC, 1, "/retrieveAndGenerate", CONTENT);
    codec.request(&body, &mut call);
    codec.response(&json!({"output": {"text": "a"}, "sessionId": "s", "citations": [{"retrievedReferences": [{"content": {"text": "t"}, "location": {"s3Location": {"uri": "u"}}}]}]}), &mut call);
    codec.finish(&mut call);
    assert_eq!(
        (call.request.model.as_deref(), call.request.max_tokens, call.request.guardrail.as_deref()),
        (Some("m"), Some(5), Some("g"))
    );
    let found = call.retrieval.as_ref().unwrap();
    assert_eq!((found.data_source.as_deref(), found.hits), (Some("KB1"), Some(1)));
    assert_eq!(call.response.messages[0].parts, [Part::Text("a".into())]);

    let (mut codec, mut call) = begun(&knowledge::SPEC, 2, "/retrieveAndGenerateStream", CONTENT);
    codec.request(&body, &mut call);
    codec.event("output", &json!({"text": "a"}), &mut call);
    codec.event("output", &json!({"text": "b"}), &mut call);
    codec.event("guardrail", &json!({"action": "INTERVENED"}), &mut call);
    codec.finish(&mut call);
    assert_eq!((call.response.flagged, codec.has_ended()), (Some(true), true));
    assert_eq!(call.response.messages[0].parts, [Part::Text("ab".into())]);
}

#[test]
fn guardrails() {
    let (mut codec, mut call) = begun(&guardrail::SPEC, 0, "/guardrail/g1/version/1/apply", CONTENT);
    codec.request(&json!({"source": "INPUT", "content": [{"text": {"text": "x"}}]}), &mut call);
    codec.response(&json!({"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "no"}]}), &mut call);
    codec.finish(&mut call);
    assert_eq!((call.request.guardrail.as_deref(), call.response.flagged), (Some("g1"), Some(true)));
    assert_eq!((call.request.messages.len(), call.response.messages.len()), (1, 1));
    assert_eq!(call.api, Api::BedrockGuardrail);
}

const WORDS: &[&str] = &[
    "trace",
    "orchestrationTrace",
    "modelInvocationOutput",
    "modelInvocationInput",
    "foundationModel",
    "metadata",
    "usage",
    "inputTokens",
    "outputTokens",
    "invocationInput",
    "actionGroupInvocationInput",
    "function",
    "parameters",
    "name",
    "value",
    "rationale",
    "text",
    "bytes",
    "invocationInputs",
    "functionInvocationInput",
    "content",
    "document",
    "retrievalResults",
    "location",
    "s3Location",
    "uri",
    "score",
    "citations",
    "retrievedReferences",
    "output",
    "inputs",
    "inputText",
    "input",
    "action",
    "guardrailTrace",
    "completionReason",
];
const EVENTS: &[&str] = &[
    "chunk",
    "trace",
    "returnControl",
    "flowOutputEvent",
    "flowCompletionEvent",
    "output",
    "citation",
    "guardrail",
    "",
];

proptest! {
    #[test]
    fn any_json_is_survived(
        which in 0usize..3, bodies in prop::collection::vec((prop::sample::select(EVENTS), json_of(WORDS)), 1..8), content: bool
    ) {
        let specs = [&agent::SPEC, &knowledge::SPEC, &guardrail::SPEC];
        let (mut codec, mut call) = begun(specs[which], 0, "/a", CodecOptions { content, max_content: 256 });
        codec.request(&bodies[0].1, &mut call);
        for (event, body) in &bodies {
            codec.event(event, body, &mut call);
        }
        codec.response(&bodies[0].1, &mut call);
        codec.finish(&mut call);
        prop_assert!(content || call.request.messages.is_empty() && call.response.messages.is_empty());
        prop_assert!(content || call.response.tool_calls.iter().all(|call| call.arguments.is_none()));
    }
}
