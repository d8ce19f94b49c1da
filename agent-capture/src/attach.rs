//! Puts the probes on a file, once a file. The only module that knows how probes are attached.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::Ebpf;
use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeLink, UProbeScope};

use crate::error::chain;
use crate::sites::{self, Findings, Site};

/// Files remembered at most; the memory of those without probes is dropped when there are more.
const MAX_REMEMBERED: usize = 16_384;

/// A version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// Counts, read by other threads.
#[derive(Debug, Default)]
pub(crate) struct AttachCounts {
    pub(crate) objects: AtomicU64,
    pub(crate) probes: AtomicU64,
    pub(crate) failed_objects: AtomicU64,
}

/// Attaches probes, and keeps them.
pub(crate) struct Attacher {
    // Dropped before the programs.
    links: Vec<UProbeLink>,
    files: HashMap<FileId, bool>,
    ebpf: Ebpf,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has probes.
    Probed,
    /// It has none of the functions, or cannot be probed.
    Plain,
}

impl Attacher {
    pub(crate) fn new(ebpf: Ebpf) -> Self {
        Self { links: Vec::new(), files: HashMap::new(), ebpf }
    }

    /// Attaches to every TLS function of a file, unless that was done before. `shown` is for messages only.
    pub(crate) fn attach(&mut self, file: &File, shown: &Path, counts: &AttachCounts) -> Outcome {
        let id = match file.metadata() {
            Ok(data) if data.is_file() => FileId {
                device: data.dev(),
                inode: data.ino(),
                modified: (data.mtime(), data.mtime_nsec()),
                size: data.len(),
            },
            _ => return Outcome::Plain,
        };
        if let Some(probed) = self.files.get(&id) {
            return if *probed { Outcome::Probed } else { Outcome::Plain };
        }
        if self.files.len() >= MAX_REMEMBERED {
            self.files.retain(|_, probed| *probed);
        }
        let outcome = self.attach_new(file, shown, counts);
        self.files.insert(id, outcome == Outcome::Probed);
        outcome
    }

    fn attach_new(&mut self, file: &File, shown: &Path, counts: &AttachCounts) -> Outcome {
        let findings = match sites::find(file) {
            Ok(Some(findings)) => findings,
            Ok(None) | Err(crate::elf::ElfError::Foreign) => return Outcome::Plain,
            Err(error) => {
                tracing::warn!(file = %shown.display(), %error, "a mapped file could not be searched for TLS functions");
                counts.failed_objects.fetch_add(1, Ordering::Relaxed);
                return Outcome::Plain;
            }
        };
        let Findings { sites, problems } = findings;
        for problem in &problems {
            tracing::warn!(file = %shown.display(), %problem, "a TLS function cannot be probed");
        }
        let before = self.links.len();
        let mut failed = !problems.is_empty();
        let mut probed_returns = HashSet::new();
        for site in &sites {
            if let Err(error) = self.attach_site(file, site, &mut probed_returns) {
                failed = true;
                tracing::warn!(
                    file = %shown.display(), function = site.function.symbol, entry = site.entry, returns = ?site.returns, error,
                    "a TLS function could not be probed",
                );
            }
        }
        if failed {
            counts.failed_objects.fetch_add(1, Ordering::Relaxed);
        }
        let attached = self.links.len() - before;
        if attached == 0 {
            return Outcome::Plain;
        }
        counts.objects.fetch_add(1, Ordering::Relaxed);
        counts.probes.fetch_add(attached as u64, Ordering::Relaxed);
        tracing::debug!(file = %shown.display(), probes = attached, "attached");
        Outcome::Probed
    }

    /// The RETs first: an entry without them would leave arguments behind that nobody collects.
    /// Functions that end in the same tail call share RETs.
    fn attach_site(
        &mut self,
        file: &File,
        site: &Site,
        probed: &mut HashSet<(&'static str, u64)>,
    ) -> Result<(), String> {
        let mut links = Vec::with_capacity(site.returns.len() + 1);
        if let Some(leave) = site.function.leave {
            for offset in site.returns.iter().filter(|offset| !probed.contains(&(leave, **offset))) {
                links.push(self.attach_one(leave, file, *offset)?);
            }
            probed.extend(site.returns.iter().map(|offset| (leave, *offset)));
        }
        links.push(self.attach_one(site.function.entry, file, site.entry)?);
        self.links.append(&mut links);
        Ok(())
    }

    fn attach_one(&mut self, program: &str, file: &File, offset: u64) -> Result<UProbeLink, String> {
        let probe: &mut UProbe = self
            .ebpf
            .program_mut(program)
            .ok_or_else(|| format!("no program {program}"))?
            .try_into()
            .map_err(|error| chain(&error))?;
        // By descriptor: the path may be one of another mount namespace, or gone.
        let target = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = probe.attach(offset, target, UProbeScope::AllProcesses).map_err(|error| chain(&error))?;
        probe.take_link(link).map_err(|error| chain(&error))
    }
}
