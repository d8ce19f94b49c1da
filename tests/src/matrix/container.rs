//! A container without a runtime: namespaces and an overlay, as Docker and containerd make them.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::process::{self, Running};
use crate::programs::{self, Program};
use crate::standin::Standin;

/// A network namespace whose loopback is up, and a place for the root of a container in it.
#[derive(Debug)]
pub(super) struct Container {
    network: Running,
    folder: TempDir,
}

impl Container {
    pub(super) fn start() -> Result<Self> {
        let mut holder = Command::new("unshare");
        holder.arg("--net").arg(programs::find(Program::Python)?);
        holder.arg(programs::script("matrix/lo_up.py"));
        let mut network = process::start(&mut holder)?;
        network.wait_for("a loopback device", |stdout, _| stdout.contains("up"))?;
        Ok(Self { network, folder: tempfile::tempdir()? })
    }

    /// A server inside: made by a thread that entered the network namespace and ends with it.
    pub(super) fn server(&self, start: impl FnOnce() -> Result<Standin> + Send) -> Result<Standin> {
        let path = format!("/proc/{}/ns/net", self.network.pid());
        let namespace = File::open(&path).with_context(|| format!("could not open {path}"))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("could not enter the network namespace")?;
                start()
            });
            thread.join().map_err(|_| anyhow::anyhow!("the thread of the server panicked"))?
        })
    }

    /// The command inside.
    pub(super) fn enter(&self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.network.pid()));
        command.args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh"]);
        command.arg(programs::script("matrix/container.sh")).arg(self.folder.path());
        command.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}
