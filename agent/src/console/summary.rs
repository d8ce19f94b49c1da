//! The closing line: calls, tokens, cost, and everything that was dropped.

use agent_genai::Record;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Row, count, dollars};

/// What did not make it, by cause. All zero is said too: a reader must not have to guess.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drops {
    /// Bytes lost between the programs and wirespan (ring full, one call too large, memory unreadable, table full,
    /// wirespan stalled).
    pub capture_bytes: u64,
    /// Close, shutdown or process events lost because a ring was full.
    pub control_events: u64,
    /// Reads and writes whose bytes could not be followed.
    pub untracked_calls: u64,
    /// Processes that did not fit into the kernel's table.
    pub untracked_processes: u64,
    /// Exchanges ended early because the memory for exchanges in flight was full.
    pub memory_exchanges: u64,
    /// Connections given up because there were too many.
    pub evicted_connections: u64,
    /// Spans that could not be delivered to the collector.
    pub export_spans: u64,
    /// Calls that a slow reader missed.
    pub unread_calls: u64,
    /// Frames that could not be written to the capture file.
    pub record_frames: u64,
    /// Processes that set up io_uring. Nothing may have been lost by that: not every use of it moves bytes of calls.
    pub io_uring_processes: u64,
    /// Processes that hand TLS to the kernel. Nothing is lost where they do it by a TLS library.
    pub kernel_tls_processes: u64,
    /// Connections given up because wirespan was at a ceiling.
    pub shed_connections: u64,
    /// What they moved from then on, in bytes.
    pub shed_bytes: u64,
}

impl Drops {
    /// In words, the causes that happened only; `no drops` when none did.
    #[must_use]
    pub fn words(&self) -> String {
        let Self {
            capture_bytes,
            control_events,
            untracked_calls,
            untracked_processes,
            memory_exchanges,
            evicted_connections,
            export_spans,
            unread_calls,
            record_frames,
            io_uring_processes,
            kernel_tls_processes,
            shed_connections,
            shed_bytes,
        } = self;
        let causes: Vec<String> = [
            (*capture_bytes, "byte lost in capture", "bytes lost in capture"),
            (*control_events, "control event lost", "control events lost"),
            (*untracked_calls, "read or write not followed", "reads or writes not followed"),
            (
                *untracked_processes,
                "process not followed (table full)",
                "processes not followed (table full)",
            ),
            (*memory_exchanges, "call cut for memory", "calls cut for memory"),
            (*evicted_connections, "connection evicted", "connections evicted"),
            (*export_spans, "span not exported", "spans not exported"),
            (*unread_calls, "call not shown (reader too slow)", "calls not shown (reader too slow)"),
            (*record_frames, "frame not recorded", "frames not recorded"),
            (*shed_connections, "connection given up at a ceiling", "connections given up at a ceiling"),
            (*shed_bytes, "byte of them", "bytes of them"),
        ]
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| format!("{number} {}", if number == 1 { one } else { many }))
        .collect();
        let mut words =
            if causes.is_empty() { "no drops".to_owned() } else { format!("dropped: {}", causes.join(", ")) };
        for (number, what) in [(io_uring_processes, "io_uring"), (kernel_tls_processes, "TLS in the kernel")]
        {
            if *number > 0 {
                let processes = if *number == 1 { "process" } else { "processes" };
                words.push_str(&format!("; {number} {processes} with {what}, which may not be seen"));
            }
        }
        words
    }
}

/// Sums over the calls shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    calls: u64,
    failed: u64,
    incomplete: u64,
    input: u64,
    output: u64,
    usd: Decimal,
    unpriced: u64,
}

impl Summary {
    /// Adds a call.
    pub fn add(&mut self, record: &Record) {
        let row = Row::new(record);
        self.calls += 1;
        self.failed += u64::from(row.failed);
        self.incomplete += u64::from(!record.capture.complete);
        self.input = self.input.saturating_add(row.input.unwrap_or(0));
        self.output = self.output.saturating_add(row.output.unwrap_or(0));
        match row.cost {
            Some(usd) => self.usd = self.usd.saturating_add(usd),
            None => self.unpriced += 1,
        }
    }

    /// Number of calls added.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The closing line.
    #[must_use]
    pub fn line(&self, drops: &Drops) -> String {
        self.line_with(&drops.words())
    }

    /// The closing line, with what was dropped in words.
    #[must_use]
    pub fn line_with(&self, drops: &str) -> String {
        let mut parts = vec![format!("{} {}", self.calls, if self.calls == 1 { "call" } else { "calls" })];
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if self.incomplete > 0 {
            parts.push(format!("{} incomplete", self.incomplete));
        }
        parts.push(format!("{} tokens in, {} out", count(self.input), count(self.output)));
        if self.calls > self.unpriced || self.calls == 0 {
            parts.push(dollars(self.usd));
        }
        if self.unpriced > 0 {
            parts.push(format!("{} of unknown cost", self.unpriced));
        }
        parts.push(drops.to_owned());
        parts.join(" · ")
    }
}
