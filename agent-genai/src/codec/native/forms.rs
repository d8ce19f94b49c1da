//! The table: one form an API.

use serde_json::Value;

use super::{Form, Native};
use crate::call::{Api, Operation};
use crate::codec::json;
use crate::codec::spec::{Make, Row, Spec};

/// What a form has where nothing is said.
const NONE: Form = Form {
    prompt: &[],
    answer: &[],
    list: "",
    model: &[],
    id: &[],
    text: &[],
    skip: &[],
    reason: &[],
    flags: &[],
    input: &[],
    output: &[],
    cache_read: &[],
    headers: None,
    repeats: None,
};

fn has(body: &Value, key: &str) -> bool {
    json::at(body, &[key]).is_some()
}

/// llama.cpp's own completion and infill.
pub(crate) static LLAMA_CPP: Spec = Spec {
    rows: &[
        Row::likely("completion", Operation::TextCompletion),
        Row::likely("infill", Operation::TextCompletion),
    ],
    request: |body| has(body, "prompt") || has(body, "input_prefix"),
    response: |_, body| (has(body, "content") && has(body, "stop")).then_some(true),
    thin_response: &[],
    ..Spec::new(
        Api::LlamaCpp,
        Operation::TextCompletion,
        "llama_cpp",
        Make::Codec(|options| Box::new(Native::new(options, &LLAMA_CPP_FORM))),
    )
};

static LLAMA_CPP_FORM: Form = Form {
    prompt: &[&["prompt"], &["input_prefix"]],
    model: &[&["model"]],
    text: &[&["content"]],
    reason: &[&["stop_type"]],
    flags: &[("stopped_eos", "eos"), ("stopped_limit", "limit"), ("stopped_word", "word")],
    input: &[&["tokens_evaluated"]],
    output: &[&["tokens_predicted"]],
    cache_read: &[&["timings", "cache_n"]],
    ..NONE
};

/// Text Generation Inference.
pub(crate) static TGI: Spec = Spec {
    rows: &[
        Row::likely("generate", Operation::TextCompletion),
        Row::likely("generate_stream", Operation::TextCompletion),
    ],
    request: is_tgi,
    response: |_, body| {
        let body = body.as_array().and_then(|items| items.first()).unwrap_or(body);
        let told = has(body, "generated_text") || json::at(body, &["token", "text"]).is_some();
        told.then_some(true)
    },
    // Behind other paths (`/`, `/models/{name}`) live models of every task: the answer must show that text was made.
    sniff: Some(is_tgi),
    thin_response: &[],
    ..Spec::new(
        Api::Tgi,
        Operation::TextCompletion,
        "huggingface",
        Make::Codec(|options| Box::new(Native::new(options, &TGI_FORM))),
    )
};

fn is_tgi(body: &Value) -> bool {
    json::at(body, &["inputs"]).is_some_and(Value::is_string)
}

static TGI_FORM: Form = Form {
    prompt: &[&["inputs"]],
    text: &[&["token", "text"], &["generated_text"]],
    skip: &["token", "special"],
    reason: &[&["details", "finish_reason"]],
    input: &[&["details", "input_length"]],
    output: &[&["details", "generated_tokens"]],
    headers: Some(("x-prompt-tokens", "x-generated-tokens")),
    ..NONE
};

/// IBM watsonx: generation, and chat in the form of chat completions; in the names of both versions.
pub(crate) static WATSONX: Spec = Spec {
    rows: &[
        Row::likely("text/generation", Operation::TextCompletion),
        Row::likely("text/generation_stream", Operation::TextCompletion),
        Row::likely("generation/text", Operation::TextCompletion),
        Row::likely("generation/text_stream", Operation::TextCompletion),
        Row::likely("text/chat", Operation::Chat),
        Row::likely("text/chat_stream", Operation::Chat),
    ],
    request: |body| {
        let named = ["model_id", "project_id", "space_id"].iter().any(|key| has(body, key));
        named || json::at(body, &["input"]).is_some_and(Value::is_string) || has(body, "messages")
    },
    response: |_, body| {
        let results =
            json::array_at(body, &["results"]).first().is_some_and(|item| has(item, "generated_text"));
        (results || has(body, "choices")).then_some(true)
    },
    thin_response: &[],
    ..Spec::new(
        Api::Watsonx,
        Operation::TextCompletion,
        "ibm.watsonx.ai",
        Make::Codec(|options| Box::new(Native::new(options, &WATSONX_FORM))),
    )
};

static WATSONX_FORM: Form = Form {
    prompt: &[&["input"]],
    list: "results",
    model: &[&["model_id"]],
    id: &[&["id"]],
    text: &[&["generated_text"]],
    reason: &[&["stop_reason"]],
    // The first item of a stream counts the input, the last the output; in between stand zeros.
    input: &[&["input_token_count"]],
    output: &[&["generated_token_count"]],
    ..NONE
};

/// Alibaba's own text generation, as text or as the choices of a chat completion.
pub(crate) static DASHSCOPE: Spec = Spec {
    rows: &[
        Row::certain("aigc/text-generation/generation", Operation::TextCompletion),
        Row::certain("aigc/multimodal-generation/generation", Operation::TextCompletion),
    ],
    response: |_, body| (has(body, "output") && has(body, "request_id")).then_some(true),
    thin_response: &[],
    ..Spec::new(
        Api::DashScope,
        Operation::TextCompletion,
        "alibaba",
        Make::Codec(|options| Box::new(Native::new(options, &DASHSCOPE_FORM))),
    )
};

static DASHSCOPE_FORM: Form = Form {
    prompt: &[&["input", "prompt"]],
    answer: &["output"],
    id: &[&["request_id"]],
    text: &[&["text"]],
    reason: &[&["finish_reason"]],
    repeats: Some(&["parameters", "incremental_output"]),
    ..NONE
};
