//! What the daemon says of itself: `/v1/status` as JSON, `/v1/metrics` in Prometheus' text format.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::StoreStats;
use crate::{console::Drops, engine::EngineStats, live::LiveStats};

/// The daemon at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusReport {
    /// Version of wirespan.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Configuration file.
    pub config: String,
    /// Counters of the kernel side.
    pub capture: CaptureCounters,
    /// Counters of the engine.
    pub engine: EngineStats,
    /// The calls kept.
    pub store: StoreStats,
    /// Everything that was dropped, by cause.
    pub drops: Drops,
    /// Where spans and metrics go.
    pub export: Vec<Destination>,
    /// Trouble that needs attention, in words.
    pub problems: Vec<String>,
}

/// Export to one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Destination {
    /// Name of the destination, with the signal.
    pub name: String,
    /// Spans or data points delivered.
    pub sent: u64,
    /// Dropped for any cause.
    pub dropped: u64,
    /// The whole story in a line.
    pub detail: String,
}

/// Counters of the kernel side, for JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureCounters {
    /// Chunks handed over.
    pub chunks: u64,
    /// Bytes handed over.
    pub bytes: u64,
    /// Lost because the ring buffer was full.
    pub lost_ring_full_bytes: u64,
    /// Number of ring-full losses.
    pub lost_ring_full_events: u64,
    /// Lost because one call was larger than the bound for one call.
    pub lost_call_bound_bytes: u64,
    /// Lost because the process's memory could not be read.
    pub lost_fault_bytes: u64,
    /// Lost because the table of connections was full.
    pub lost_table_full_bytes: u64,
    /// Lost because wirespan was stalled, so that nothing was copied.
    pub lost_quiet_bytes: u64,
    /// On connections that were given up at a ceiling.
    pub shed_bytes: u64,
    /// Connections given up at a ceiling.
    pub shed_connections: u64,
    /// Not copied on purpose.
    pub skipped_bytes: u64,
    /// Lost because a call moved them that shows no buffer.
    pub lost_unseen_bytes: u64,
    /// Processes that set up io_uring.
    pub io_uring_processes: u64,
    /// Processes that hand TLS to the kernel.
    pub kernel_tls_processes: u64,
    /// Reads and writes whose bytes could not be followed.
    pub untracked_calls: u64,
    /// Connections in the kernel's table now.
    pub tracked_connections: u64,
    /// Connections taken out of it for want of room.
    pub evicted_connections: u64,
    /// Processes that did not fit into the kernel's table.
    pub untracked_processes: u64,
    /// Close, shutdown or process events lost because a ring was full.
    pub lost_control_events: u64,
    /// Libraries and executables with probes.
    pub attached_objects: u64,
    /// Probes attached.
    pub attached_probes: u64,
    /// Objects that could not be probed.
    pub failed_objects: u64,
    /// Files that were not searched, because what they hold was known.
    pub known_objects: u64,
    /// Files that a process had begun to use when they got their probes: calls that it made before are not captured.
    pub late_objects: u64,
    /// Places found by the structure of the code that wait for proof.
    pub candidates_open: u64,
    /// Those that proved to be what they were taken for.
    pub candidates_confirmed: u64,
    /// Those that did not, and have no probes any more.
    pub candidates_refuted: u64,
    /// Processes in scope now.
    pub processes: u64,
}

impl From<agent_capture::CaptureStats> for CaptureCounters {
    fn from(stats: agent_capture::CaptureStats) -> Self {
        let agent_capture::CaptureStats {
            chunks,
            bytes,
            lost_ring_full_bytes,
            lost_ring_full_events,
            lost_call_bound_bytes,
            lost_fault_bytes,
            lost_table_full_bytes,
            lost_quiet_bytes,
            shed_bytes,
            shed_connections,
            lost_unseen_bytes,
            io_uring_processes,
            kernel_tls_processes,
            skipped_bytes,
            untracked_calls,
            tracked_connections,
            evicted_connections,
            untracked_processes,
            lost_control_events,
            attached_objects,
            attached_probes,
            failed_objects,
            known_objects,
            late_objects,
            candidates_open,
            candidates_confirmed,
            candidates_refuted,
            processes,
        } = stats;
        Self {
            chunks,
            bytes,
            lost_ring_full_bytes,
            lost_ring_full_events,
            lost_call_bound_bytes,
            lost_fault_bytes,
            lost_table_full_bytes,
            lost_quiet_bytes,
            shed_bytes,
            shed_connections,
            lost_unseen_bytes,
            io_uring_processes,
            kernel_tls_processes,
            skipped_bytes,
            untracked_calls,
            tracked_connections,
            evicted_connections,
            untracked_processes,
            lost_control_events,
            attached_objects,
            attached_probes,
            failed_objects,
            known_objects,
            late_objects,
            candidates_open,
            candidates_confirmed,
            candidates_refuted,
            processes,
        }
    }
}

impl StatusReport {
    /// Fills in what a session counts.
    pub fn live(&mut self, stats: &LiveStats) {
        self.capture = stats.capture.into();
        self.engine = stats.engine;
        self.drops = Drops { export_spans: self.drops.export_spans, ..stats.drops() };
    }
}

/// The counters as Prometheus' text exposition format 0.0.4. Names: `wirespan_`, what is counted, unit, `_total` for counters.
#[must_use]
pub fn prometheus(report: &StatusReport) -> String {
    let StatusReport { capture, engine, store, drops, export, .. } = report;
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, u64)]| {
        let _ = writeln!(out, "# HELP wirespan_{name} {help}\n# TYPE wirespan_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(out, "wirespan_{name}{labels} {value}");
        }
    };
    family(
        "captured_bytes_total",
        "counter",
        "Plaintext bytes handed over by the kernel.",
        &[("", capture.bytes)],
    );
    family("captured_chunks_total", "counter", "Chunks handed over by the kernel.", &[("", capture.chunks)]);
    family("skipped_bytes_total", "counter", "Bytes not copied on purpose.", &[("", capture.skipped_bytes)]);
    family(
        "lost_bytes_total",
        "counter",
        "Plaintext bytes lost, by cause.",
        &[
            ("{cause=\"ring_full\"}", capture.lost_ring_full_bytes),
            ("{cause=\"call_bound\"}", capture.lost_call_bound_bytes),
            ("{cause=\"fault\"}", capture.lost_fault_bytes),
            ("{cause=\"table_full\"}", capture.lost_table_full_bytes),
            ("{cause=\"stalled\"}", capture.lost_quiet_bytes),
            ("{cause=\"unseen\"}", capture.lost_unseen_bytes),
        ],
    );
    family(
        "bypassing_processes_total",
        "counter",
        "Processes that may move bytes in a way that is not seen.",
        &[
            ("{way=\"io_uring\"}", capture.io_uring_processes),
            ("{way=\"kernel_tls\"}", capture.kernel_tls_processes),
        ],
    );
    family(
        "lost_control_events_total",
        "counter",
        "Control events lost.",
        &[("", capture.lost_control_events)],
    );
    family(
        "attached_objects",
        "gauge",
        "Libraries and executables with probes.",
        &[("", capture.attached_objects)],
    );
    family("attached_probes", "gauge", "Probes attached.", &[("", capture.attached_probes)]);
    family(
        "failed_objects_total",
        "counter",
        "Objects that could not be probed.",
        &[("", capture.failed_objects)],
    );
    family(
        "known_objects_total",
        "counter",
        "Files that were not searched, because what they hold was known.",
        &[("", capture.known_objects)],
    );
    family(
        "late_objects_total",
        "counter",
        "Files that a process had begun to use when they got their probes: calls that it made before are not captured.",
        &[("", capture.late_objects)],
    );
    family(
        "candidate_places",
        "gauge",
        "Places found by the structure of the code, by what they turned out to be.",
        &[
            ("{proof=\"open\"}", capture.candidates_open),
            ("{proof=\"confirmed\"}", capture.candidates_confirmed),
            ("{proof=\"refuted\"}", capture.candidates_refuted),
        ],
    );
    family("processes", "gauge", "Processes in scope.", &[("", capture.processes)]);
    family(
        "calls_total",
        "counter",
        "LLM calls, by whether all of each was seen.",
        &[
            ("{complete=\"true\"}", engine.calls.saturating_sub(engine.incomplete_calls)),
            ("{complete=\"false\"}", engine.incomplete_calls),
        ],
    );
    family(
        "other_exchanges_total",
        "counter",
        "HTTP exchanges that were no LLM calls.",
        &[("", engine.other_exchanges)],
    );
    family("connections", "gauge", "Connections followed.", &[("", engine.connections)]);
    family("connections_total", "counter", "Connections seen.", &[("", engine.connections_seen)]);
    family(
        "undecoded_connections_total",
        "counter",
        "Connections not decoded, by protocol.",
        &[("{protocol=\"other\"}", engine.not_http_connections)],
    );
    family(
        "http2_connections_total",
        "counter",
        "Connections that spoke HTTP/2.",
        &[("", engine.http2_connections)],
    );
    family("held_bytes", "gauge", "Bytes held for exchanges in flight.", &[("", engine.held_bytes)]);
    family(
        "cut_exchanges_total",
        "counter",
        "Exchanges ended early, by cause.",
        &[("{cause=\"memory\"}", engine.memory_exchanges), ("{cause=\"idle\"}", engine.idle_exchanges)],
    );
    family(
        "evicted_connections_total",
        "counter",
        "Connections given up.",
        &[("", drops.evicted_connections)],
    );
    family(
        "shed_connections_total",
        "counter",
        "Connections given up at a ceiling of `limits`.",
        &[("", drops.shed_connections)],
    );
    family(
        "shed_bytes_total",
        "counter",
        "Bytes that such connections moved from then on.",
        &[("", drops.shed_bytes)],
    );
    family("stored_records", "gauge", "Records kept.", &[("", store.records)]);
    family("stored_bytes", "gauge", "Bytes of records kept.", &[("", store.bytes)]);
    family(
        "record_frames_lost_total",
        "counter",
        "Frames not written to the capture file.",
        &[("", drops.record_frames)],
    );
    let label = |destination: &Destination| {
        let name: String =
            destination.name.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).collect();
        format!("{{destination=\"{name}\"}}")
    };
    let labels: Vec<String> = export.iter().map(label).collect();
    let samples = |value: fn(&Destination) -> u64| -> Vec<(&str, u64)> {
        labels.iter().map(String::as_str).zip(export.iter().map(value)).collect()
    };
    family("exported_total", "counter", "Spans and data points delivered.", &samples(|d| d.sent));
    family("export_dropped_total", "counter", "Spans and data points dropped.", &samples(|d| d.dropped));
    out
}
