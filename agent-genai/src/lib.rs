//! HTTP exchanges to LLM calls, and calls to OpenTelemetry GenAI spans. Pure: no I/O and no clock.
//!
//! A [`Decoder`] looks at each exchange that `agent-wire` hands on, recognises the LLM API by path and body shape, folds the
//! exchange into one canonical [`Call`] as it arrives, and builds a [`Record`] (the printed and exported span) from it.

#![forbid(unsafe_code)]

mod codec;
mod correlator;
mod decoder;
mod fold;
mod providers;
mod recognise;

pub mod call;
pub mod encode;
pub mod prices;
pub mod record;
pub mod redact;
pub mod semconv;
pub mod skim;

pub use call::Call;
pub use correlator::Correlator;
pub use decoder::{Decoder, DecoderOptions};
pub use fold::Fold;
pub use prices::{PriceError, PriceTable};
pub use providers::HostRule;
pub use record::{Compat, Record, RecordOptions, SpanIds, build_record};
