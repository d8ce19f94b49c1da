//! gRPC services of models, vector stores and agents. Without their schemas the payloads say nothing, so a call has its method, status,
//! times, and the number and size of its messages: no model, no tokens, no content.

#[cfg(test)]
mod tests;

use agent_wire::{Headers, Nanos, ResponseHead};
use serde_json::Value;

use super::spec::{Make, Row, Spec};
use super::{Codec, RequestFacts, error};
use crate::call::{Api, Call, Operation, Retrieval, Rpc};
use crate::recognise::percent_decoded;

/// Known services. Others are no calls.
pub(crate) static SPEC: Spec = Spec {
    rows: &[
        Row::certain("xai_api.Chat/GetCompletion", Operation::Chat),
        Row::certain("xai_api.Chat/GetCompletionChunk", Operation::Chat),
        Row::certain("xai_api.Chat/StartDeferredCompletion", Operation::Chat),
        Row::certain("xai_api.Chat/*", Operation::Rpc),
        Row::certain("xai_api.Sample/*", Operation::TextCompletion),
        Row::certain("xai_api.Embedder/Embed", Operation::Embeddings),
        Row::certain("xai_api.Image/GenerateImage", Operation::GenerateContent),
        Row::certain("xai_api.Documents/Search", Operation::Retrieval),
        Row::certain(
            "google.cloud.aiplatform.*.PredictionService/GenerateContent",
            Operation::GenerateContent,
        ),
        Row::certain(
            "google.cloud.aiplatform.*.PredictionService/StreamGenerateContent",
            Operation::GenerateContent,
        ),
        Row::certain("google.cloud.aiplatform.*.LlmUtilityService/CountTokens", Operation::CountTokens),
        Row::certain("google.cloud.aiplatform.*.PredictionService/CountTokens", Operation::CountTokens),
        Row::certain(
            "google.ai.generativelanguage.*.GenerativeService/GenerateContent",
            Operation::GenerateContent,
        ),
        Row::certain(
            "google.ai.generativelanguage.*.GenerativeService/StreamGenerateContent",
            Operation::GenerateContent,
        ),
        Row::certain("google.ai.generativelanguage.*.GenerativeService/EmbedContent", Operation::Embeddings),
        Row::certain(
            "google.ai.generativelanguage.*.GenerativeService/BatchEmbedContents",
            Operation::Embeddings,
        ),
        Row::certain("google.ai.generativelanguage.*.GenerativeService/CountTokens", Operation::CountTokens),
        Row::certain("VectorService/Query", Operation::Retrieval),
        Row::certain("qdrant.Points/Search*", Operation::Retrieval),
        Row::certain("qdrant.Points/Search", Operation::Retrieval),
        Row::certain("qdrant.Points/Query*", Operation::Retrieval),
        Row::certain("qdrant.Points/Query", Operation::Retrieval),
        Row::certain("qdrant.Points/Recommend*", Operation::Retrieval),
        Row::certain("qdrant.Points/Recommend", Operation::Retrieval),
        Row::certain("qdrant.Points/Discover*", Operation::Retrieval),
        Row::certain("qdrant.Points/Discover", Operation::Retrieval),
        Row::certain("weaviate.v1.Weaviate/Search", Operation::Retrieval),
        Row::certain("milvus.proto.milvus.MilvusService/Search", Operation::Retrieval),
        Row::certain("milvus.proto.milvus.MilvusService/HybridSearch", Operation::Retrieval),
        Row::certain("a2a.v1.A2AService/SendMessage", Operation::InvokeAgent),
        Row::certain("a2a.v1.A2AService/SendStreamingMessage", Operation::InvokeAgent),
        Row::certain("a2a.v1.A2AService/*", Operation::Rpc),
    ],
    open_ended: true,
    ..Spec::new(Api::Grpc, Operation::Rpc, "", Make::Codec(|_| Box::new(Grpc::default())))
};

/// Beginning of a method's name, and whose it is: provider, and the system of a store.
const OWNERS: &[(&str, &str, &str)] = &[
    ("xai_api.", "x_ai", ""),
    ("google.cloud.aiplatform.", "gcp.vertex_ai", ""),
    ("google.ai.generativelanguage.", "gcp.gemini", ""),
    ("VectorService/", "pinecone", "pinecone"),
    ("qdrant.", "", "qdrant"),
    ("weaviate.", "", "weaviate"),
    ("milvus.", "", "milvus"),
];

/// Names of the status codes, from 0.
const STATUS: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Name of a status code; a number without a name is its own.
pub(crate) fn status_name(code: i64) -> String {
    let name = usize::try_from(code).ok().and_then(|code| STATUS.get(code));
    name.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// Folds one call.
#[derive(Default)]
struct Grpc {
    foreign: bool,
    last: Option<Nanos>,
}

impl Grpc {
    /// The status, wherever it stands: in the trailers, or in the head of an answer without messages.
    fn status(fields: &Headers, call: &mut Call) {
        let Some(code) = fields.get("grpc-status").and_then(|code| code.trim().parse::<i64>().ok()) else {
            return;
        };
        if let Some(rpc) = call.rpc.as_mut() {
            rpc.status_code = Some(code);
        }
        if code != 0 {
            let message = percent_decoded(fields.get("grpc-message").unwrap_or_default());
            call.error = Some(error::own(&status_name(code), &message));
        }
    }
}

impl Codec for Grpc {
    fn begin(&mut self, facts: &RequestFacts<'_>, call: &mut Call) {
        let kind = facts.head.headers.get("content-type").unwrap_or_default();
        self.foreign = !kind.trim_start().to_ascii_lowercase().starts_with("application/grpc");
        let method = facts.head.path().trim_start_matches('/').to_owned();
        if let Some((_, provider, system)) = OWNERS.iter().find(|(start, ..)| method.starts_with(start)) {
            if call.provider.is_empty() {
                (*provider).clone_into(&mut call.provider);
            }
            if call.operation == Operation::Retrieval {
                call.retrieval =
                    Some(Box::new(Retrieval { system: (*system).to_owned(), ..Retrieval::default() }));
            }
        }
        call.rpc = Some(Box::new(Rpc {
            system: "grpc",
            method,
            transport: "http",
            messages: Some((0, 0)),
            message_bytes: Some((0, 0)),
            ..Rpc::default()
        }));
    }

    fn request(&mut self, _body: &Value, _call: &mut Call) {}

    fn response_head(&mut self, head: &ResponseHead, call: &mut Call) {
        Self::status(&head.headers, call);
    }

    fn response(&mut self, _body: &Value, _call: &mut Call) {}

    fn event(&mut self, _event: &str, _data: &Value, _call: &mut Call) {}

    #[expect(
        clippy::cast_precision_loss,
        reason = "a gap of nanoseconds loses nothing that a histogram shows"
    )]
    fn grpc(&mut self, from_client: bool, bytes: u64, at: Nanos, call: &mut Call) {
        let Some(rpc) = call.rpc.as_mut() else { return };
        let (Some(count), Some(sum)) = (rpc.messages.as_mut(), rpc.message_bytes.as_mut()) else { return };
        let (count, sum) = if from_client { (&mut count.0, &mut sum.0) } else { (&mut count.1, &mut sum.1) };
        *count += 1;
        *sum = sum.saturating_add(bytes);
        if from_client {
            return;
        }
        match self.last.replace(at) {
            None => call.timing.first_chunk = Some(at),
            Some(last) => {
                call.request.stream = true;
                call.timing.chunk_gaps.add(at.saturating_sub(last) as f64 / 1e9);
            }
        }
    }

    fn trailers(&mut self, trailers: &Headers, call: &mut Call) {
        Self::status(trailers, call);
    }

    fn finish(&mut self, call: &mut Call) {
        if !call.request.stream {
            call.timing.first_chunk = None;
        }
    }

    fn is_call(&self) -> bool {
        !self.foreign
    }

    fn held_bytes(&self) -> usize {
        0
    }
}
