//! The instruments: names, units, descriptions and bucket bounds of the conventions.

use agent_genai::semconv::{DURATION_BOUNDS, TOKEN_BOUNDS, metric};

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
    ($($variant:ident: $name:expr, $unit:literal, $aggregation:expr, $description:literal;)+) => {
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
    InferenceDuration: metric::INFERENCE_DURATION, "s", Histogram(&DURATION_BOUNDS),
        "Duration of an inference call.";
    TimeToFirstChunk: metric::INFERENCE_TIME_TO_FIRST_CHUNK, "s", Histogram(&DURATION_BOUNDS),
        "Time from the request to the first chunk of a streamed answer.";
    TimePerOutputChunk: metric::INFERENCE_TIME_PER_OUTPUT_CHUNK, "s", Histogram(&DURATION_BOUNDS),
        "Time between the chunks of a streamed answer, after the first.";
    InputTokens: metric::INFERENCE_USAGE_INPUT_TOKENS, "{token}", Sum,
        "Input tokens, cached ones included.";
    OutputTokens: metric::INFERENCE_USAGE_OUTPUT_TOKENS, "{token}", Sum,
        "Output tokens, reasoning included.";
    CacheReadTokens: metric::INFERENCE_USAGE_CACHE_READ, "{token}", Sum,
        "Input tokens read from a provider's cache.";
    CacheWriteTokens: metric::INFERENCE_USAGE_CACHE_WRITE, "{token}", Sum,
        "Input tokens written to a provider's cache.";
    ReasoningTokens: metric::INFERENCE_USAGE_REASONING, "{token}", Sum,
        "Output tokens spent on reasoning.";
    OperationInputTokens: metric::INFERENCE_OPERATION_INPUT_TOKENS, "{token}", Histogram(&TOKEN_BOUNDS),
        "Input tokens of one call.";
    OperationOutputTokens: metric::INFERENCE_OPERATION_OUTPUT_TOKENS, "{token}", Histogram(&TOKEN_BOUNDS),
        "Output tokens of one call.";
    EmbeddingsDuration: metric::EMBEDDINGS_DURATION, "s", Histogram(&DURATION_BOUNDS),
        "Duration of an embeddings call.";
    EmbeddingsInputTokens: metric::EMBEDDINGS_OPERATION_INPUT_TOKENS, "{token}", Histogram(&TOKEN_BOUNDS),
        "Input tokens of one embeddings call.";
    ServerRequestDuration: "gen_ai.server.request.duration", "s", Histogram(&DURATION_BOUNDS),
        "Duration of a call as the serving process saw it.";
    ServerTimeToFirstToken: "gen_ai.server.time_to_first_token", "s", Histogram(&FIRST_TOKEN_BOUNDS),
        "Time to the first chunk of a streamed answer as the serving process saw it.";
    LegacyDuration: metric::LEGACY_OPERATION_DURATION, "s", Histogram(&DURATION_BOUNDS),
        "Duration of a GenAI operation (conventions before v0.1.0).";
    LegacyTokenUsage: metric::LEGACY_TOKEN_USAGE, "{token}", Histogram(&TOKEN_BOUNDS),
        "Tokens of one call by gen_ai.token.type (conventions before v0.1.0).";
    LegacyTimeToFirstChunk: metric::LEGACY_TIME_TO_FIRST_CHUNK, "s", Histogram(&DURATION_BOUNDS),
        "Time to the first chunk of a streamed answer (conventions before v0.1.0).";
    LegacyTimePerOutputChunk: metric::LEGACY_TIME_PER_OUTPUT_CHUNK, "s", Histogram(&DURATION_BOUNDS),
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
