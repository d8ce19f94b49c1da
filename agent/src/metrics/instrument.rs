//! The instruments: names, units, descriptions and bucket bounds of the conventions.

/// Bounds of durations in seconds. `agent_genai::call::ChunkGaps` counts in the same buckets.
pub(crate) const DURATION_BOUNDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Bounds of token counts.
pub(crate) const TOKEN_BOUNDS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Bounds of `gen_ai.server.time_to_first_token` in seconds.
pub(crate) const FIRST_TOKEN_BOUNDS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// How an instrument aggregates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aggregation {
    /// A monotonic sum.
    Sum,
    /// A histogram with these upper bounds (each inclusive).
    Histogram(&'static [f64]),
}

macro_rules! instruments {
    ($($variant:ident: $name:literal, $unit:literal, $aggregation:expr, $description:literal;)+) => {
        /// An instrument of the conventions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Instrument {
            $(#[doc = $description] $variant,)+
        }

        impl Instrument {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Unit (UCUM).
            pub(crate) fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)+ }
            }

            /// Description.
            pub(crate) fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }

            /// Aggregation.
            pub(crate) fn aggregation(self) -> Aggregation {
                match self { $(Self::$variant => $aggregation,)+ }
            }
        }
    };
}

use Aggregation::{Histogram, Sum};

instruments! {
    InferenceDuration: "gen_ai.client.inference.duration", "s", Histogram(&DURATION_BOUNDS),
        "Duration of an inference call.";
    TimeToFirstChunk: "gen_ai.client.inference.time_to_first_chunk", "s", Histogram(&DURATION_BOUNDS),
        "Time from the request to the first chunk of a streamed answer.";
    TimePerOutputChunk: "gen_ai.client.inference.time_per_output_chunk", "s", Histogram(&DURATION_BOUNDS),
        "Time between the chunks of a streamed answer, after the first.";
    InputTokens: "gen_ai.client.inference.usage.input_tokens", "{token}", Sum,
        "Input tokens, cached ones included.";
    OutputTokens: "gen_ai.client.inference.usage.output_tokens", "{token}", Sum,
        "Output tokens, reasoning included.";
    CacheReadTokens: "gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", Sum,
        "Input tokens read from a provider's cache.";
    CacheWriteTokens: "gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", Sum,
        "Input tokens written to a provider's cache.";
    ReasoningTokens: "gen_ai.client.inference.usage.reasoning.output_tokens", "{token}", Sum,
        "Output tokens spent on reasoning.";
    OperationInputTokens: "gen_ai.client.inference.operation.input_tokens", "{token}", Histogram(&TOKEN_BOUNDS),
        "Input tokens of one call.";
    OperationOutputTokens: "gen_ai.client.inference.operation.output_tokens", "{token}", Histogram(&TOKEN_BOUNDS),
        "Output tokens of one call.";
    EmbeddingsDuration: "gen_ai.client.embeddings.duration", "s", Histogram(&DURATION_BOUNDS),
        "Duration of an embeddings call.";
    EmbeddingsInputTokens: "gen_ai.client.embeddings.operation.input_tokens", "{token}", Histogram(&TOKEN_BOUNDS),
        "Input tokens of one embeddings call.";
    ServerRequestDuration: "gen_ai.server.request.duration", "s", Histogram(&DURATION_BOUNDS),
        "Duration of a call as the serving process saw it.";
    ServerTimeToFirstToken: "gen_ai.server.time_to_first_token", "s", Histogram(&FIRST_TOKEN_BOUNDS),
        "Time to the first chunk of a streamed answer as the serving process saw it.";
    LegacyDuration: "gen_ai.client.operation.duration", "s", Histogram(&DURATION_BOUNDS),
        "Duration of a GenAI operation (conventions before v0.1.0).";
    LegacyTokenUsage: "gen_ai.client.token.usage", "{token}", Histogram(&TOKEN_BOUNDS),
        "Tokens of one call by gen_ai.token.type (conventions before v0.1.0).";
    LegacyTimeToFirstChunk: "gen_ai.client.operation.time_to_first_chunk", "s", Histogram(&DURATION_BOUNDS),
        "Time to the first chunk of a streamed answer (conventions before v0.1.0).";
    LegacyTimePerOutputChunk: "gen_ai.client.operation.time_per_output_chunk", "s", Histogram(&DURATION_BOUNDS),
        "Time between the chunks of a streamed answer (conventions before v0.1.0).";
}

#[cfg(test)]
mod tests {
    use agent_genai::call::ChunkGaps;

    use super::*;

    #[test]
    fn chunk_gaps_have_a_bucket_for_each_bound_and_one_above() {
        assert_eq!(ChunkGaps::default().buckets.len(), DURATION_BOUNDS.len() + 1);
    }

    #[test]
    fn bounds_rise_and_names_differ() {
        let mut names: Vec<&str> = Instrument::ALL.iter().map(|instrument| instrument.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Instrument::ALL.len());
        for instrument in Instrument::ALL {
            if let Histogram(bounds) = instrument.aggregation() {
                assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{}", instrument.name());
            }
        }
    }
}
