//! What single servers change in the OpenAI-compatible APIs, as data.
//!
//! The same server is met behind hosts that say nothing, so most differences are names that are simply tried in order: a new one is an
//! entry in a list below. What no body can tell needs to know the provider: a row of [`TABLE`].

use super::usage::Dialect;

/// Members of a message or delta with reasoning text. Servers that send two of them send the same text twice.
pub(crate) const REASONING_MEMBERS: &[&str] = &["reasoning_content", "reasoning", "thinking"];

/// Where the usage object stands in an answer or chunk; else it is sought in the choices (Moonshot).
pub(crate) const USAGE_PLACES: &[&[&str]] = &[
    &["usage"],
    // Groq, in streams.
    &["x_groq", "usage"],
];

/// What stands for "no id" where a server writes the member out (Mistral).
pub(crate) const NO_IDS: &[&str] = &["null"];

/// Paths whose streams have no last event and no finish reason (Snowflake's own).
pub(crate) const ENDLESS: &[&str] = &["api/v2/cortex/inference:complete"];

/// What a provider does otherwise, and no body tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habits {
    /// How it counts in chat completions, where the total does not tell.
    pub(crate) counting: Dialect,
}

/// What every provider without a row does.
const STANDARD: Habits = Habits { counting: Dialect::Standard };

/// The rows, by `gen_ai.provider.name`.
const TABLE: &[(&str, Habits)] = &[
    // In every recorded answer the total is the sum of input, output and reasoning; the chunks of a stream may lack the total.
    ("x_ai", Habits { counting: Dialect::ReasoningApart }),
];

/// The habits of a provider.
pub(crate) fn of(provider: &str) -> Habits {
    TABLE.iter().find(|(name, _)| *name == provider).map_or(STANDARD, |(_, habits)| *habits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_or_the_standard() {
        assert_eq!(of("x_ai").counting, Dialect::ReasoningApart);
        assert_eq!(of("openai"), STANDARD);
        assert_eq!(of(""), STANDARD);
    }
}
