//! Records as OTLP messages (opentelemetry-proto v1), built directly: exact ids and times, one resource per process.

mod request;
mod span;
mod value;

pub(crate) use request::{EncodedSpan, encode_span, trace_request};
pub(crate) use span::resource;
pub use span::{RecordError, span};
pub(crate) use value::{any_value, key_value};

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;

/// Name of the instrumentation scope.
pub const SCOPE_NAME: &str = "wirespan";

/// The scope of everything that is exported. Its schema URL stays empty: none is published for the conventions in use.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: SCOPE_NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}
