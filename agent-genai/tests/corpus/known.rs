//! Disagreements between recorded facts and calls that are known, each with its reason.
//!
//! A disagreement that is not listed fails the test, and so does an entry that no longer occurs.

/// Part of the disagreement's words (file and beginning of the exchange's id, then the fact), and the reason.
pub(crate) const KNOWN: &[(&str, &str)] = &[
    ("bedrock.converse 00faa34335d4eff6: gen_ai.request.temperature", OTHER_SETTINGS),
    ("bedrock.converse-stream 9f64f88085fcb2e6: gen_ai.request.temperature", OTHER_SETTINGS),
    (
        "cohere.cohere.chat.v2 84e7b74ec4b3df3c: failed",
        "the last event says finish_reason ERROR and why; the recorded folding does not read that member",
    ),
];

/// The settings asserted upstream are those of another request of the same test; the body here says 0.5.
const OTHER_SETTINGS: &str = "the body says otherwise";
