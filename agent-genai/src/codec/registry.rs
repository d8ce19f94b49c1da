//! Every wire API that is decoded.

use super::a2a;
use super::cohere;
use super::completions;
use super::gemini;
use super::gemini_live;
use super::grpc;
use super::mcp;
use super::native;
use super::ollama;
use super::rerank;
use super::retrieval;
use super::sockets;
use super::spec::Spec;
use super::{anthropic, openai_chat, openai_embeddings, responses};
use super::{anthropic_complete, batches};
use super::{assistants, audio, decisions, images, moderations};
use super::{bedrock, converse, invoke, sagemaker};
use super::{cloudflare, conversations, lm_studio, ocr};
use super::{count_tokens, gemini_embeddings, interactions, vertex_predict};
use crate::call::Api;

/// All of them. The order decides only between bodies on unknown paths that more than one API would take.
pub(crate) static SPECS: &[&Spec] = &[
    // OpenAI and compatible.
    &openai_chat::SPEC,
    &completions::SPEC,
    &responses::SPEC,
    &openai_embeddings::SPEC,
    &images::SPEC,
    &audio::SPEC,
    &moderations::SPEC,
    &decisions::SPEC,
    &assistants::SPEC,
    // Over a WebSocket.
    &sockets::realtime::SPEC,
    &sockets::responses::SPEC,
    // Anthropic.
    &anthropic::SPEC,
    &anthropic_complete::SPEC,
    &batches::SPEC,
    &rerank::SPEC,
    // Ollama.
    &ollama::CHAT,
    &ollama::GENERATE,
    &ollama::embed::SPEC,
    // Servers with text APIs of their own.
    &cloudflare::SPEC,
    &ocr::SPEC,
    &conversations::SPEC,
    &lm_studio::SPEC,
    &native::LLAMA_CPP,
    &native::TGI,
    &native::WATSONX,
    &native::DASHSCOPE,
    // Cohere.
    &cohere::chat::SPEC,
    &cohere::chat_v1::SPEC,
    &cohere::legacy::SPEC,
    &cohere::embed::SPEC,
    // Remote procedures.
    &mcp::SPEC,
    &a2a::SPEC,
    &grpc::SPEC,
    // Stores and search.
    &retrieval::SPEC,
    &retrieval::WEB,
    // Amazon.
    &converse::SPEC,
    &invoke::SPEC,
    &bedrock::agent::SPEC,
    &bedrock::knowledge::SPEC,
    &bedrock::guardrail::SPEC,
    &sagemaker::SPEC,
    // Google.
    &gemini::SPEC,
    &interactions::SPEC,
    &gemini_live::SPEC,
    &gemini_embeddings::SPEC,
    &vertex_predict::SPEC,
    // Of several providers.
    &count_tokens::SPEC,
];

/// What is said of an API.
pub(crate) fn spec(api: Api) -> Option<&'static Spec> {
    SPECS.iter().copied().find(|spec| spec.api == api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_stands_there_once() {
        for (at, one) in SPECS.iter().enumerate() {
            assert!(SPECS.iter().skip(at + 1).all(|other| other.api != one.api), "{:?}", one.api);
        }
    }
}
