//! The `wirespan` command: captures LLM calls, or reads recorded ones, and prints, keeps and exports them.
#![forbid(unsafe_code)]

pub mod capture_file;
pub mod cli;
pub mod config;
pub mod console;
pub mod daemon;
pub mod decode;
pub mod engine;
pub mod export;
mod fetch;
pub mod live;
pub mod metrics;
pub mod output;
pub mod resource;
