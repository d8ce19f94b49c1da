//! What the engine is told, and the decoders that follow from it.

use agent_capture::Transport;
use agent_genai::{Compat, Decoder, DecoderOptions, HostRule, PriceTable, RecordOptions};
use agent_wire::Limits;

use crate::config::ContentSection;

/// The source of a live capture.
pub const UPROBE: &str = "uprobe";

/// What may be changed while the engine runs.
#[derive(Clone)]
pub struct Settings {
    /// Whose message content is kept.
    pub content: ContentSection,
    /// Most bytes of one body that are kept for content.
    pub max_body: usize,
    /// Names of providers by host.
    pub hosts: Vec<HostRule>,
    /// Older attribute names to emit as well.
    pub compat: Compat,
    /// Prices.
    pub prices: PriceTable,
    /// `capture.source` of the Records. Where it is [`UPROBE`], calls without TLS have `socket`.
    pub source: &'static str,
}

/// Bounds on what the engine holds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bounds of one connection.
    pub limits: Limits,
    /// Most bytes held for all exchanges in flight.
    pub memory: usize,
    /// Most connections.
    pub connections: usize,
    /// An exchange without a byte for so long is ended, in nanoseconds.
    pub idle: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { limits: Limits::default(), memory: 256 << 20, connections: 65_536, idle: 1_800_000_000_000 }
    }
}

/// Decoders and record options that follow from the settings.
pub(super) struct Made {
    plain: Decoder,
    content: Decoder,
    plain_record: RecordOptions,
    content_record: RecordOptions,
}

impl Made {
    pub(super) fn new(settings: &Settings) -> Self {
        let decoder = |content| {
            Decoder::new(DecoderOptions {
                content,
                max_body: settings.max_body,
                hosts: settings.hosts.clone(),
            })
        };
        let record = |content| RecordOptions {
            compat: settings.compat,
            content,
            tool_descriptions: content && settings.content.tool_descriptions,
            source: settings.source,
        };
        Self {
            plain: decoder(false),
            content: decoder(true),
            plain_record: record(false),
            content_record: record(true),
        }
    }

    pub(super) fn decoder(&self, content: bool) -> &Decoder {
        if content { &self.content } else { &self.plain }
    }

    /// Options of a Record whose connection was seen in this way.
    pub(super) fn record(&self, content: bool, transport: Transport) -> RecordOptions {
        let options = if content { self.content_record } else { self.plain_record };
        match (options.source, transport) {
            (UPROBE, Transport::Plain) => RecordOptions { source: "socket", ..options },
            _ => options,
        }
    }
}
