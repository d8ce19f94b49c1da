//! Any bytes as an exchange of an embeddings API, answered or failed.
#![no_main]

mod exchange;

use libfuzzer_sys::fuzz_target;

const WORDS: &[&str] = &[
    "object",
    "list",
    "data",
    "embedding",
    "index",
    "model",
    "usage",
    "prompt_tokens",
    "total_tokens",
    "input",
    "inputs",
    "dimensions",
    "output_dimension",
    "encoding_format",
    "base64",
    "float",
    "base64_int8",
    "output_dtype",
    "binary",
    "user",
    "id",
    "error",
    "message",
    "code",
    "AAAAAAAAAAA=",
];

fuzz_target!(|data: &[u8]| exchange::fold("/v1/embeddings", WORDS, data));
