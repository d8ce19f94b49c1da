//! Redaction takes any text and any JSON, and doing it twice changes nothing more.
#![no_main]

use agent_genai::redact::{redact_json, redact_text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let once = redact_text(&text).into_owned();
    assert_eq!(redact_text(&once), once);
    if let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(data) {
        redact_json(&mut value);
        let again = value.clone();
        redact_json(&mut value);
        assert_eq!(again, value);
    }
});
