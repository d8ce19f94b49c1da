//! Anthropic's usage object to the conventions' meaning.
//!
//! Input, cache reads and cache writes are reported apart and summed here. In a stream the counts are cumulative: those of
//! `message_start` are overwritten, never added to, by each `message_delta` that repeats them. Compaction passes are billed
//! but stand outside the totals, so they are added; advisor passes run on another model at another price and are not.

use serde_json::Value;

use crate::call::Usage;
use crate::codec::json::{array_at, str_at, u64_at};
use crate::codec::usage::{cost, settle};

/// The counts as the provider reports them, the newest of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    tokens: Tokens,
    thinking: Option<u64>,
    web_searches: Option<u64>,
    compaction: Option<Tokens>,
    compactions: usize,
    provider_usd: Option<rust_decimal::Decimal>,
}

/// One set of token counts: of the whole message, or of one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tokens {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
}

impl Tokens {
    /// Overwrites what `usage` reports.
    fn update(&mut self, usage: &Value) {
        overwrite(&mut self.input, u64_at(usage, &["input_tokens"]));
        overwrite(&mut self.output, u64_at(usage, &["output_tokens"]));
        overwrite(&mut self.cache_read, u64_at(usage, &["cache_read_input_tokens"]));
        let five_minutes = u64_at(usage, &["cache_creation", "ephemeral_5m_input_tokens"]);
        let one_hour = u64_at(usage, &["cache_creation", "ephemeral_1h_input_tokens"]);
        if let Some(written) = u64_at(usage, &["cache_creation_input_tokens"]) {
            if self.cache_write.is_some_and(|before| before != written) {
                // The total changed: a split reported with the old one no longer holds.
                self.cache_write_5m = None;
                self.cache_write_1h = None;
            }
            self.cache_write = Some(written);
        }
        overwrite(&mut self.cache_write_5m, five_minutes);
        overwrite(&mut self.cache_write_1h, one_hour);
    }

    /// All written tokens: the total, or the sum of its split where there is no total.
    fn written(&self) -> Option<u64> {
        self.cache_write.or_else(|| sum(self.cache_write_5m, self.cache_write_1h))
    }

    fn add(&mut self, other: &Self) {
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        self.cache_read = sum(self.cache_read, other.cache_read);
        self.cache_write = sum(self.written(), other.written());
        self.cache_write_5m = sum(self.cache_write_5m, other.cache_write_5m);
        self.cache_write_1h = sum(self.cache_write_1h, other.cache_write_1h);
    }
}

impl Counts {
    /// Takes a usage object: the whole one of a message, or the part of it that a delta repeats.
    pub(super) fn update(&mut self, usage: &Value) {
        self.tokens.update(usage);
        overwrite(&mut self.thinking, u64_at(usage, &["output_tokens_details", "thinking_tokens"]));
        overwrite(&mut self.web_searches, u64_at(usage, &["server_tool_use", "web_search_requests"]));
        if let Some(usd) = cost(usage) {
            self.provider_usd = Some(usd);
        }
        let passes = array_at(usage, &["iterations"]);
        if !passes.is_empty() {
            let mut sum = Tokens::default();
            self.compactions = 0;
            for pass in passes.iter().filter(|pass| str_at(pass, &["type"]) == Some("compaction")) {
                let mut tokens = Tokens::default();
                tokens.update(pass);
                sum.add(&tokens);
                self.compactions = self.compactions.saturating_add(1);
            }
            self.compaction = (self.compactions > 0).then_some(sum);
        }
    }

    /// Writes the counts in the conventions' meaning; nothing when nothing was reported.
    pub(super) fn settle_into(&self, usage: &mut Usage) {
        let mut tokens = self.tokens.clone();
        let mut corrected = None;
        if let Some(compaction) = &self.compaction {
            tokens.add(compaction);
            corrected = Some(format!("{} compaction passes added to the reported totals", self.compactions));
        }
        let cache_write = tokens.written();
        *usage = Usage {
            input: [tokens.input, tokens.cache_read, cache_write].into_iter().fold(None, sum),
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_write,
            cache_write_5m: tokens.cache_write_5m,
            cache_write_1h: tokens.cache_write_1h,
            reasoning: self.thinking,
            web_searches: self.web_searches,
            provider_usd: self.provider_usd,
            corrected,
            ..Usage::default()
        };
        settle(usage);
    }
}

fn overwrite(field: &mut Option<u64>, value: Option<u64>) {
    if value.is_some() {
        *field = value;
    }
}

/// The sum of what is known; unknown when neither is.
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (known, None) | (None, known) => known,
    }
}
