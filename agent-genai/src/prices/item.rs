//! What can be priced: the items of the table, their units, and where a missing price falls back to.

use rust_decimal::Decimal;

use crate::call::Unit;

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
    /// Requests in which the model searched, however often.
    GroundedRequests,
    SearchUnits,
    ReadUnits,
    Images,
    ImageInputs,
    AudioHours,
    VideoSeconds,
    Characters,
    Pages,
}

/// How the price of an item is written in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    /// US dollars for a million tokens, characters or read units.
    Million,
    /// US dollars for a thousand requests, searches or pages.
    Thousand,
    /// US dollars for one image, or one second of video.
    One,
    /// US dollars for an hour, where seconds are counted.
    Hour,
}

impl Per {
    /// How many counted units the written price is for.
    pub(super) const fn units(self) -> Decimal {
        let units = match self {
            Self::Million => 1_000_000,
            Self::Thousand => 1_000,
            Self::One => 1,
            Self::Hour => 3_600,
        };
        Decimal::from_parts(units, 0, 0, false, 0)
    }
}

impl Item {
    /// Every item, in the order of the table.
    pub(super) const ALL: [Self; 24] = [
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
        Self::GroundedRequests,
        Self::SearchUnits,
        Self::ReadUnits,
        Self::Images,
        Self::ImageInputs,
        Self::AudioHours,
        Self::VideoSeconds,
        Self::Characters,
        Self::Pages,
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
            Self::GroundedRequests => "grounded_requests",
            Self::SearchUnits => "search_units",
            Self::ReadUnits => "read_units",
            Self::Images => "images",
            Self::ImageInputs => "image_inputs",
            Self::AudioHours => "audio_hours",
            Self::VideoSeconds => "video_seconds",
            Self::Characters => "characters",
            Self::Pages => "pages",
        }
    }

    /// The unit on the lines of a cost.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Requests | Self::GroundedRequests => "request",
            Self::WebSearches => "search",
            Self::SearchUnits => "search unit",
            Self::ReadUnits => "read unit",
            Self::Images | Self::ImageInputs => "image",
            Self::AudioHours | Self::VideoSeconds => "second",
            Self::Characters => "character",
            Self::Pages => "page",
            _ => "token",
        }
    }

    /// How its price is written, for people.
    pub(super) const fn price_unit(self) -> &'static str {
        match self {
            Self::Requests => "USD per thousand requests",
            Self::GroundedRequests => "USD per thousand requests with a search",
            Self::WebSearches => "USD per thousand searches",
            Self::SearchUnits => "USD per thousand search units",
            Self::ReadUnits => "USD per million read units",
            Self::Images | Self::ImageInputs => "USD per image",
            Self::AudioHours => "USD per hour of audio",
            Self::VideoSeconds => "USD per second of video",
            Self::Characters => "USD per million characters",
            Self::Pages => "USD per thousand pages",
            _ => "USD per million tokens",
        }
    }

    /// What is priced where a call counts in that unit.
    pub(super) const fn of(unit: Unit) -> Self {
        match unit {
            Unit::SearchUnit => Self::SearchUnits,
            Unit::ReadUnit => Self::ReadUnits,
            Unit::Image => Self::Images,
            Unit::ImageInput => Self::ImageInputs,
            Unit::AudioSecond => Self::AudioHours,
            Unit::VideoSecond => Self::VideoSeconds,
            Unit::Character => Self::Characters,
            Unit::Page => Self::Pages,
            Unit::Request => Self::Requests,
        }
    }

    /// Whether it is counted in tokens.
    pub(super) const fn is_token(self) -> bool {
        matches!(
            self,
            Self::Input
                | Self::CacheRead
                | Self::CacheWrite
                | Self::CacheWrite5m
                | Self::CacheWrite1h
                | Self::AudioInput
                | Self::AudioCacheRead
                | Self::ImageInput
                | Self::ImageCacheRead
                | Self::Output
                | Self::Reasoning
                | Self::AudioOutput
                | Self::ImageOutput
        )
    }

    /// How its price is written.
    pub(super) const fn per(self) -> Per {
        match self {
            Self::Requests | Self::WebSearches | Self::GroundedRequests | Self::SearchUnits | Self::Pages => {
                Per::Thousand
            }
            Self::Images | Self::ImageInputs | Self::VideoSeconds => Per::One,
            Self::AudioHours => Per::Hour,
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
            _ => &[],
        }
    }
}
