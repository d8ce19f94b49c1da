//! Any bytes through the JSON skimmer: no panic, bounded output, valid JSON out of valid JSON, and the same for every cut.
#![no_main]

use agent_genai::skim::{Ending, SkimLimits, Skimmed, Skimmer};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const WIDE: SkimLimits = SkimLimits {
    max_string: usize::MAX,
    max_numbers: usize::MAX,
    budget: 1 << 20,
    reserve: 0,
    thin: &[],
    drop: &[],
};
const TIGHT: SkimLimits =
    SkimLimits { max_string: 5, max_numbers: 2, budget: 100, reserve: 50, thin: &["a"], drop: &["b"] };

fn pieces(limits: SkimLimits, bytes: &[u8], size: usize) -> Skimmed {
    let mut skimmer = Skimmer::new(limits);
    for piece in bytes.chunks(size) {
        skimmer.push(piece);
    }
    skimmer.finish()
}

fuzz_target!(|data: &[u8]| {
    let Some((size, bytes)) = data.split_first() else { return };
    let size = usize::from(*size).max(1);
    for limits in [WIDE, TIGHT] {
        let whole = Skimmer::skim(limits, bytes);
        assert!(whole.json.len() <= limits.max_output());
        let has_mark = bytes.starts_with(b"\xef\xbb\xbf");
        assert!(has_mark || whole == pieces(limits, bytes, size), "cut every {size}");
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        assert!(
            whole.json.is_empty()
                || serde_json::from_slice::<Value>(&whole.json).is_ok()
                || has_control(text)
        );
        if let Ok(expected) = serde_json::from_str::<Value>(text) {
            assert_eq!(whole.ending, Ending::Whole);
            if limits == WIDE && bytes.len() < 1 << 20 {
                assert_eq!(whole.value(), Some(expected));
            }
        }
    }
});

/// Control characters inside strings are handed on as they are; no parser takes them.
fn has_control(text: &str) -> bool {
    text.chars().any(|c| c < ' ')
}
