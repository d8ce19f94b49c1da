//! What the capture needs of the kernel's capabilities, and how everything else is given up.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::{CaptureError, multi, tracefs};

/// A capability that the capture uses.
pub(crate) struct Use {
    /// Name of the check that tells whether it is there.
    pub(crate) check: &'static str,
    pub(crate) name: &'static str,
    pub(crate) flag: CapabilitySet,
    pub(crate) purpose: &'static str,
    pub(crate) without: &'static str,
    /// Nothing is captured without it.
    pub(crate) required: bool,
}

/// All that are used wherever the kernel allows it. `SYS_ADMIN` is no part of it: see [`needs_admin`].
pub(crate) const USES: [Use; 5] = [
    Use {
        check: "cap-bpf",
        name: "CAP_BPF",
        flag: CapabilitySet::BPF,
        purpose: "loads the kernel programs and reads their maps",
        without: "nothing is captured",
        required: true,
    },
    Use {
        check: "cap-perfmon",
        name: "CAP_PERFMON",
        flag: CapabilitySet::PERFMON,
        purpose: "lets the kernel programs read what passes, and attaches them",
        without: "nothing is captured",
        required: true,
    },
    Use {
        check: "cap-sys-ptrace",
        name: "CAP_SYS_PTRACE",
        flag: CapabilitySet::SYS_PTRACE,
        purpose: "reads /proc/PID/maps and opens libraries through /proc/PID/root, for processes of other users and in containers",
        without: "only processes of the same user, with no more capabilities than this one, are captured",
        required: false,
    },
    Use {
        check: "cap-dac-read-search",
        name: "CAP_DAC_READ_SEARCH",
        flag: CapabilitySet::DAC_READ_SEARCH,
        purpose: "opens executables, libraries and the trace file system where they are not readable for everyone",
        without: "files in private folders are not probed, and who is not root must be able to read the trace file system",
        required: false,
    },
    Use {
        check: "cap-checkpoint-restore",
        name: "CAP_CHECKPOINT_RESTORE",
        flag: CapabilitySet::CHECKPOINT_RESTORE,
        purpose: "opens libraries that were deleted or replaced since a process mapped them (/proc/PID/map_files)",
        without: "a process that has such a library mapped is captured only after it has restarted",
        required: false,
    },
];

/// Whether attaching takes `CAP_SYS_ADMIN` here: by perf event it does since the fix of CVE-2025-38466, by multi-uprobe link it does not.
pub(crate) fn needs_admin() -> bool {
    !multi::probe().unwrap_or(false)
}

/// The effective capabilities of this thread.
pub(crate) fn effective() -> Option<CapabilitySet> {
    capabilities(None).ok().map(|sets| sets.effective)
}

/// What a process keeps besides what the capture needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The group of a file can be set.
    pub change_groups: bool,
    /// An agent can be handed to Java processes of other users: files in their folders, and a signal.
    pub java: bool,
}

/// Gives up, for this thread and those that it will start, every capability that the capture does not need, and that of ever getting more.
/// The trace file system is mounted before, if it has to be. Returns the names of those that are left.
///
/// # Errors
/// When the kernel does not tell the capabilities, or does not let go of them.
pub fn drop_capabilities(keep: Keep) -> Result<Vec<&'static str>, CaptureError> {
    let failed = |action: &str, error: rustix::io::Errno| CaptureError::system(action.to_owned(), error);
    // Mounting takes what is given up here. Where it does not work, the start of the capture says so.
    if let Err(error) = tracefs::find_or_mount() {
        tracing::debug!(%error, "the trace file system is not there");
    }
    let mut wanted: CapabilitySet = USES.iter().map(|one| one.flag).collect();
    if needs_admin() {
        wanted |= CapabilitySet::SYS_ADMIN;
    }
    if keep.change_groups {
        wanted |= CapabilitySet::CHOWN;
    }
    if keep.java {
        wanted |=
            CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER | CapabilitySet::KILL;
    }
    let had =
        capabilities(None).map_err(|error| failed("reading the capabilities of this process", error))?;
    let left = had.permitted & wanted;
    for flag in CapabilitySet::all().iter().filter(|flag| !left.contains(*flag)) {
        // Without CAP_SETPCAP, or for a capability that this kernel does not know, the bounding set stays: without new privileges it means
        // nothing.
        let _ = remove_capability_from_bounding_set(flag);
    }
    clear_ambient_capability_set().map_err(|error| failed("clearing the ambient capabilities", error))?;
    let sets = CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(|error| failed("giving up capabilities", error))?;
    set_no_new_privs(true).map_err(|error| failed("giving up new privileges", error))?;
    Ok(left.iter_names().map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_gone_for_the_thread_and_its_children() {
        // On a thread of its own: the others keep what they have.
        let status = std::thread::spawn(|| {
            let left = drop_capabilities(Keep::default()).unwrap();
            let known = USES.map(|one| one.name.trim_start_matches("CAP_"));
            assert!(left.iter().all(|name| known.contains(name) || *name == "SYS_ADMIN"), "{left:?}");
            let before = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let again = std::thread::spawn(|| std::fs::read_to_string("/proc/thread-self/status").unwrap());
            (before, again.join().unwrap())
        });
        let (own, of_child) = status.join().unwrap();
        for text in [own, of_child] {
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim_start_matches(':').trim().to_owned()
            };
            assert_eq!(field("NoNewPrivs"), "1");
            assert_eq!(field("CapEff"), field("CapPrm"));
            assert_eq!(field("CapAmb"), "0000000000000000");
            let effective = u64::from_str_radix(&field("CapEff"), 16).unwrap();
            assert_eq!(effective & CapabilitySet::NET_ADMIN.bits(), 0);
        }
    }
}
