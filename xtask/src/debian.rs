//! Debian's packages of any suite and architecture: fetched with lists of their own and unpacked below a folder. The host's packages and
//! lists are not touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{apt, clients, exec, paths};

/// Debian's archive.
pub(crate) const ARCHIVE: &str = "http://deb.debian.org/debian";
/// The archive of its security updates.
pub(crate) const SECURITY: &str = "http://deb.debian.org/debian-security";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with lists of its own.
pub(crate) struct Apt {
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    /// Below `folder`, for the suites with these archives. Fetches their lists.
    pub(crate) fn prepare(folder: &Path, architecture: &str, suites: &[(&str, &str)]) -> Result<Self> {
        for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
            if paths::which(tool).is_none() {
                bail!("this system has no {tool}, with which Debian's packages are fetched");
            }
        }
        if !Path::new(KEYRING).exists() {
            bail!(
                "there is no {KEYRING}, with which Debian's packages are checked: install debian-archive-keyring"
            );
        }
        for name in ["apt/state/lists/partial", "apt/cache/archives/partial", "apt/etc", "packages", "root"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).with_context(|| format!("could not create {}", path.display()))?;
        }
        let sources = folder.join("apt/etc/sources.list");
        let lines: String = suites
            .iter()
            .map(|(archive, name)| {
                format!("deb [arch={architecture} signed-by={KEYRING}] {archive} {name} main\n")
            })
            .collect();
        fs::write(&sources, lines).with_context(|| format!("could not write {}", sources.display()))?;
        let shown = |name: &str| folder.join(name).display().to_string();
        let mut options = vec![
            format!("Dir::State={}", shown("apt/state")),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={}", shown("apt/cache")),
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("APT::Architecture={architecture}"),
            format!("APT::Architectures={architecture}"),
            "APT::Update::Error-Mode=any".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        if apt::is_root() {
            // Its own user could not write to this folder.
            options.push("APT::Sandbox::User=root".to_owned());
        }
        let own = Self { folder: folder.to_path_buf(), options };
        exec::output(own.command("apt-get").args(["update", "-qq"]))
            .context("Debian's lists of packages cannot be had")?;
        Ok(own)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.join("packages"));
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// A field of the newest version of a package.
    pub(crate) fn field(&self, package: &str, name: &str) -> Result<String> {
        let shown = exec::output(self.command("apt-cache").args(["show", "--no-all-versions", package]))
            .with_context(|| format!("the suite has no package {package}"))?;
        let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().trim().to_owned())
    }

    /// Fetches a package and unpacks it below `root` in the folder.
    pub(crate) fn unpack(&self, package: &str) -> Result<()> {
        let packages = self.folder.join("packages");
        clients::remove(&packages)?;
        fs::create_dir_all(&packages).with_context(|| format!("could not create {}", packages.display()))?;
        exec::output(self.command("apt-get").args(["download", "-qq", package]))?;
        for entry in fs::read_dir(&packages)? {
            exec::output(
                Command::new("dpkg-deb").arg("--extract").arg(entry?.path()).arg(self.folder.join("root")),
            )?;
        }
        Ok(())
    }
}
