//! `cargo xtask deploy`: checks what is below deploy/: the manifests against the official Kubernetes schemas
//! (kubernetes-validate from PyPI), the unit with systemd's own verifier.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{exec, paths, ui, venv};

const VALIDATOR: &str = "kubernetes-validate==1.37.0";
/// Oldest and newest Kubernetes that the manifests are for. The oldest is the first that knows `appArmorProfile`.
const KUBERNETES: &[&str] = &["1.30", "1.37"];

/// Runs the task.
pub(crate) fn run() -> Result<()> {
    let root = paths::root()?;
    manifests(&root)?;
    unit(&root.join("deploy/systemd/wirespan.service"))
}

fn manifests(root: &Path) -> Result<()> {
    let files = yaml(&root.join("deploy/kubernetes"))?;
    let python = venv::python("kubernetes-validate", &[VALIDATOR])?;
    let scratch = paths::target()?.join("kubernetes-validate");
    for version in KUBERNETES {
        let validate = |files: &[PathBuf]| {
            let mut command = Command::new(&python);
            command.args(["-m", "kubernetes_validate", "--strict", "--no-warn", "-k", version]).args(files);
            command
        };
        ui::step(&format!("{} manifests against Kubernetes {version}", files.len()));
        exec::run(&mut validate(&files))?;
        // A validator that lets a misspelt key through would let everything through.
        let broken = scratch.join("broken.yaml");
        for file in &files {
            let text =
                fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
            let spoilt = text.replacen("\nmetadata:", "\nmetadatas: {}\nmetadata:", 1);
            fs::write(&broken, spoilt).with_context(|| format!("could not write {}", broken.display()))?;
            if exec::succeeds(&mut validate(std::slice::from_ref(&broken))) {
                bail!("{VALIDATOR} found nothing wrong with an unknown key in {}", file.display());
            }
        }
    }
    Ok(())
}

fn yaml(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!("{} holds no manifest", folder.display());
    }
    Ok(files)
}

/// The verifier wants the program to exist, so it reads a copy whose program does.
fn unit(file: &Path) -> Result<()> {
    if paths::which("systemd-analyze").is_none() {
        ui::note("skipped: the systemd unit, for systemd-analyze is not installed");
        return Ok(());
    }
    let text = fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let program = std::env::current_exe().context("could not find this program's own path")?;
    let spelt = format!("ExecStart={} ", program.display());
    if !text.contains("ExecStart=/usr/bin/wirespan ") {
        bail!("{} does not start /usr/bin/wirespan", file.display());
    }
    let folder = paths::target()?.join("systemd");
    fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
    let copy = folder.join("wirespan.service");
    let check = |text: &str| {
        fs::write(&copy, text).with_context(|| format!("could not write {}", copy.display()))?;
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(&copy);
        let output = command.output().context("could not start systemd-analyze")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // It warns about unknown keys and values, and succeeds all the same.
        let about =
            said.lines().filter(|line| line.contains("wirespan.service")).collect::<Vec<_>>().join("\n");
        anyhow::Ok((output.status.success() && about.is_empty(), said))
    };
    ui::step("the systemd unit");
    let valid = text.replacen("ExecStart=/usr/bin/wirespan ", &spelt, 1);
    let (good, said) = check(&valid)?;
    if !good {
        bail!("systemd-analyze verify found something in {}:\n{said}", file.display());
    }
    let (good, _) = check(&valid.replacen("Restart=on-failure", "Restarts=on-failure", 1))?;
    if good {
        bail!("systemd-analyze verify found nothing wrong with an unknown key");
    }
    ui::note(&format!("    {} is valid", file.display()));
    Ok(())
}
