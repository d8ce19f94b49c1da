//! The `wirespan` command: captures LLM calls, or reads recorded ones, and prints, keeps and exports them.
#![forbid(unsafe_code)]

pub mod capture_file;
pub mod config;
pub mod console;
pub mod export;
pub mod metrics;
pub mod resource;
