//! The part of the resource module that the configuration needs.

#[path = "../../../agent/src/resource/percent.rs"]
pub(crate) mod percent;
