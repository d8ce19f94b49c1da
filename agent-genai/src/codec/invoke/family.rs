//! Which vendor's body a model takes: by the model's id where it tells, else by the body, because the id may be the ARN of a profile,
//! an import or a provisioned model that says nothing.

use serde_json::Value;

use super::pictures::Pictures;
use super::sonic::Sonic;
use super::text::Texts;
use super::vectors::Vectors;
use crate::call::Operation;
use crate::codec::anthropic::Anthropic;
use crate::codec::anthropic_complete::Complete;
use crate::codec::cohere::chat::CohereChat;
use crate::codec::cohere::chat_v1::CohereChatV1;
use crate::codec::cohere::embed::CohereEmbeddings;
use crate::codec::cohere::legacy::CohereLegacy;
use crate::codec::converse::Converse;
use crate::codec::openai_chat::OpenAiChat;
use crate::codec::rerank::Rerank;
use crate::codec::{Codec, CodecOptions, json};

/// A form of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic Messages.
    Anthropic,
    /// Anthropic's first completions.
    AnthropicText,
    /// Converse-like.
    Nova,
    /// Chat completions: AI21, DeepSeek, Mistral, Qwen, gpt-oss and most that came later.
    Chat,
    /// Cohere chat, second version.
    Cohere,
    /// Cohere chat, first version.
    CohereV1,
    /// Cohere generate.
    CohereText,
    /// A prompt and texts: Titan, Llama, Mistral, AI21 Jurassic.
    Text,
    /// Cohere embeddings.
    CohereVectors,
    /// Embeddings of Amazon and others.
    Vectors,
    /// Pictures.
    Pictures,
    /// Reranking, in Cohere's form.
    Rerank,
    /// Speech both ways.
    Sonic,
}

/// Parts of model ids that settle the family; the first that occurs does.
const MODELS: &[(&str, Family)] = &[
    ("cohere.embed", Family::CohereVectors),
    ("rerank", Family::Rerank),
    ("embed", Family::Vectors),
    ("twelvelabs.marengo", Family::Vectors),
    ("twelvelabs.pegasus", Family::Text),
    ("titan-image", Family::Pictures),
    ("nova-canvas", Family::Pictures),
    ("nova-reel", Family::Pictures),
    ("stability.", Family::Pictures),
    ("luma.ray", Family::Pictures),
    ("amazon.nova", Family::Nova),
    ("amazon.titan", Family::Text),
];

impl Family {
    /// Of a request.
    pub(super) fn of_request(model: &str, body: &Value) -> Self {
        let has = |key: &str| json::at(body, &[key]).is_some();
        let model = model.to_ascii_lowercase();
        if let Some((_, family)) = MODELS.iter().find(|(part, _)| model.contains(part)) {
            return *family;
        }
        let (cohere, anthropic) = (model.contains("cohere."), model.contains("anthropic."));
        if has("messages") {
            return if anthropic || has("anthropic_version") {
                Self::Anthropic
            } else if has("inferenceConfig") || has("schemaVersion") {
                Self::Nova
            } else if cohere {
                Self::Cohere
            } else {
                Self::Chat
            };
        }
        if has("max_tokens_to_sample") || anthropic && has("prompt") {
            Self::AnthropicText
        } else if has("message") {
            Self::CohereV1
        } else if has("query") && has("documents") {
            Self::Rerank
        } else if cohere {
            Self::CohereText
        } else if has("texts") {
            Self::CohereVectors
        } else if has("singleEmbeddingParams") || has("embeddingConfig") || has("inputImage") {
            Self::Vectors
        } else if has("textToImageParams") || has("imageGenerationConfig") || has("text_prompts") {
            Self::Pictures
        } else if anthropic {
            Self::Anthropic
        } else {
            Self::Text
        }
    }

    /// Of an answer or an object of a streamed one, when the request was not seen.
    pub(super) fn of_answer(body: &Value) -> Option<Self> {
        let has = |key: &str| json::at(body, &[key]).is_some();
        if matches!(
            json::str_at(body, &["type"]),
            Some(
                "message" | "message_start" | "content_block_start" | "content_block_delta" | "message_delta"
            )
        ) {
            return Some(Self::Anthropic);
        }
        let choice = json::array_at(body, &["choices"]).first();
        let family = if choice
            .is_some_and(|choice| choice.get("message").is_some() || choice.get("delta").is_some())
        {
            Self::Chat
        } else if has("completion") && has("stop_reason") {
            Self::AnthropicText
        } else if has("stopReason") || has("contentBlockDelta") || has("messageStart") {
            Self::Nova
        } else if has("generations") || has("is_finished") {
            Self::CohereText
        } else if has("generation_id") {
            Self::CohereV1
        } else if has("outputText")
            || has("generation")
            || has("results")
            || has("outputs")
            || has("completions")
        {
            Self::Text
        } else if has("embedding") || has("embeddings") || has("embeddingsByType") {
            Self::Vectors
        } else {
            return None;
        };
        Some(family)
    }

    /// What a call of it is.
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Anthropic | Self::Nova | Self::Chat | Self::Cohere | Self::CohereV1 | Self::Sonic => {
                Operation::Chat
            }
            Self::AnthropicText | Self::CohereText | Self::Text => Operation::TextCompletion,
            Self::CohereVectors | Self::Vectors => Operation::Embeddings,
            Self::Pictures => Operation::GenerateContent,
            Self::Rerank => Operation::Rerank,
        }
    }

    /// Its decoder.
    pub(super) fn codec(self, options: CodecOptions) -> Box<dyn Codec> {
        match self {
            Self::Anthropic => Box::new(Anthropic::new(options)),
            Self::AnthropicText => Box::new(Complete::new(options)),
            Self::Nova => Box::new(Converse::new(options)),
            Self::Chat => Box::new(OpenAiChat::new(options)),
            Self::Cohere => Box::new(CohereChat::new(options)),
            Self::CohereV1 => Box::new(CohereChatV1::new(options)),
            Self::CohereText => Box::new(CohereLegacy::new(options)),
            Self::Text => Box::new(Texts::new(options)),
            Self::CohereVectors => Box::new(CohereEmbeddings),
            Self::Vectors => Box::new(Vectors),
            Self::Pictures => Box::new(Pictures::new(options)),
            Self::Rerank => Box::new(Rerank::new(options)),
            Self::Sonic => Box::new(Sonic::new(options)),
        }
    }
}
