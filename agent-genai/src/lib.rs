//! HTTP exchanges to LLM calls, and calls to OpenTelemetry GenAI spans. Pure: no I/O and no clock.
//!
//! A [`Decoder`] looks at each exchange that `agent-wire` hands on, recognises the LLM API by path and body shape, folds the
//! exchange into one canonical [`Call`] as it arrives, and builds a [`Record`] (the printed and exported span) from it.

mod codec;

pub mod call;
pub mod prices;
pub mod record;
pub mod redact;

pub use call::Call;
pub use prices::{PriceError, PriceTable};
pub use record::Record;
