//! `wirespan status`: how the daemon is.

use std::fmt::Write;

use clap::Args;

use super::{args::SocketArgs, common};
use crate::{
    console::plain,
    daemon::{Client, StatusReport},
    output::{Exit, Output},
};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs) -> anyhow::Result<Exit> {
    let report: StatusReport =
        common::runtime()?.block_on(Client::new(&args.socket.socket).json("/v1/status"))?;
    let mut output = Output::stdout();
    if args.json {
        output.line(&serde_json::to_string(&report)?)?;
    } else {
        output.text(&page(&report))?;
    }
    output.flush()?;
    Ok(Exit::Ok)
}

fn page(report: &StatusReport) -> String {
    let StatusReport {
        version,
        pid,
        uptime_seconds,
        config,
        capture,
        engine,
        store,
        drops,
        export,
        problems,
    } = report;
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "{name:<12}{}", plain(&text));
    };
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let up = crate::console::duration(*uptime_seconds as f64);
    line("daemon", format!("wirespan {version}, process {pid}, up {up}, configuration {config}"));
    line(
        "capture",
        format!(
            "{} processes in scope, {} probes in {} libraries and executables ({} could not be probed, {} were in use before)",
            capture.processes,
            capture.attached_probes,
            capture.attached_objects,
            capture.failed_objects,
            capture.late_objects
        ),
    );
    line(
        "",
        format!(
            "{} bytes in {} chunks, {} skipped on purpose",
            capture.bytes, capture.chunks, capture.skipped_bytes
        ),
    );
    line(
        "calls",
        format!(
            "{} ({} incomplete), beside {} other exchanges, over {} connections ({} open)",
            engine.calls,
            engine.incomplete_calls,
            engine.other_exchanges,
            engine.connections_seen,
            engine.connections
        ),
    );
    line("memory", format!("{} bytes for exchanges in flight", engine.held_bytes));
    line("store", format!("{} records, {} bytes, {} evicted", store.records, store.bytes, store.evicted));
    if export.is_empty() {
        line("export", "nowhere".to_owned());
    }
    for destination in export {
        line("export", destination.detail.clone());
    }
    line("drops", drops.words());
    for problem in problems {
        line("problem", problem.clone());
    }
    out
}
