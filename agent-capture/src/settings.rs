//! The configuration in the form that the kernel takes it in.

use std::fs::File;
use std::path::{Path, PathBuf};

use agent_common::COMMAND_BYTES;

use crate::kernel::HARD_CALL_BOUND;
use crate::{CaptureConfig, CaptureError};

/// Slots of the kernel's array of control groups.
const MAX_CGROUPS: usize = 16;
/// Slots of the kernel's table of command names.
const MAX_COMMANDS: usize = 256;
/// The smallest ring that a chunk of the largest size fits into with room for the next.
const MIN_RING_BYTES: u32 = 256 << 10;
/// The largest ring that the kernel's positions and this reader are made for.
const MAX_RING_BYTES: u32 = 1 << 30;

/// Checked settings.
#[derive(Debug)]
pub(crate) struct Settings {
    /// A power of two.
    pub(crate) ring_bytes: u32,
    /// Within what the kernel programs can do.
    pub(crate) max_call_bytes: u64,
    /// 0: no watchdog.
    pub(crate) watchdog_nanos: u64,
    /// At least 1.
    pub(crate) max_connections: u32,
    /// Padded with zeros.
    pub(crate) commands: Vec<[u8; COMMAND_BYTES]>,
    /// Opened directories.
    pub(crate) cgroups: Vec<File>,
}

impl Settings {
    /// Checks the configuration and opens what it names.
    pub(crate) fn of(config: &CaptureConfig) -> Result<Self, CaptureError> {
        let invalid = |setting, detail| CaptureError::Setting { setting, detail };
        if config.ring_bytes > MAX_RING_BYTES {
            return Err(invalid(
                "ring_bytes",
                format!("{} is more than {MAX_RING_BYTES}", config.ring_bytes),
            ));
        }
        if u64::from(config.max_call_bytes) > HARD_CALL_BOUND {
            let detail = format!(
                "{} is more than the kernel programs can copy, {HARD_CALL_BOUND}",
                config.max_call_bytes
            );
            return Err(invalid("max_call_bytes", detail));
        }
        if config.max_connections == 0 {
            return Err(invalid("max_connections", "must be at least 1".to_owned()));
        }
        if config.scope.commands.len() > MAX_COMMANDS {
            return Err(invalid("scope.commands", format!("more than {MAX_COMMANDS} names")));
        }
        if config.scope.cgroups.len() > MAX_CGROUPS {
            return Err(invalid(
                "scope.cgroups",
                format!("more than {MAX_CGROUPS} control groups; name a parent of them"),
            ));
        }
        let cgroups = config.scope.cgroups.iter().map(|path| open_cgroup(path)).collect::<Result<_, _>>()?;
        Ok(Self {
            ring_bytes: config.ring_bytes.max(MIN_RING_BYTES).next_power_of_two(),
            max_call_bytes: config.max_call_bytes.into(),
            watchdog_nanos: u64::from(config.watchdog_ms) * 1_000_000,
            max_connections: config.max_connections,
            commands: config.scope.commands.iter().map(|command| padded(command)).collect(),
            cgroups,
        })
    }

    /// Number of command names.
    pub(crate) fn command_count(&self) -> u32 {
        u32::try_from(self.commands.len()).unwrap_or(u32::MAX)
    }

    /// Number of control groups.
    pub(crate) fn cgroup_count(&self) -> u32 {
        u32::try_from(self.cgroups.len()).unwrap_or(u32::MAX)
    }
}

/// A command name as the kernel keeps it: the first 15 bytes, then zeros.
pub(crate) fn padded(command: &str) -> [u8; COMMAND_BYTES] {
    let mut name = [0; COMMAND_BYTES];
    for (slot, byte) in name.iter_mut().take(COMMAND_BYTES - 1).zip(command.bytes()) {
        *slot = byte;
    }
    name
}

/// Where control group version 2 is mounted, from the text of `/proc/mounts`.
pub(crate) fn cgroup2_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let path = fields.nth(1)?;
        (fields.next()? == "cgroup2").then(|| PathBuf::from(path.replace("\\040", " ")))
    })
}

/// The directory of a control group given as a path in the file system or within the unified hierarchy.
pub(crate) fn cgroup_directory(path: &Path, mount: Option<&Path>) -> Option<PathBuf> {
    let mount = mount?;
    if path.starts_with(mount) {
        return Some(path.to_owned());
    }
    Some(mount.join(path.strip_prefix("/").unwrap_or(path)))
}

fn open_cgroup(path: &Path) -> Result<File, CaptureError> {
    let invalid = |detail| CaptureError::Setting { setting: "scope.cgroups", detail };
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mount = cgroup2_mount(&mounts);
    let directory = cgroup_directory(path, mount.as_deref())
        .ok_or_else(|| invalid("control group version 2 is not mounted (see /proc/mounts)".to_owned()))?;
    File::open(&directory)
        .map_err(|error| invalid(format!("{} cannot be opened: {error}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    #[test]
    fn names_are_cut_to_fifteen_bytes() {
        assert_eq!(&padded("curl")[..5], b"curl\0");
        assert_eq!(&padded("a-very-long-command-name"), b"a-very-long-com\0");
    }

    #[test]
    fn the_unified_mount_is_found_wherever_it_is() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let mount = cgroup2_mount(mounts).unwrap();
        assert_eq!(mount, Path::new("/sys/fs/cgroup/unified"));
        let expected = Path::new("/sys/fs/cgroup/unified/system.slice");
        assert_eq!(cgroup_directory(Path::new("/system.slice"), Some(&mount)).unwrap(), expected);
        assert_eq!(cgroup_directory(expected, Some(&mount)).unwrap(), expected);
        assert_eq!(cgroup2_mount("tmpfs / tmpfs rw 0 0"), None);
    }

    #[test]
    fn sizes_are_checked_and_rounded() {
        let settings =
            Settings::of(&CaptureConfig { ring_bytes: 5 << 20, ..CaptureConfig::default() }).unwrap();
        assert_eq!(settings.ring_bytes, 8 << 20);
        let refused = Settings::of(&CaptureConfig { max_call_bytes: u32::MAX, ..CaptureConfig::default() });
        assert!(refused.unwrap_err().to_string().contains("max_call_bytes"));
        let scope = Scope { cgroups: vec!["/does/not/exist".into()], ..Scope::default() };
        assert!(Settings::of(&CaptureConfig { scope, ..CaptureConfig::default() }).is_err());
    }
}
