use agent_wire::{Body, ExchangeEnd, Headers, MessageEnd, RequestHead, ResponseHead, Role, Version};

use crate::call::{Api, Call, Operation};
use crate::{Decoder, DecoderOptions};

fn head(path: &str, kind: &str) -> RequestHead {
    RequestHead {
        method: "POST".into(),
        target: path.into(),
        version: Version::Http2,
        headers: [(":authority", "store:6334"), ("content-type", kind)].into_iter().collect(),
    }
}

fn call(path: &str, kind: &str, messages: &[u64], trailers: &[(&str, &str)]) -> Vec<Call> {
    let Some(mut fold) =
        Decoder::new(DecoderOptions::default()).begin(&head(path, kind), Role::Client, true, 0)
    else {
        return Vec::new();
    };
    fold.request_body(Body::Grpc { compressed: false, bytes: 70 }, 1);
    fold.request_end(&MessageEnd { at: 1, ..MessageEnd::default() });
    fold.response_head(&ResponseHead { status: 200, version: Version::Http2, headers: Headers::new() }, 2);
    for (at, bytes) in (3..).zip(messages) {
        fold.response_body(Body::Grpc { compressed: false, bytes: *bytes }, at);
    }
    let trailers = trailers.iter().copied().collect();
    fold.response_end(&MessageEnd { at: 9, trailers, ..MessageEnd::default() });
    fold.finish(&ExchangeEnd { at: 9, ..ExchangeEnd::default() })
}

#[test]
fn known_methods_with_their_sizes() {
    let calls = call("/qdrant.Points/SearchBatch", "application/grpc", &[100], &[("grpc-status", "0")]);
    let [one] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((one.api, one.operation, one.error.as_ref()), (Api::Grpc, Operation::Retrieval, None));
    assert_eq!(one.retrieval.as_ref().unwrap().system, "qdrant");
    let rpc = one.rpc.as_ref().unwrap();
    assert_eq!((rpc.method.as_str(), rpc.status_code), ("qdrant.Points/SearchBatch", Some(0)));
    assert_eq!((rpc.messages, rpc.message_bytes), (Some((1, 1)), Some((70, 100))));
    assert!(one.request.model.is_none() && !one.usage.is_reported() && one.timing.first_chunk.is_none());
    assert!(one.completeness.is_complete(), "{:?}", one.completeness);

    let calls = call(
        "/xai_api.Chat/GetCompletionChunk",
        "application/grpc+proto",
        &[5, 6, 7],
        &[("grpc-status", "0")],
    );
    let [one] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!((one.operation, one.provider.as_str(), one.request.stream), (Operation::Chat, "x_ai", true));
    assert_eq!((one.timing.first_chunk, one.timing.chunk_gaps.count), (Some(3), 2));
    assert!(one.response.finish_reasons.is_empty());
    let path = "/google.cloud.aiplatform.v1beta1.PredictionService/StreamGenerateContent";
    assert_eq!(call(path, "application/grpc", &[1], &[]).first().unwrap().provider, "gcp.vertex_ai");
}

#[test]
fn a_status_that_is_no_success() {
    let trailers = [("grpc-status", "14"), ("grpc-message", "no%20route")];
    let calls = call("/weaviate.v1.Weaviate/Search", "application/grpc", &[], &trailers);
    let error = calls.first().unwrap().error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("UNAVAILABLE", "no route"));
    assert_eq!(super::status_name(99), "99");
}

#[test]
fn other_services_and_other_bodies_are_no_calls() {
    for (path, kind) in [
        ("/grpc.health.v1.Health/Check", "application/grpc"),
        ("/qdrant.Points/Upsert", "application/grpc"),
        ("/qdrant.Collections/List", "application/grpc"),
        ("/weaviate.v1.Weaviate/BatchObjects", "application/grpc"),
        ("/qdrant.Points/Search", "application/json"),
    ] {
        assert!(call(path, kind, &[1], &[("grpc-status", "0")]).is_empty(), "{path}");
    }
}
