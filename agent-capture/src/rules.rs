//! The scope as user space applies it: to the processes that run already, and to executables, which the kernel programs do not know.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use agent_common::ProcessFlags;

use crate::procfs;
use crate::settings::{cgroup_directory, cgroup2_mount, padded};
use crate::{ProcessInfo, Scope};

/// A scope, resolved.
#[derive(Debug)]
pub(crate) struct Rules {
    scope: Scope,
    /// Device and inode.
    executables: HashSet<(u64, u64)>,
    /// Paths within the unified hierarchy.
    cgroups: Vec<PathBuf>,
    own_pid: u32,
}

impl Rules {
    /// Resolves executables and control groups. An executable that does not exist yet is compared by path.
    pub(crate) fn of(scope: &Scope) -> Self {
        let identity = |path: &PathBuf| fs::metadata(path).ok().map(|data| (data.dev(), data.ino()));
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mount = cgroup2_mount(&mounts);
        let within = |path: &PathBuf| {
            let directory = cgroup_directory(path, mount.as_deref())?;
            Some(Path::new("/").join(directory.strip_prefix(mount.as_deref()?).ok()?))
        };
        Self {
            executables: scope.executables.iter().filter_map(identity).collect(),
            cgroups: scope.cgroups.iter().filter_map(within).collect(),
            scope: scope.clone(),
            own_pid: std::process::id(),
        }
    }

    /// What the kernel's map says of a process in scope.
    pub(crate) fn full_flags(&self) -> u32 {
        if self.scope.follow_children {
            ProcessFlags::CAPTURE | ProcessFlags::INHERIT
        } else {
            ProcessFlags::CAPTURE
        }
    }

    /// Whether a process is in scope by itself.
    pub(crate) fn matches(&self, info: &ProcessInfo) -> bool {
        if info.pid == self.own_pid {
            return false;
        }
        self.scope.all
            || self.scope.pids.contains(&info.pid)
            || self.scope.commands.iter().any(|command| padded(command) == padded(&info.command))
            || self.cgroups.iter().any(|group| Path::new(&info.cgroup).starts_with(group))
            || self.matches_executable(info.pid, &info.executable)
    }

    /// Whether a process runs one of the executables.
    pub(crate) fn matches_executable(&self, pid: u32, path: &Path) -> bool {
        if self.scope.executables.is_empty() || pid == self.own_pid {
            return false;
        }
        let identity = fs::metadata(format!("/proc/{pid}/exe")).ok().map(|data| (data.dev(), data.ino()));
        identity.is_some_and(|identity| self.executables.contains(&identity))
            || self.scope.executables.iter().any(|known| known == path)
    }

    /// The processes in scope now: those that match, and, when children are followed, all that descend from them.
    pub(crate) fn running(&self) -> Vec<ProcessInfo> {
        let everyone: Vec<_> = procfs::pids().into_iter().filter_map(procfs::info).collect();
        let mut chosen: HashSet<u32> =
            everyone.iter().filter(|info| self.matches(info)).map(|info| info.pid).collect();
        let mut before = 0;
        while self.scope.follow_children && chosen.len() > before {
            before = chosen.len();
            let children =
                everyone.iter().filter(|info| info.pid != self.own_pid && chosen.contains(&info.parent_pid));
            let children: Vec<_> = children.map(|info| info.pid).collect();
            chosen.extend(children);
        }
        // Kernel threads have no executable.
        let in_scope = everyone.into_iter().filter(|info| chosen.contains(&info.pid));
        in_scope.filter(|info| !info.executable.as_os_str().is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, command: &str, cgroup: &str) -> ProcessInfo {
        ProcessInfo { pid, command: command.to_owned(), cgroup: cgroup.to_owned(), ..ProcessInfo::default() }
    }

    #[test]
    fn each_list_brings_its_processes_into_scope() {
        let scope =
            Scope { pids: vec![7], commands: vec!["a-very-long-command-name".into()], ..Scope::default() };
        let rules = Rules::of(&scope);
        assert!(rules.matches(&process(7, "x", "/")));
        assert!(rules.matches(&process(8, "a-very-long-com", "/")));
        assert!(!rules.matches(&process(8, "x", "/")));
    }

    #[test]
    fn an_empty_scope_has_nobody_and_all_has_everybody_else() {
        assert!(!Rules::of(&Scope::default()).matches(&process(7, "x", "/")));
        let all = Rules::of(&Scope { all: true, ..Scope::default() });
        assert!(all.matches(&process(7, "x", "/")));
        assert!(!all.matches(&process(std::process::id(), "x", "/")));
    }

    #[test]
    fn executables_are_compared_by_inode() {
        let own = std::env::current_exe().unwrap();
        let mut rules = Rules::of(&Scope { executables: vec![own], ..Scope::default() });
        rules.own_pid = 0;
        assert!(rules.matches(&process(std::process::id(), "x", "/")));
        assert!(!rules.matches(&process(u32::MAX, "x", "/")));
    }

    #[test]
    fn groups_take_in_those_below_them_only() {
        let mut rules = Rules::of(&Scope::default());
        rules.cgroups = vec![PathBuf::from("/kubepods/pod1")];
        assert!(rules.matches(&process(7, "x", "/kubepods/pod1/abc")));
        assert!(!rules.matches(&process(7, "x", "/kubepods/pod10")));
    }
}
