//! What is counted and billed beside tokens.

use rust_decimal::Decimal;

/// A unit of consumption other than the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Search units (Cohere: one query over up to a hundred documents) and rerank units.
    SearchUnit,
    /// Read units of a vector store.
    ReadUnit,
    /// Images made.
    Image,
    /// Images taken in (embeddings).
    ImageInput,
    /// Seconds of audio taken in or made.
    AudioSecond,
    /// Seconds of video.
    VideoSecond,
    /// Characters of text (speech).
    Character,
    /// Pages (document recognition).
    Page,
    /// Whole requests.
    Request,
}

impl Unit {
    /// The word for it in attributes and price lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SearchUnit => "search_unit",
            Self::ReadUnit => "read_unit",
            Self::Image => "image",
            Self::ImageInput => "image_input",
            Self::AudioSecond => "audio_second",
            Self::VideoSecond => "video_second",
            Self::Character => "character",
            Self::Page => "page",
            Self::Request => "request",
        }
    }
}

/// A quantity of one unit, as the provider reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageUnits {
    /// Unit.
    pub unit: Unit,
    /// How many.
    pub quantity: Decimal,
}
