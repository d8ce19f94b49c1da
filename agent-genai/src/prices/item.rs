//! What can be priced: the items of the table, their units, and where a missing price falls back to.

/// One priced item. Items below a whole (`input`, `output`) are subsets of it: their tokens are taken out of the whole
/// before pricing, so that nothing is paid for twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Item {
    Input,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    AudioInput,
    AudioCacheRead,
    ImageInput,
    ImageCacheRead,
    Output,
    Reasoning,
    AudioOutput,
    ImageOutput,
    Requests,
    WebSearches,
}

/// How the price of an item is written in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    /// US dollars for a million tokens.
    Million,
    /// US dollars for a thousand requests or searches.
    Thousand,
}

impl Item {
    /// Every item, in the order of the table.
    pub(super) const ALL: [Self; 15] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::AudioCacheRead,
        Self::ImageInput,
        Self::ImageCacheRead,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::ImageOutput,
        Self::Requests,
        Self::WebSearches,
    ];

    /// The name in the table, in override files and on the lines of a cost.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::AudioCacheRead => "audio_cache_read",
            Self::ImageInput => "image_input",
            Self::ImageCacheRead => "image_cache_read",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioOutput => "audio_output",
            Self::ImageOutput => "image_output",
            Self::Requests => "requests",
            Self::WebSearches => "web_searches",
        }
    }

    /// The unit on the lines of a cost.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Requests => "request",
            Self::WebSearches => "search",
            _ => "token",
        }
    }

    /// How its price is written.
    pub(super) const fn per(self) -> Per {
        match self {
            Self::Requests | Self::WebSearches => Per::Thousand,
            _ => Per::Million,
        }
    }

    /// Whose price is taken, in this order, when the item has none of its own: the tokens then stay in the next larger
    /// set that has a price, as genai-prices defines it. Empty for wholes.
    pub(super) const fn fallbacks(self) -> &'static [Self] {
        match self {
            Self::CacheRead | Self::CacheWrite | Self::AudioInput | Self::ImageInput => &[Self::Input],
            Self::CacheWrite5m | Self::CacheWrite1h => &[Self::CacheWrite, Self::Input],
            Self::AudioCacheRead => &[Self::CacheRead, Self::AudioInput, Self::Input],
            Self::ImageCacheRead => &[Self::CacheRead, Self::ImageInput, Self::Input],
            Self::Reasoning | Self::AudioOutput | Self::ImageOutput => &[Self::Output],
            Self::Input | Self::Output | Self::Requests | Self::WebSearches => &[],
        }
    }
}
