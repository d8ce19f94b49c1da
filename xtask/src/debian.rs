//! Debian's packages of any suite and architecture: fetched with lists of their own and unpacked below a folder. The host's packages and
//! lists are not touched.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{apt, clients, exec, paths};

/// Debian's archive: the folder that its mirrors keep it in.
pub(crate) const ARCHIVE: &str = "debian";
/// The archive of its security updates, likewise.
pub(crate) const SECURITY: &str = "debian-security";
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
        let mirrors = exec::output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Identifier: Packages",
        ]))?;
        let mut lines = String::new();
        for (archive, name) in suites {
            let mirror = mirror_of(&mirrors, archive)
                .with_context(|| format!("none of apt's sources is a mirror of the archive `{archive}`"))?;
            writeln!(lines, "deb [arch={architecture} signed-by={KEYRING}] {mirror} {name} main")?;
        }
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

/// The address of an archive among those that this system's apt uses. Others keep folders of the same name deeper below.
fn mirror_of<'a>(addresses: &'a str, archive: &str) -> Option<&'a str> {
    let is_archive = |address: &&str| address.trim_end_matches('/').rsplit('/').next() == Some(archive);
    addresses.lines().filter(is_archive).min_by_key(|address| address.matches('/').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_of_this_system_is_taken() {
        let addresses = "http://vendor.example/linux/debian/\nhttp://mirror.example/debian/\nhttp://mirror.example/debian-security/\n";
        assert_eq!(mirror_of(addresses, ARCHIVE), Some("http://mirror.example/debian/"));
        assert_eq!(mirror_of(addresses, SECURITY), Some("http://mirror.example/debian-security/"));
        assert_eq!(mirror_of("http://vendor.example/apt/\n", ARCHIVE), None);
    }
}
