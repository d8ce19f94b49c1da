//! The kernel as a source of events.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use agent_capture::{Capture, CaptureConfig, CaptureEvent, CaptureStats, PlainHttp, PlainMode, Scope};

use super::{Source, source::Judge};
use crate::{
    config::{Config, PlainHttpMode, PlainHttpSection},
    engine::VerdictChange,
};

/// The capture's configuration from that of wirespan.
#[must_use]
pub fn kernel_config(config: &Config, scope: Scope) -> CaptureConfig {
    let Config { capture: section, limits, plain_http: PlainHttpSection { mode, ports, processes }, .. } =
        config;
    let mode = match mode {
        PlainHttpMode::Off => PlainMode::Off,
        PlainHttpMode::Ports => PlainMode::Ports,
        PlainHttpMode::Learn => PlainMode::Learn,
        PlainHttpMode::All => PlainMode::All,
    };
    CaptureConfig {
        scope,
        ring_bytes: section.ring_size.as_u32(),
        max_call_bytes: section.max_call_size.as_u32(),
        max_connections: section.max_connections,
        drain_interval_ms: u32::try_from(section.drain_interval.0.as_millis()).unwrap_or(u32::MAX).max(1),
        watchdog_ms: u32::try_from(limits.watchdog.0.as_millis()).unwrap_or(u32::MAX),
        cache: cache_folder(section.cache.as_deref(), |name| std::env::var_os(name)),
        java: section.java,
        peers: section.peers,
        plain_http: PlainHttp { mode, ports: ports.clone(), commands: processes.clone() },
        ..CaptureConfig::default()
    }
}

/// Where the capture keeps what it found in files.
fn cache_folder(configured: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(path) = configured {
        return (!path.as_os_str().is_empty()).then(|| path.to_owned());
    }
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // Set by systemd for `CacheDirectory=`.
    if let Some(path) = folder("CACHE_DIRECTORY") {
        return Some(path);
    }
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/cache/wirespan"));
    }
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    base.map(|base| base.join("wirespan"))
}

impl Source for Capture {
    fn poll(&mut self, wait: Duration, each: &mut dyn FnMut(CaptureEvent)) -> usize {
        Capture::poll(self, wait, each)
    }

    fn drain(&mut self, each: &mut dyn FnMut(CaptureEvent)) -> anyhow::Result<()> {
        Capture::drain(self, each)?;
        Ok(())
    }

    fn judge(&self) -> Judge {
        let verdicts = self.verdicts();
        Box::new(move |VerdictChange { connection, verdict, seen }| {
            if let Err(error) = verdicts.set(&connection, verdict, seen) {
                // The rest of the connection is copied for nothing; no call is lost by it.
                tracing::debug!(
                    "cannot tell the kernel what to do with a connection of {}: {error}",
                    connection.tgid
                );
            }
        })
    }

    fn shed_new(&mut self, shed: bool) -> anyhow::Result<()> {
        self.verdicts().shed_new(shed)?;
        Ok(())
    }

    fn stats(&self) -> CaptureStats {
        Capture::stats(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_it_is_configured_or_where_systemd_says() {
        let systemd =
            |name: &str| (name == "CACHE_DIRECTORY").then(|| OsString::from("/var/cache/private/wirespan"));
        assert_eq!(cache_folder(Some(Path::new("/x")), systemd), Some("/x".into()));
        assert_eq!(cache_folder(Some(Path::new("")), systemd), None);
        assert_eq!(cache_folder(None, systemd), Some("/var/cache/private/wirespan".into()));
        let relative = |name: &str| (name != "HOME").then(|| OsString::from("relative"));
        assert!(cache_folder(None, relative).is_none_or(|path| path == Path::new("/var/cache/wirespan")));
    }
}
