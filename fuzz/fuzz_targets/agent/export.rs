//! The part of the export module that the configuration is made of.

#[path = "../../../agent/src/export/config.rs"]
mod config;
#[path = "../../../agent/src/export/headers.rs"]
mod headers;

pub use config::ExportConfig;
pub use headers::Secret;
