//! What the end-to-end tests, the demo and the measurements share: a stand-in provider, and running programs under `wirespan`.
#![forbid(unsafe_code)]

pub mod standin;
