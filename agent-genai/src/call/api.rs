//! The wire APIs, and the operations by their names in the conventions.

use serde::{Deserialize, Serialize};

/// The wire API that a call used. It decides the codec; the provider name is a separate matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// OpenAI chat completions and every compatible server.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// OpenAI Responses over a WebSocket.
    ResponsesSocket,
    /// OpenAI Realtime, and servers like it.
    Realtime,
    /// OpenAI-style embeddings.
    OpenAiEmbeddings,
    /// OpenAI's first text completions and the servers like it.
    Completions,
    /// OpenAI images.
    Images,
    /// OpenAI-style transcription, translation and speech.
    Audio,
    /// OpenAI moderations.
    Moderations,
    /// OpenAI decisions.
    Decisions,
    /// OpenAI assistants: runs of threads.
    Assistants,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Anthropic's first text completions.
    AnthropicComplete,
    /// Results of Anthropic's and others' batches.
    Batches,
    /// Counting of tokens without inference (Anthropic, Gemini, Bedrock, OpenAI).
    CountTokens,
    /// Gemini and Vertex `generateContent`.
    Gemini,
    /// Gemini's live sessions over a WebSocket.
    GeminiLive,
    /// Gemini and Vertex embeddings.
    GeminiEmbeddings,
    /// Gemini Interactions.
    Interactions,
    /// Vertex `predict`.
    VertexPredict,
    /// Bedrock Converse.
    BedrockConverse,
    /// Bedrock InvokeModel.
    BedrockInvoke,
    /// Bedrock guardrails on their own.
    BedrockGuardrail,
    /// Bedrock agents and flows.
    BedrockAgent,
    /// Bedrock knowledge bases.
    BedrockKnowledge,
    /// SageMaker endpoints that serve language models.
    SageMaker,
    /// Cohere chat, first version.
    CohereChatV1,
    /// Cohere chat, second version.
    CohereChat,
    /// Cohere generate, summarize and classify.
    CohereLegacy,
    /// Cohere embeddings.
    CohereEmbeddings,
    /// Reranking, of every provider.
    Rerank,
    /// Mistral conversations and agents.
    MistralConversations,
    /// Document recognition.
    Ocr,
    /// Ollama's own chat.
    OllamaChat,
    /// Ollama's own generate.
    OllamaGenerate,
    /// Ollama's own embeddings.
    OllamaEmbeddings,
    /// llama.cpp's own completion.
    LlamaCpp,
    /// Text Generation Inference's own generate.
    Tgi,
    /// LM Studio's own chat.
    LmStudio,
    /// Cloudflare Workers AI.
    CloudflareRun,
    /// IBM watsonx.
    Watsonx,
    /// Alibaba's own generation (DashScope).
    DashScope,
    /// Vector stores.
    VectorStore,
    /// Web search made for models.
    WebSearch,
    /// Model Context Protocol.
    Mcp,
    /// Agent2Agent.
    A2a,
    /// gRPC services of models and stores.
    Grpc,
}

/// What was done: `gen_ai.operation.name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `chat`
    Chat,
    /// `text_completion`
    TextCompletion,
    /// `generate_content`: several modalities in or out (Gemini; images, speech, transcription).
    GenerateContent,
    /// `embeddings`
    Embeddings,
    /// `fetch_response`: reads a response made earlier; carries no usage.
    FetchResponse,
    /// `retrieval`
    Retrieval,
    /// `rerank`: not in the conventions, which leave reranking open.
    Rerank,
    /// `invoke_agent`: an agent that the provider hosts.
    InvokeAgent,
    /// `execute_tool`: a tool called over MCP.
    ExecuteTool,
    /// `count_tokens`: not in the conventions; no inference and no usage.
    CountTokens,
    /// `moderation`: not in the conventions; a classifier or guardrail that judges content.
    Moderation,
    /// A remote procedure without a name in the conventions (`tools/list`).
    Rpc,
}

/// What kind of span an operation makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// A model produced something.
    Inference,
    /// Vectors.
    Embeddings,
    /// Reads what was made before.
    Fetch,
    /// Search and reranking.
    Retrieval,
    /// Remote procedures.
    Rpc,
    /// Everything else that speaks to a model's service.
    Other,
}

impl Operation {
    /// `gen_ai.operation.name`; empty where the conventions set none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::GenerateContent => "generate_content",
            Self::Embeddings => "embeddings",
            Self::FetchResponse => "fetch_response",
            Self::Retrieval => "retrieval",
            Self::Rerank => "rerank",
            Self::InvokeAgent => "invoke_agent",
            Self::ExecuteTool => "execute_tool",
            Self::CountTokens => "count_tokens",
            Self::Moderation => "moderation",
            Self::Rpc => "",
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> OperationKind {
        match self {
            Self::Chat | Self::TextCompletion | Self::GenerateContent | Self::InvokeAgent => {
                OperationKind::Inference
            }
            Self::Embeddings => OperationKind::Embeddings,
            Self::FetchResponse => OperationKind::Fetch,
            Self::Retrieval | Self::Rerank => OperationKind::Retrieval,
            Self::ExecuteTool | Self::Rpc => OperationKind::Rpc,
            Self::CountTokens | Self::Moderation => OperationKind::Other,
        }
    }
}
