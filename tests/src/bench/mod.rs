//! Measurements: what capturing costs the watched program, how fast decoding is, what connections cost in memory.

pub mod capture;
pub mod codecs;
pub mod cost;
pub mod decode;
mod frames;
pub mod loss;
pub mod memory;
pub mod report;
mod sites;
mod tracer;

/// The middle value; 0 for none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
