//! `wirespan tail`: calls as they come, from the daemon or captured here and now.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use agent_genai::Record;
use anyhow::Context;
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{
    args::{CaptureArgs, Format, OutputArgs, ScopeArgs, SocketArgs},
    common::{self, Printer},
    pipeline::{self, Pipeline},
    signals,
};
use crate::{
    console::{Drops, Filter},
    daemon::{CallsQuery, Client, StatusReport},
    output::{Exit, diagnose},
};

/// How often a capture of one's own looks whether it still has a reader and whether it broke.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "\
Without --pid, --cgroup, --exe, --comm or --all the calls come from the daemon (see `wirespan run`). Ctrl-C ends it; the closing \
line says what was dropped.")]
pub(super) struct TailArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    capture: CaptureArgs,
    /// Begin with so many calls that the daemon has already
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    last: usize,
    /// Go on with the calls that come (the default)
    #[arg(short, long, overrides_with = "no_follow")]
    follow: bool,
    /// End after the calls that are there
    #[arg(long)]
    no_follow: bool,
}

pub(super) fn tail(args: &TailArgs) -> anyhow::Result<Exit> {
    let format = args.output.output.unwrap_or(Format::Compact);
    let printer = Printer::new(format, &args.output, TimeZone::system());
    if args.scope.section().is_empty() {
        let capture = &args.capture;
        if capture.record.is_some() || capture.otlp_endpoint.is_some() || capture.service_name.is_some() {
            anyhow::bail!(
                "--record, --otlp-endpoint and --service-name are for a capture of one's own: say of what, with --pid, --comm, --exe, \
                 --cgroup or --all"
            );
        }
        common::runtime()?.block_on(from_daemon(args, printer))
    } else {
        common::runtime()?.block_on(captured(args, printer))
    }
}

async fn from_daemon(args: &TailArgs, mut printer: Printer) -> anyhow::Result<Exit> {
    let client = Client::new(&args.socket.socket);
    let query = CallsQuery { last: Some(args.last), follow: !args.no_follow, filter: args.filter.clone() };
    let mut lines = client.lines(&format!("/v1/calls?{}", query.encode())).await?;
    let mut end = pin!(signals::end());
    let mut missed = 0;
    let mut broke = None;
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            result = &mut end => {
                result.context("cannot listen for signals")?;
                break;
            }
        };
        match line {
            Ok(Some(line)) => {
                let value: Value =
                    serde_json::from_slice(&line).context("the daemon sent a line that is no JSON")?;
                if let Some(count) = value.get("missed").and_then(Value::as_u64) {
                    missed += count;
                    continue;
                }
                let record: Record = serde_json::from_value(value).context(
                    "the daemon sent a call of a form that is not known here: are both of one version?",
                )?;
                printer.print_now(&record)?;
                if printer.is_closed() {
                    return Ok(Exit::Ok);
                }
            }
            Ok(None) => break,
            Err(error) => {
                broke = Some(error);
                break;
            }
        }
    }
    // A daemon that has ended cannot say what it dropped.
    let drops = match client.json::<StatusReport>("/v1/status").await {
        Ok(report) => Drops { unread_calls: missed, ..report.drops }.words(),
        Err(_) => format!("the daemon has ended: drops unknown, {missed} calls missed here"),
    };
    diagnose(&format!("wirespan: {}", printer.summary().line_with(&drops)));
    match broke {
        Some(error) => Err(error.into()),
        None => Ok(Exit::Ok),
    }
}

async fn captured(args: &TailArgs, printer: Printer) -> anyhow::Result<Exit> {
    let config = pipeline::configuration(&args.capture, args.output.content)?;
    let printer = Arc::new(Mutex::new((printer, None::<io::Error>)));
    let to_printer = Arc::clone(&printer);
    let filter = args.filter.clone();
    let (pipeline, by_link) = Pipeline::start(
        &config,
        pipeline::scope(&args.scope.section()),
        args.capture.service_name.as_deref(),
        |capture| Ok(capture.has_multi_links()),
        move |output| {
            if filter.accepts(&output.record) {
                let mut printer = to_printer.lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = printer.0.print_now(&output.record) {
                    printer.1.get_or_insert(error);
                }
            }
        },
    )?;
    if config.security.seccomp
        && let Err(error) = agent_capture::deny_system_calls(by_link)
    {
        tracing::debug!("{error}");
    }
    let mut end = pin!(signals::end());
    loop {
        tokio::select! {
            result = &mut end => {
                result.context("cannot listen for signals")?;
                break;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
        if pipeline.session().is_over() || printer.0.is_closed() || printer.1.is_some() {
            break;
        }
    }
    let broke = pipeline.session().is_over();
    let ended = pipeline.finish().await?;
    let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
    diagnose(&format!("wirespan: {}", printer.0.summary().line(&ended.drops)));
    if let Some(error) = printer.1.take() {
        return Err(anyhow::Error::new(error).context("cannot write to standard output"));
    }
    Ok(if broke { Exit::Error } else { Exit::Ok })
}
