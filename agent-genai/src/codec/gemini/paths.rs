//! Where Google's APIs live, in tests of all of them.

use agent_wire::{Headers, RequestHead, Version};

use crate::call::{Api, Operation};
use crate::recognise::{Head, head};

fn at(method: &str, target: &str, headers: &[(&str, &str)]) -> Option<(Api, Operation, Option<String>)> {
    let headers: Headers = headers.iter().copied().collect();
    let head = head(&RequestHead {
        method: method.into(),
        target: target.into(),
        version: Version::Http11,
        headers,
    });
    match head {
        Head::Api(route) => Some((route.api, route.operation, route.model)),
        _ => None,
    }
}

fn post(target: &str) -> Option<(Api, Operation, Option<String>)> {
    at("POST", target, &[])
}

const VERTEX: &str = "/v1/projects/p/locations/l/publishers";

#[test]
fn generation() {
    let is = |api: Api, operation: Operation, model: &str| Some((api, operation, Some(model.to_owned())));
    let content = |model: &str| is(Api::Gemini, Operation::GenerateContent, model);
    assert_eq!(post("/v1beta/models/gemini-2.5-pro:generateContent"), content("gemini-2.5-pro"));
    assert_eq!(post("/v1beta/models/g:streamGenerateContent?alt=sse"), content("g"));
    assert_eq!(post("/v1beta/models/g%3AstreamGenerateContent"), content("g"));
    assert_eq!(post("/v1beta/models/openai/gpt-x:generateContent"), content("openai/gpt-x"));
    assert_eq!(post("/v1beta/tunedModels/t1:generateContent"), content("t1"));
    assert_eq!(
        post(&format!("{VERTEX}/google/models/g:generateContent?%24alt=json%3Benum-encoding%3Dint")),
        content("g")
    );
    assert_eq!(post("/v1/projects/p/locations/l/endpoints/123:streamGenerateContent"), content("123"));
    assert_eq!(post("/v1internal:generateContent").map(|found| found.0), Some(Api::Gemini));
    assert_eq!(post("/v1beta/interactions").map(|found| found.1), Some(Operation::Chat));
    let host = [("host", "generativelanguage.googleapis.com")];
    assert_eq!(
        at("GET", "/v1beta/interactions/v1_x", &host).map(|found| found.1),
        Some(Operation::FetchResponse)
    );
    assert_eq!(at("GET", "/v1beta/interactions/v1_x", &[("host", "crm.example.org")]), None);
}

#[test]
fn everything_else() {
    let apis = [
        ("/v1beta/models/g:embedContent", Api::GeminiEmbeddings),
        ("/v1beta/models/g:batchEmbedContents", Api::GeminiEmbeddings),
        ("/v1beta/models/g:countTokens", Api::CountTokens),
        ("/v1/messages/count_tokens?beta=true", Api::CountTokens),
        ("/v1/responses/input_tokens", Api::CountTokens),
        ("/model/anthropic.claude%3A0/count-tokens", Api::CountTokens),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", Api::CountTokens),
        ("/v1/projects/p/locations/l/publishers/google/models/e:predict", Api::VertexPredict),
        ("/v1/projects/p/locations/l/publishers/google/models/veo:predictLongRunning", Api::VertexPredict),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict", Api::AnthropicMessages),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:streamRawPredict",
            Api::AnthropicMessages,
        ),
        ("/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict", Api::OpenAiChat),
        ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", Api::OpenAiChat),
    ];
    for (path, api) in apis {
        assert_eq!(post(path).map(|found| found.0), Some(api), "{path}");
    }
    // Another server of models has the first of these.
    for path in [
        "/v1/models/mnist:predict",
        "/v1beta/cachedContents",
        "/upload/v1beta/files",
        "/v1beta/models/g:tune",
    ] {
        assert_eq!(post(path), None, "{path}");
    }
}

#[test]
fn live_sessions() {
    let upgrade = [("upgrade", "websocket"), ("connection", "Upgrade")];
    for path in [
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k",
        "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
        "//ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
    ] {
        assert_eq!(at("GET", path, &upgrade).map(|found| found.0), Some(Api::GeminiLive), "{path}");
        assert_eq!(at("GET", path, &[]), None);
    }
}
