//! The agent at one moment: memory, files, attachments, entries in its kernel maps, counters.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::process;

/// One moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    at: Duration,
    /// `VmRSS`.
    pub resident_kb: u64,
    /// Open file descriptors: probes, links, maps, rings.
    pub files: u64,
    /// Entries of the hash maps: what is followed now.
    pub map_entries: u64,
    /// Entries of the maps that let go of the oldest when they are full.
    lru_entries: u64,
    /// Probes attached.
    pub probes: u64,
    /// Processes in scope.
    pub processes: u64,
    /// Calls so far.
    pub calls: u64,
    /// Everything that was counted as dropped, whatever its unit.
    pub lost: u64,
    /// User and system time of the agent, in clock ticks.
    ticks: u64,
}

impl Sample {
    /// The head of the table.
    pub const HEAD: &str = "| minute | resident | open files | map entries | LRU entries | probes | processes in scope | calls | counted drops | CPU |\n\
                            |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";

    /// Takes one.
    ///
    /// # Errors
    /// When the agent is gone or does not answer.
    pub fn take(daemon: &Daemon, at: Duration) -> Result<Self> {
        let pid = daemon.process.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the agent is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let tick = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        let said = process::run(daemon.ask("status")?.arg("--json"))?.succeeded()?.stdout;
        let said: Value = serde_json::from_str(&said)?;
        let number = |path: &str| said.pointer(path).and_then(Value::as_u64).unwrap_or_default();
        let (map_entries, lru_entries) = entries(pid)?;
        let drops = said.get("drops").and_then(Value::as_object).context("no drops")?;
        Ok(Self {
            at,
            resident_kb: line.trim().trim_end_matches(" kB").parse().context("VmRSS")?,
            files: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
            map_entries,
            lru_entries,
            probes: number("/capture/attached_probes"),
            processes: number("/capture/processes"),
            calls: number("/engine/calls"),
            lost: drops.values().filter_map(Value::as_u64).sum(),
            ticks: tick(11) + tick(12),
        })
    }

    /// A row of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let seconds = self.at.as_secs();
        let percent = self.ticks as f64 / seconds.max(1) as f64;
        format!(
            "| {} | {:.1} MB | {} | {} | {} | {} | {} | {} | {} | {percent:.1} % |\n",
            seconds / 60,
            self.resident_kb as f64 / 1024.0,
            self.files,
            self.map_entries,
            self.lru_entries,
            self.probes,
            self.processes,
            self.calls,
            self.lost
        )
    }
}

/// Entries of every hash map that the agent holds, plain ones and LRU ones, by bpftool; 0 where that is not installed.
fn entries(pid: u32) -> Result<(u64, u64)> {
    let mut maps = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        let Ok(text) = std::fs::read_to_string(entry?.path()) else { continue };
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // Of the types in linux/bpf.h: hash, and LRU hash.
        if let (Some(kind @ ("1" | "9")), Some(id)) = (field("map_type:"), field("map_id:")) {
            maps.insert(id.to_owned(), kind == "9");
        }
    }
    let (mut plain, mut lru) = (0, 0);
    for (id, is_lru) in maps {
        let dumped = process::run(Command::new("bpftool").args(["-j", "map", "dump", "id", &id]));
        let Ok(dumped) = dumped.map(|run| run.stdout) else { return Ok((0, 0)) };
        let found: Value = serde_json::from_str(&dumped).unwrap_or_default();
        let entries = found.as_array().map_or(0, Vec::len) as u64;
        if is_lru {
            lru += entries;
        } else {
            plain += entries;
        }
    }
    Ok((plain, lru))
}
