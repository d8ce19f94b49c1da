//! Any bytes as an exchange of Bedrock InvokeModel, agents, knowledge bases and guardrails, and SageMaker, whole or as an AWS event stream, with content or without.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const KINDS: &[&str] = &[
    "chunk",
    "trace",
    "returnControl",
    "flowOutputEvent",
    "flowCompletionEvent",
    "output",
    "citation",
    "guardrail",
    "PayloadPart",
];

/// One for each family of bodies, and what is around the models.
const PATHS: &[&str] = &[
    "/model/anthropic.claude-x/invoke-with-response-stream",
    "/model/amazon.nova-x/invoke-with-response-stream",
    "/model/amazon.titan-text-x/invoke-with-response-stream",
    "/model/amazon.titan-embed-x/invoke-with-response-stream",
    "/model/cohere.command-x/invoke-with-response-stream",
    "/model/qwen.x/invoke-with-response-stream",
    "/model/x/invoke-with-response-stream",
    "/model/amazon.nova-sonic-v1:0/invoke-with-bidirectional-stream",
    "/agents/a/agentAliases/b/sessions/s/text",
    "/knowledgebases/k/retrieve",
    "/retrieveAndGenerateStream",
    "/guardrail/g/version/1/apply",
    "/endpoints/e/invocations-response-stream",
];

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
    "trace",
    "orchestrationTrace",
    "modelInvocationOutput",
    "modelInvocationInput",
    "foundationModel",
    "metadata",
    "inputTokens",
    "outputTokens",
    "invocationInput",
    "actionGroupInvocationInput",
    "function",
    "parameters",
    "name",
    "value",
    "rationale",
    "bytes",
    "invocationInputs",
    "functionInvocationInput",
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
    "input",
    "action",
    "guardrailTrace",
    "completionReason",
    "event",
    "usageEvent",
    "textOutput",
    "generated_text",
    "token",
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    if let Some(path) = PATHS.get(usize::from(*first) % PATHS.len()) {
        exchange::fold_messages(path, WORDS, KINDS, rest);
    }
});
