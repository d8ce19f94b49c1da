//! From the kernel to standard output and to the collector: what `exec`, `tail` and `run` have in common.

use std::{path::Path, sync::Arc, time::Duration};

use agent_capture::{Capture, CaptureStats, Scope};
use anyhow::Context;

use super::{args::CaptureArgs, common};
use crate::{
    capture_file::{Header, Recorder},
    config::{Config, ScopeSection},
    console::Drops,
    engine::{Bounds, Engine, EngineOutput, UPROBE},
    export::{
        DestinationStats, ExportConfig, ExportStats, Exporter, ExporterOptions, PipelineSource, Protocol,
        Settings as ExportSettings, Signal,
    },
    live::{
        Ceilings, LiveStats, ProcessResources, Session, SessionOptions, clock, host_to_header, kernel_config,
    },
    metrics::{DecodeCounts, PipelineMetric, capture_metrics, decode_metrics},
    resource::Host,
};

/// Longest wait of the session before it looks whether it is told anything. The capture drains its ring meanwhile as often as configured.
const POLL: Duration = Duration::from_millis(100);
/// Longest time for sending what is still queued at the end.
const FLUSH: Duration = Duration::from_secs(10);

/// A running capture with its export.
pub(super) struct Pipeline {
    session: Session,
    exporter: Option<Arc<Exporter>>,
}

/// How a pipeline ended.
pub(super) struct Ended {
    pub(super) drops: Drops,
    pub(super) export: Option<ExportStats>,
}

/// The configuration that the arguments name, with what they say themselves on top.
pub(super) fn configuration(args: &CaptureArgs, content: bool) -> anyhow::Result<Config> {
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    config.content.enabled |= content;
    config.capture.java |= args.java;
    if let Some(record) = &args.record {
        config.capture.record = Some(record.clone());
    }
    if let Some(mode) = args.plain_http {
        config.plain_http.mode = mode;
    }
    config.plain_http.ports.extend(&args.plain_ports);
    if let Some(endpoint) = &args.otlp_endpoint {
        config.export = ExportConfig::to(endpoint.clone(), protocol_of(endpoint));
    }
    Ok(config)
}

/// The port of OTLP over gRPC means gRPC; everything else is HTTP. `OTEL_EXPORTER_OTLP_PROTOCOL` wins.
fn protocol_of(endpoint: &str) -> Protocol {
    match std::env::var("OTEL_EXPORTER_OTLP_PROTOCOL").as_deref() {
        Ok("grpc") => Protocol::Grpc,
        Ok(protocol) if protocol.starts_with("http") => Protocol::HttpProtobuf,
        _ if endpoint.trim_end_matches('/').ends_with(":4317") => Protocol::Grpc,
        _ => Protocol::HttpProtobuf,
    }
}

/// The scope as the capture wants it.
pub(super) fn scope(section: &ScopeSection) -> Scope {
    let ScopeSection { all, pids, cgroups, executables, commands, follow_children } = section;
    Scope {
        pids: pids.clone(),
        cgroups: cgroups.clone(),
        executables: executables.clone(),
        commands: commands.clone(),
        all: *all,
        follow_children: *follow_children,
    }
}

/// Resources of the processes of this host.
pub(super) fn resources(config: &Config, host: Host, service_name: Option<&str>) -> ProcessResources {
    ProcessResources::new(host, service_name.map(ToOwned::to_owned), config.service_name.clone())
}

impl Pipeline {
    /// Starts capture, decoding and export. Must be called inside a runtime. `prepare` is called with the capture before
    /// anything is taken from it; what it returns is handed through.
    pub(super) fn start<T>(
        config: &Config,
        scope: Scope,
        service_name: Option<&str>,
        prepare: impl FnOnce(&Capture) -> anyhow::Result<T>,
        mut deliver: impl FnMut(&EngineOutput) + Send + 'static,
    ) -> anyhow::Result<(Self, T)> {
        let settings = common::settings(config, UPROBE)?;
        let export = ExportSettings::resolve(&config.export, &|name| std::env::var(name).ok())
            .context("the export cannot be set up")?;
        for warning in &export.warnings {
            tracing::warn!("{warning}");
        }
        let host = Host::read();
        let clock_offset = clock::offset();
        let boot_id = clock::boot_id();
        let header = Header {
            wirespan: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: boot_id.clone(),
            clock_offset,
            host: host_to_header(&host, service_name),
        };
        let recorder = config.capture.record.as_deref().map(|path| record(path, &header)).transpose()?;
        let resources = resources(config, host, service_name);
        let agent = resources.agent();
        let legacy_metrics = settings.compat.legacy_metrics;
        let engine = Engine::new(settings, bounds(config), Box::new(resources), boot_id, clock_offset);

        let capture = Capture::start(&kernel_config(config, scope))?;
        let prepared = prepare(&capture)?;

        let stats = Arc::new(std::sync::OnceLock::<Arc<dyn Fn() -> LiveStats + Send + Sync>>::new());
        let exporter = if export.is_enabled() {
            let stats = Arc::clone(&stats);
            let source: PipelineSource =
                Arc::new(move || stats.get().map(|stats| own_metrics(&stats())).unwrap_or_default());
            let options = ExporterOptions { agent, legacy_metrics };
            Some(Arc::new(
                Exporter::start(export, &options, Some(&source)).context("the export cannot start")?,
            ))
        } else {
            None
        };
        let to_exporter = exporter.clone();
        let options =
            SessionOptions { poll: POLL, recorder, clock_offset, ceilings: Ceilings::from(&config.limits) };
        let session = Session::start(
            Box::new(capture),
            engine,
            options,
            Box::new(move |output| {
                if let Some(exporter) = &to_exporter {
                    exporter.observe(&output.call, &output.record);
                    exporter.push(&output.record);
                }
                deliver(&output);
            }),
        )
        .context("cannot start the capture thread")?;
        let _ = stats.set(session.stats_handle());
        Ok((Self { session, exporter }, prepared))
    }

    /// The session.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Reads the counters of the export; `None` when nothing is exported.
    pub(super) fn export_stats(&self) -> Option<Arc<dyn Fn() -> ExportStats + Send + Sync>> {
        let exporter = Arc::downgrade(self.exporter.as_ref()?);
        Some(Arc::new(move || {
            exporter
                .upgrade()
                .map_or_else(|| ExportStats { destinations: Vec::new() }, |exporter| exporter.stats())
        }))
    }

    /// Takes, ends and sends everything, within bounds of time. A capture that broke is said on the way.
    pub(super) async fn finish(self) -> anyhow::Result<Ended> {
        let Self { session, exporter } = self;
        let stats = session.stats_handle();
        let stopped = tokio::task::spawn_blocking(move || session.stop()).await?;
        if let Err(error) = &stopped {
            tracing::error!("the capture broke: {error:#}");
        }
        let export = match exporter.and_then(Arc::into_inner) {
            Some(exporter) => Some(exporter.shutdown(FLUSH).await),
            None => None,
        };
        let mut drops = stopped.unwrap_or_else(|_| stats()).drops();
        drops.export_spans = export.as_ref().map_or(0, lost_spans);
        Ok(Ended { drops, export })
    }
}

/// Spans that were not delivered, by all destinations.
pub(super) fn lost_spans(stats: &ExportStats) -> u64 {
    stats.destinations.iter().filter(|one| one.signal == Signal::Traces).map(DestinationStats::lost).sum()
}

fn record(path: &Path, header: &Header) -> anyhow::Result<Recorder> {
    let recorder = Recorder::create(path, header)
        .with_context(|| format!("cannot write the capture file {}", path.display()))?;
    tracing::warn!("{} receives everything captured as plain text, credentials included", path.display());
    Ok(recorder)
}

/// The engine's bounds from the configuration.
fn bounds(config: &Config) -> Bounds {
    Bounds {
        memory: config.capture.memory.as_usize(),
        connections: usize::try_from(config.capture.max_connections).unwrap_or(usize::MAX),
        idle: config.capture.idle_timeout.as_nanos(),
        ..Bounds::default()
    }
}

fn own_metrics(stats: &LiveStats) -> Vec<PipelineMetric> {
    let engine = &stats.engine;
    let drops = stats.drops();
    let mut metrics = capture_metrics(&CaptureStats {
        shed_connections: drops.shed_connections,
        shed_bytes: drops.shed_bytes,
        ..stats.capture
    });
    metrics.extend(decode_metrics(&DecodeCounts {
        exchanges: engine.calls + engine.other_exchanges,
        calls: engine.calls,
        incomplete_calls: engine.incomplete_calls,
        undecodable_calls: engine.undecodable_calls,
        lost_bytes: engine.lost_bytes,
        dropped_memory_cap: engine.memory_exchanges + engine.evicted_connections,
        connections: engine.connections,
        held_bytes: engine.held_bytes,
    }));
    metrics
}
