//! `wirespan run`: the daemon.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use agent_capture::Keep;
use anyhow::Context;
use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{
    common,
    pipeline::{self, Pipeline},
};
use crate::{
    config::Config,
    daemon::{Api, Destination, Notifier, StatusReport, Store, listen, router},
    engine::UPROBE,
    export::ExportStats,
    live::{Control, LiveStats},
    output::Exit,
    resource::Host,
};

/// How often the daemon looks whether the capture still runs.
const LOOK: Duration = Duration::from_secs(1);
/// How long followers get to read what is left for them at the end.
const LET_GO: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "\
SIGTERM and SIGINT end it: what is in flight is ended, kept and sent first. SIGHUP reads the configuration again and takes over \
content, providers, prices, service names and compatibility names; capture, limits, security, export, api and store need a restart, which is said.")]
pub(super) struct RunArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "WIRESPAN_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let config = Config::load(&args.config)?;
    if config.capture.scope.is_empty() {
        anyhow::bail!(
            "{}: nothing is in scope: name processes in `capture.scope` (commands, executables, cgroups, pids), or set `all: true`",
            args.config.display()
        );
    }
    if config.security.drop_capabilities {
        // Before there are other threads: a thread can give up its own capabilities only.
        let keep = Keep { change_groups: config.api.group.is_some(), java: config.capture.java };
        let left = agent_capture::drop_capabilities(keep)?;
        tracing::info!("capabilities that are left: {}", left.join(", "));
    }
    common::runtime()?.block_on(serve(&args.config, config))
}

async fn serve(path: &Path, mut config: Config) -> anyhow::Result<Exit> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let notifier = Notifier::from_environment();
    // The socket first: it is the cheaper one to be refused, and a second daemon must not begin to capture.
    let listener = listen(&config.api.socket, config.api.group.as_deref()).await?;
    let max_records = usize::try_from(config.store.max_records).unwrap_or(usize::MAX);
    let store = Arc::new(Store::new(config.store.max_size.0, max_records));
    let to_store = Arc::clone(&store);
    let scope = pipeline::scope(&config.capture.scope);
    let started = Pipeline::start(
        &config,
        scope,
        None,
        |capture| {
            // Processes that are to come find their library probed.
            capture.prepare_libraries()?;
            Ok((capture.has_multi_links(), capture.refused_programs().to_vec()))
        },
        move |output| {
            to_store.push(output.record.clone());
        },
    );
    let (pipeline, (by_link, refused)) = match started {
        Ok(started) => started,
        Err(error) => {
            drop(listener);
            remove(&config.api.socket);
            return Err(error);
        }
    };

    if config.security.seccomp
        && let Err(error) = agent_capture::deny_system_calls(by_link)
    {
        tracing::warn!("{error}");
    }

    let (ending, ended) = watch::channel(false);
    let reporter = Reporter {
        config: path.display().to_string(),
        began: Instant::now(),
        live: pipeline.session().stats_handle(),
        export: pipeline.export_stats(),
        store: Arc::clone(&store),
        refused,
    };
    let api = Api { store, status: Arc::new(move || reporter.report()), ending: ended.clone() };
    let server = tokio::spawn(serve_api(listener, api, ended));
    tracing::info!("serving on {}", config.api.socket.display());
    notifier.ready();

    let watchdog = notifier.watchdog().unwrap_or(LOOK).min(LOOK);
    let exit = loop {
        tokio::select! {
            _ = terminate.recv() => break Exit::Ok,
            _ = interrupt.recv() => break Exit::Ok,
            _ = hang_up.recv() => reload(path, &mut config, &pipeline),
            () = tokio::time::sleep(watchdog) => {
                if pipeline.session().is_over() {
                    break Exit::Error;
                }
                notifier.alive();
            }
        }
    };
    notifier.stopping();
    let finished = pipeline.finish().await?;
    let _ = ending.send(true);
    if tokio::time::timeout(LET_GO, server).await.is_err() {
        tracing::debug!("readers of the API were cut off");
    }
    remove(&config.api.socket);
    tracing::info!("ended: {}", finished.drops.words());
    Ok(exit)
}

async fn serve_api(listener: tokio::net::UnixListener, api: Api, mut ended: watch::Receiver<bool>) {
    let served = axum::serve(listener, router(api)).with_graceful_shutdown(async move {
        let _ = ended.wait_for(|ended| *ended).await;
    });
    if let Err(error) = served.await {
        tracing::error!("the API stopped: {error}");
    }
}

fn remove(socket: &Path) {
    if let Err(error) = std::fs::remove_file(socket) {
        tracing::debug!("cannot remove {}: {error}", socket.display());
    }
}

/// Takes over what can change while the capture runs; a configuration with errors changes nothing.
fn reload(path: &Path, config: &mut Config, pipeline: &Pipeline) {
    let new = match Config::load(path) {
        Ok(new) => new,
        Err(error) => {
            tracing::error!("the configuration stays as it is: {error}");
            return;
        }
    };
    for (name, same) in [
        ("capture", config.capture == new.capture),
        ("limits", config.limits == new.limits),
        ("security", config.security == new.security),
        ("export", config.export == new.export),
        ("api", config.api == new.api),
        ("store", config.store == new.store),
    ] {
        if !same {
            tracing::warn!("`{name}` has changed in {}: restart to use it", path.display());
        }
    }
    match common::settings(&new, UPROBE) {
        Ok(settings) => {
            let resources = pipeline::resources(&new, Host::read(), None);
            pipeline.session().tell(Control::Reconfigure(Box::new(settings), Box::new(resources)));
            config.content = new.content;
            config.providers = new.providers;
            config.prices = new.prices;
            config.service_name = new.service_name;
            config.semconv = new.semconv;
            tracing::warn!("the configuration {} was read again", path.display());
        }
        Err(error) => tracing::error!("the configuration stays as it is: {error:#}"),
    }
}

/// Makes the report of the moment.
struct Reporter {
    config: String,
    began: Instant,
    live: Arc<dyn Fn() -> LiveStats + Send + Sync>,
    export: Option<Arc<dyn Fn() -> ExportStats + Send + Sync>>,
    store: Arc<Store>,
    /// Kernel programs that the capture does without.
    refused: Vec<String>,
}

impl Reporter {
    fn report(&self) -> StatusReport {
        let export = self.export.as_ref().map(|export| export());
        let mut report = StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.began.elapsed().as_secs(),
            config: self.config.clone(),
            store: self.store.stats(),
            ..StatusReport::default()
        };
        report.live(&(self.live)());
        if let Some(export) = export {
            report.drops.export_spans = pipeline::lost_spans(&export);
            report.problems.extend(export.destinations.iter().filter_map(|destination| {
                let error = destination.last_error.as_ref()?;
                Some(format!("export to {}: {error}", destination.name))
            }));
            report.export = export
                .destinations
                .iter()
                .map(|destination| Destination {
                    name: format!("{} {:?}", destination.name, destination.signal).to_lowercase(),
                    sent: destination.sent,
                    dropped: destination.lost(),
                    detail: destination.to_string(),
                })
                .collect();
        }
        report.problems.extend(self.refused.iter().cloned());
        if report.capture.failed_objects > 0 {
            report.problems.push(format!(
                "{} libraries or executables could not be probed: see the log (WIRESPAN_LOG=info)",
                report.capture.failed_objects
            ));
        }
        report
    }
}
