use agent_wire::{Headers, RequestHead, Version};
use base64::Engine;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::call::{Part, Unit};
use crate::codec::fixture::{BARE, CONTENT, json_of};

const API: Api = Api::BedrockInvoke;

/// One exchange: model, request, response headers, and either the whole answer or the objects of a stream.
fn fold(
    model: &str,
    options: CodecOptions,
    request: &Value,
    headers: &[(&str, &str)],
    answer: &[Value],
    stream: bool,
) -> Call {
    let mut codec = Invoke::new(options);
    let mut call = crate::codec::fixture::call(API);
    let head = RequestHead {
        method: "POST".into(),
        target: "/".into(),
        version: Version::Http11,
        headers: [("X-Amzn-Bedrock-GuardrailIdentifier", "g1")].into_iter().collect(),
    };
    let row = &SPEC.rows[if stream { 3 } else { 0 }];
    codec.begin(&RequestFacts { row: Some(row), model: Some(model), head: &head }, &mut call);
    codec.request(request, &mut call);
    let headers: Headers = headers.iter().copied().collect();
    codec.response_head(&ResponseHead { status: 200, version: Version::Http11, headers }, &mut call);
    call.http.status = Some(200);
    for object in answer {
        if stream {
            let bytes = base64::engine::general_purpose::STANDARD.encode(object.to_string());
            codec.event("chunk", &json!({"bytes": bytes, "p": "abc"}), &mut call);
        } else {
            codec.response(object, &mut call);
        }
    }
    codec.finish(&mut call);
    assert_eq!(codec.held_bytes(), 0, "the fold let go of everything");
    assert_eq!(call.request.model.as_deref(), Some(model));
    assert_eq!(call.request.guardrail.as_deref(), Some("g1"));
    call
}

fn said(call: &Call) -> Vec<Part> {
    call.response.messages.iter().flat_map(|message| message.parts.clone()).collect()
}

const COUNTED: &[(&str, &str)] =
    &[("X-Amzn-Bedrock-Input-Token-Count", "8"), ("X-Amzn-Bedrock-Output-Token-Count", "3")];

#[test]
fn anthropic_bodies_go_to_their_own_decoder() {
    let request = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hi"}],
        "usage": {"input_tokens": 2, "cache_read_input_tokens": 6, "output_tokens": 3}});
    let call = fold("us.anthropic.claude-x-v1:0", CONTENT, &request, COUNTED, &[answer], false);
    // The body's counts win over the headers'.
    assert_eq!((call.usage.input, call.usage.output, call.usage.cache_read), (Some(8), Some(3), Some(6)));
    assert_eq!((call.operation, call.request.max_tokens), (Operation::Chat, Some(9)));
    assert_eq!(
        (call.response.model.as_deref(), said(&call)),
        (Some("claude-x"), vec![Part::Text("hi".into())])
    );
    let text = fold(
        "anthropic.claude-v2",
        CONTENT,
        &json!({"prompt": "p", "max_tokens_to_sample": 4}),
        COUNTED,
        &[json!({"completion": "c", "stop_reason": "stop_sequence", "stop": "\n"})],
        false,
    );
    assert_eq!(
        (text.operation, text.usage.input, text.usage.output),
        (Operation::TextCompletion, Some(8), Some(3))
    );
    assert_eq!(text.response.finish_reasons, ["stop_sequence"]);
}

#[test]
fn streams_are_unpacked() {
    let items = [
        json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 130}}),
        json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 98}}),
    ];
    let request = json!({"anthropic_version": "b", "max_tokens": 9, "messages": []});
    let call = fold("anthropic.claude-3", CONTENT, &request, &[], &items, true);
    assert_eq!((call.usage.input, call.usage.output), (Some(7), Some(130)));
    assert_eq!((said(&call), call.request.stream), (vec![Part::Text("hi".into())], true));
    assert!(fold("anthropic.claude-3", BARE, &request, &[], &items, true).response.messages.is_empty());

    let nova = [
        json!({"messageStart": {"role": "assistant"}}),
        json!({"contentBlockDelta": {"delta": {"text": "a"}, "contentBlockIndex": 0}}),
        json!({"messageStop": {"stopReason": "max_tokens"}}),
        json!({"metadata": {"usage": {"inputTokens": 5, "outputTokens": 1}, "metrics": {}}, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 1}}),
    ];
    let request = json!({"messages": [{"role": "user", "content": [{"text": "x"}]}], "inferenceConfig": {"max_new_tokens": 1, "topK": 3}});
    let call = fold("amazon.nova-micro-v1:0", CONTENT, &request, &[], &nova, true);
    assert_eq!(
        (call.usage.input, call.usage.output, call.request.max_tokens, call.request.top_k),
        (Some(5), Some(1), Some(1), Some(3))
    );
    assert_eq!(
        (call.response.finish_reasons.clone(), said(&call)),
        (vec!["max_tokens".to_owned()], vec![Part::Text("a".into())])
    );

    // Only the last object of the stream has counts.
    let cohere = [
        json!({"is_finished": false, "text": " I"}),
        json!({"is_finished": true, "finish_reason": "MAX_TOKENS", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 20, "outputTokenCount": 10}}),
    ];
    let call = fold(
        "cohere.command-light-text-v14",
        CONTENT,
        &json!({"prompt": "x", "k": 0, "p": 1.0}),
        &[],
        &cohere,
        true,
    );
    assert_eq!((call.usage.input, call.usage.output), (Some(20), Some(10)));
    assert_eq!(call.response.finish_reasons, ["MAX_TOKENS"]);

    let llama = [
        json!({"generation": "a", "prompt_token_count": 9, "generation_token_count": 1, "stop_reason": null}),
        json!({"generation": "b", "prompt_token_count": null, "generation_token_count": 2, "stop_reason": "stop"}),
    ];
    let call = fold(
        "meta.llama3-8b-instruct-v1:0",
        CONTENT,
        &json!({"prompt": "x", "max_gen_len": 5}),
        &[],
        &llama,
        true,
    );
    assert_eq!((call.usage.input, call.usage.output, call.request.max_tokens), (Some(9), Some(2), Some(5)));
    assert_eq!(said(&call), [Part::Text("ab".into())]);
    let cut = fold("meta.llama3-8b-instruct-v1:0", BARE, &json!({"prompt": "x"}), &[], &llama[..1], true);
    assert_eq!((cut.usage.output, cut.response.finish_reasons.len()), (Some(1), 0));
}

#[test]
fn prompts_of_every_vendor() {
    let titan = fold(
        "amazon.titan-text-express-v1",
        CONTENT,
        &json!({"inputText": "x", "textGenerationConfig": {"maxTokenCount": 20, "temperature": 0.5, "topP": 0.9, "stopSequences": ["|"]}}),
        &[],
        &[
            json!({"inputTextTokenCount": 3, "results": [{"tokenCount": 2, "outputText": "a", "completionReason": "FINISH"}]}),
        ],
        false,
    );
    assert_eq!(
        (titan.usage.input, titan.usage.output, titan.request.max_tokens),
        (Some(3), Some(2), Some(20))
    );
    assert_eq!((titan.response.finish_reasons[0].as_str(), titan.request.stop.len()), ("FINISH", 1));
    let mistral = fold(
        "mistral.mistral-7b-instruct-v0:2",
        CONTENT,
        &json!({"prompt": "x", "max_tokens": 5, "stop": ["|"]}),
        COUNTED,
        &[json!({"outputs": [{"text": "m", "stop_reason": "length"}]})],
        false,
    );
    assert_eq!((mistral.usage.input, said(&mistral)), (Some(8), vec![Part::Text("m".into())]));
    let ai21 = fold(
        "ai21.j2-mid-v1",
        CONTENT,
        &json!({"prompt": "x", "maxTokens": 5, "topP": 0.5}),
        COUNTED,
        &[
            json!({"id": 1234, "completions": [{"data": {"text": "j"}, "finishReason": {"reason": "endoftext"}}]}),
        ],
        false,
    );
    assert_eq!(
        (ai21.response.id.as_deref(), ai21.response.finish_reasons[0].as_str()),
        (Some("1234"), "endoftext")
    );
    assert_eq!((ai21.usage.output, ai21.operation), (Some(3), Operation::TextCompletion));
    let qwen = fold(
        "qwen.qwen3-32b-v1:0",
        CONTENT,
        &json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 4}),
        &[],
        &[
            json!({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "q"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}}),
        ],
        false,
    );
    assert_eq!(
        (qwen.usage.input, said(&qwen), qwen.operation),
        (Some(4), vec![Part::Text("q".into())], Operation::Chat)
    );
    let cohere = fold(
        "cohere.command-r-v1:0",
        CONTENT,
        &json!({"message": "x", "chat_history": []}),
        COUNTED,
        &[json!({"generation_id": "g", "response_id": "r", "text": "c", "finish_reason": "COMPLETE"})],
        false,
    );
    assert_eq!((cohere.usage.input, said(&cohere)), (Some(8), vec![Part::Text("c".into())]));
}

#[test]
fn a_profile_s_arn_leaves_it_to_the_bodies() {
    let arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
    let call = fold(
        arn,
        CONTENT,
        &json!({"anthropic_version": "b", "messages": []}),
        &[],
        &[json!({"type": "message", "content": [], "usage": {"input_tokens": 1, "output_tokens": 2}})],
        false,
    );
    assert_eq!(call.usage.output, Some(2));
    // The request was never seen.
    let mut codec = Invoke::new(CONTENT);
    let mut call = crate::codec::fixture::call(API);
    codec.response(&json!({"generation": "x", "prompt_token_count": 1, "generation_token_count": 2, "stop_reason": "stop"}), &mut call);
    codec.finish(&mut call);
    assert_eq!((call.usage.output, call.operation), (Some(2), Operation::TextCompletion));
}

#[test]
fn vectors_and_pictures() {
    let counted = &[("X-Amzn-Bedrock-Input-Token-Count", "8")];
    let titan = fold(
        "amazon.titan-embed-text-v2:0",
        CONTENT,
        &json!({"inputText": "x", "dimensions": 3}),
        counted,
        &[json!({"embedding": [0.1, 0.2, 0.3], "inputTextTokenCount": 2})],
        false,
    );
    assert_eq!(
        (titan.usage.input, titan.usage.output, titan.operation),
        (Some(2), None, Operation::Embeddings)
    );
    assert_eq!(
        (titan.response.vector_count, titan.response.vector_dimension, titan.request.input_count),
        (Some(1), Some(3), Some(1))
    );
    let binary = fold(
        "amazon.titan-embed-text-v2:0",
        CONTENT,
        &json!({"inputText": "x", "embeddingTypes": ["binary"]}),
        counted,
        &[json!({"embeddingsByType": {"binary": [0, 1, 1, 0]}, "inputTextTokenCount": 2})],
        false,
    );
    assert_eq!((binary.response.vector_count, binary.response.vector_dimension), (Some(1), Some(4)));
    let cohere = fold(
        "cohere.embed-english-v3",
        CONTENT,
        &json!({"texts": ["a", "b"], "input_type": "x"}),
        counted,
        &[
            json!({"id": "e", "embeddings": [[1, 2], [3, 4]], "texts": ["a", "b"], "response_type": "embeddings_floats"}),
        ],
        false,
    );
    assert_eq!(
        (cohere.usage.input, cohere.response.vector_count, cohere.response.vector_dimension),
        (Some(8), Some(2), Some(2))
    );
    let nova = fold(
        "amazon.nova-2-multimodal-embeddings-v1:0",
        CONTENT,
        &json!({"singleEmbeddingParams": {"embeddingDimension": 2}}),
        counted,
        &[json!({"embeddings": [{"embeddingType": "TEXT", "embedding": [1, 2]}]})],
        false,
    );
    assert_eq!((nova.request.dimensions, nova.response.vector_dimension), (Some(2), Some(2)));
    let canvas = fold(
        "amazon.nova-canvas-v1:0",
        CONTENT,
        &json!({"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a cat"}, "imageGenerationConfig": {"numberOfImages": 2}}),
        &[],
        &[json!({"images": ["AAAA", "BBBB"], "error": null})],
        false,
    );
    assert_eq!((canvas.operation, canvas.request.choice_count), (Operation::GenerateContent, Some(2)));
    assert_eq!(
        canvas.usage.units.iter().map(|u| (u.unit, u.quantity)).collect::<Vec<_>>(),
        [(Unit::Image, 2.into())]
    );
    assert_eq!(canvas.request.messages.len(), 1);
}

#[test]
fn guardrails_and_failures() {
    let blocked = json!({"outputText": "Input blocked", "index": 0, "totalOutputTextTokenCount": 3, "inputTextTokenCount": 6, "amazon-bedrock-guardrailAction": "INTERVENED"});
    let call = fold("amazon.titan-text-lite-v1", CONTENT, &json!({"inputText": "x"}), &[], &[blocked], true);
    assert_eq!(
        (call.response.flagged, call.response.finish_reasons[0].as_str()),
        (Some(true), "guardrail_intervened")
    );

    assert!(!call.usage.is_reported(), "no model was asked");

    let mut codec = Invoke::new(BARE);
    let mut call = crate::codec::fixture::call(API);
    call.http.status = Some(400);
    let headers = [("X-Amzn-ErrorType", "ValidationException:http://x")].into_iter().collect();
    codec.response_head(&ResponseHead { status: 400, version: Version::Http11, headers }, &mut call);
    codec.response(&json!({"message": "no such model"}), &mut call);
    codec.finish(&mut call);
    assert_eq!(
        call.error.map(|error| (error.kind, error.message)),
        Some(("ValidationException".into(), "no such model".into()))
    );

    let mut codec = Invoke::new(BARE);
    let mut call = crate::codec::fixture::call(API);
    codec.event("chunk", &json!({"bytes": "%%%"}), &mut call);
    codec.exception("throttlingException", "", &json!({"message": "slow down"}), &mut call);
    codec.finish(&mut call);
    assert!(call.completeness.undecodable.is_some());
    assert_eq!(call.error.map(|error| error.kind).as_deref(), Some("throttlingException"));
}

#[test]
fn reranking_and_video() {
    let ranked = fold(
        "cohere.rerank-v3-5:0",
        CONTENT,
        &json!({"query": "q", "documents": ["a", "b"], "top_n": 1}),
        &[],
        &[json!({"results": [{"index": 1, "relevance_score": 0.5}]})],
        false,
    );
    assert_eq!(
        (ranked.operation, ranked.retrieval.and_then(|found| found.hits)),
        (Operation::Rerank, Some(1))
    );
    let seen = fold(
        "us.twelvelabs.pegasus-1-2-v1:0",
        CONTENT,
        &json!({"inputPrompt": "what?", "maxOutputTokens": 7}),
        COUNTED,
        &[json!({"message": "a cat", "finishReason": "stop"})],
        false,
    );
    assert_eq!(
        (seen.request.max_tokens, seen.usage.output, said(&seen)),
        (Some(7), Some(3), vec![Part::Text("a cat".into())])
    );
    assert_eq!(seen.response.finish_reasons, ["stop"]);
}

#[test]
fn speech_both_ways() {
    let mut codec = Invoke::new(CONTENT);
    let mut call = crate::codec::fixture::call(API);
    codec.make(Family::Sonic, &mut call);
    for event in [
        json!({"completionStart": {"sessionId": "s", "completionId": "c"}}),
        json!({"contentStart": {"role": "USER", "additionalModelFields": "{\"generationStage\":\"FINAL\"}"}}),
        json!({"textOutput": {"role": "USER", "content": "hello"}}),
        json!({"contentStart": {"role": "ASSISTANT", "additionalModelFields": "{\"generationStage\":\"SPECULATIVE\"}"}}),
        json!({"textOutput": {"role": "ASSISTANT", "content": "hi there"}}),
        json!({"usageEvent": {"totalInputTokens": 5, "totalOutputTokens": 2}}),
        json!({"contentStart": {"role": "ASSISTANT", "additionalModelFields": "{\"generationStage\":\"FINAL\"}"}}),
        json!({"textOutput": {"role": "ASSISTANT", "content": "hi"}}),
        json!({"usageEvent": {"totalInputTokens": 9, "totalOutputTokens": 4, "totalTokens": 13,
            "details": {"delta": {}, "total": {"input": {"speechTokens": 6, "textTokens": 3}, "output": {"speechTokens": 3, "textTokens": 1}}}}}),
        json!({"completionEnd": {"stopReason": "END_TURN"}}),
    ] {
        let bytes = base64::engine::general_purpose::STANDARD.encode(json!({"event": event}).to_string());
        codec.event("chunk", &json!({"bytes": bytes}), &mut call);
    }
    codec.finish(&mut call);
    assert_eq!(
        (call.usage.input, call.usage.output, call.usage.audio_input, call.usage.text_output),
        (Some(9), Some(4), Some(6), Some(1))
    );
    assert_eq!(
        (call.request.conversation_id.as_deref(), call.response.finish_reasons[0].as_str()),
        (Some("s"), "END_TURN")
    );
    assert_eq!((said(&call), call.request.messages.len()), (vec![Part::Text("hi".into())], 1));
}

const WORDS: &[&str] = &[
    "messages",
    "prompt",
    "inputText",
    "texts",
    "message",
    "anthropic_version",
    "inferenceConfig",
    "text",
    "generation",
    "outputs",
    "results",
    "outputText",
    "tokenCount",
    "completions",
    "data",
    "finishReason",
    "reason",
    "choices",
    "delta",
    "content",
    "type",
    "message_start",
    "usage",
    "embedding",
    "embeddings",
    "images",
    "amazon-bedrock-invocationMetrics",
    "inputTokenCount",
    "amazon-bedrock-guardrailAction",
    "INTERVENED",
    "contentBlockDelta",
    "messageStop",
    "stopReason",
    "index",
    "is_finished",
    "generations",
    "stop_reason",
];
const MODELS: &[&str] = &[
    "anthropic.x",
    "amazon.nova-x",
    "amazon.titan-text",
    "amazon.titan-embed",
    "cohere.command",
    "cohere.embed",
    "stability.x",
    "qwen.x",
    "",
];

proptest! {
    #[test]
    fn any_json_is_survived(model in prop::sample::select(MODELS), bodies in prop::collection::vec(json_of(WORDS), 1..6), content: bool) {
        let options = CodecOptions { content, max_content: 256 };
        let mut codec = Invoke::new(options);
        let mut call = crate::codec::fixture::call(API);
        codec.model = Some(model.to_owned());
        codec.request(&bodies[0], &mut call);
        for body in &bodies {
            let bytes = base64::engine::general_purpose::STANDARD.encode(body.to_string());
            codec.event("chunk", &json!({"bytes": bytes}), &mut call);
        }
        codec.response(&bodies[0], &mut call);
        codec.finish(&mut call);
        prop_assert!(content || call.request.messages.is_empty() && call.response.messages.is_empty());
        prop_assert!(call.usage.cache_read.unwrap_or(0) <= call.usage.input.unwrap_or(u64::MAX));
    }
}
