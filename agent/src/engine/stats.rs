//! The engine's counters and gauges.

use serde::{Deserialize, Serialize};

/// Counters since the start, and gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineStats {
    /// LLM calls.
    pub calls: u64,
    /// Of them, those of which something is missing.
    pub incomplete_calls: u64,
    /// Of them, those with a body that could not be decoded.
    pub undecodable_calls: u64,
    /// Bytes known to be missing in calls.
    pub lost_bytes: u64,
    /// HTTP exchanges that were no LLM calls.
    pub other_exchanges: u64,
    /// Connections of which at least one byte was seen.
    pub connections_seen: u64,
    /// Connections that spoke HTTP/2.
    pub http2_connections: u64,
    /// Connections that spoke something else.
    pub not_http_connections: u64,
    /// Exchanges ended early because the memory was full.
    pub memory_exchanges: u64,
    /// Exchanges ended because nothing came for too long.
    pub idle_exchanges: u64,
    /// Connections given up because there were too many, or because they held too much.
    pub evicted_connections: u64,
    /// Connections given up at a ceiling.
    pub shed_connections: u64,
    /// Bytes that still came of them and were dropped.
    pub shed_bytes: u64,
    /// Connections followed now.
    pub connections: u64,
    /// Processes known now.
    pub processes: u64,
    /// Bytes held now for exchanges in flight.
    pub held_bytes: u64,
}
