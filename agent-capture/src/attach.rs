//! Puts the probes on a file, once a file, and takes those of refuted candidates off again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use agent_common::SiteCounts;

use crate::candidates::{Numbers, Proof, judge};
use crate::probes::{Link, Probes};
use crate::sites::{self, Certainty, Findings, Site};

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
    /// Places found by structure that are attached and not proven.
    pub(crate) candidates_open: AtomicU64,
    pub(crate) candidates_confirmed: AtomicU64,
    pub(crate) candidates_refuted: AtomicU64,
}

/// A file with probes.
struct Attachment {
    shown: PathBuf,
    /// Of the functions known by name.
    links: Vec<Link>,
    candidates: Vec<Candidate>,
}

/// A place that has to prove itself.
struct Candidate {
    function: &'static str,
    entry: u64,
    /// Whether bytes move through it. One that moves none cannot be proven, and stays for as long as one that does.
    moves: bool,
    /// What the kernel counts it under; 0 where it does not.
    number: u32,
    proof: Proof,
    links: Vec<Link>,
}

/// Attaches probes, and keeps them.
pub(crate) struct Attacher {
    // Dropped before the programs.
    files: HashMap<FileId, Option<Attachment>>,
    numbers: Numbers,
    probes: Probes,
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
    pub(crate) fn new(probes: Probes) -> Self {
        Self { files: HashMap::new(), numbers: Numbers::new(), probes }
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
        if let Some(known) = self.files.get(&id) {
            return outcome(known.as_ref());
        }
        if self.files.len() >= MAX_REMEMBERED {
            self.files.retain(|_, attachment| attachment.is_some());
        }
        let attachment = self.attach_new(file, shown, counts);
        let outcome = outcome(attachment.as_ref());
        self.files.insert(id, attachment);
        outcome
    }

    fn attach_new(&mut self, file: &File, shown: &Path, counts: &AttachCounts) -> Option<Attachment> {
        let findings = match sites::find(file) {
            Ok(Some(findings)) => findings,
            Ok(None) | Err(crate::elf::ElfError::Foreign) => return None,
            Err(error) => {
                tracing::warn!(file = %shown.display(), %error, "a mapped file could not be searched for TLS functions");
                counts.failed_objects.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        let Findings { sites, problems } = findings;
        for problem in &problems {
            tracing::warn!(file = %shown.display(), %problem, "a TLS function cannot be probed");
        }
        let mut failed = !problems.is_empty();
        let mut attachment =
            Attachment { shown: shown.to_owned(), links: Vec::new(), candidates: Vec::new() };
        let named: Vec<&Site> = sites.iter().filter(|site| site.certainty == Certainty::Named).collect();
        // All at once; where that is refused, one by one, to get what can be had and to name what cannot.
        match self.attach_sites(file, &named, 0) {
            Ok(links) => attachment.links = links,
            Err(error) => {
                tracing::debug!(file = %shown.display(), error, "the TLS functions are probed one by one");
            }
        }
        let one_by_one = attachment.links.is_empty();
        for site in &sites {
            let attached = match site.certainty {
                Certainty::Named if one_by_one => {
                    self.attach_sites(file, &[site], 0).map(|links| attachment.links.extend(links))
                }
                Certainty::Named => Ok(()),
                Certainty::Candidate => {
                    self.attach_candidate(file, site).map(|candidate| attachment.candidates.push(candidate))
                }
            };
            if let Err(error) = attached {
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
        let probes = attachment.probes();
        if probes == 0 {
            return None;
        }
        counts.objects.fetch_add(1, Ordering::Relaxed);
        counts.probes.fetch_add(probes, Ordering::Relaxed);
        counts.candidates_open.fetch_add(attachment.open(), Ordering::Relaxed);
        tracing::debug!(file = %shown.display(), probes, candidates = attachment.candidates.len(), "attached");
        Some(attachment)
    }

    fn attach_candidate(&mut self, file: &File, site: &Site) -> Result<Candidate, String> {
        let moves = site.function.leave.is_some();
        let number = if moves && self.probes.have_cookies() {
            self.numbers.take().ok_or("too many places wait for proof already")?
        } else {
            0
        };
        // Its RETs are its own: another that shares them may be taken off.
        match self.attach_sites(file, &[site], number) {
            Ok(links) => Ok(Candidate {
                function: site.function.symbol,
                entry: site.entry,
                moves,
                number,
                proof: Proof::Open,
                links,
            }),
            Err(error) => {
                self.numbers.give_back(number);
                Err(error)
            }
        }
    }

    /// The RETs first: an entry without them would leave arguments behind that nobody collects.
    /// Functions that end in the same tail call share RETs.
    fn attach_sites(&mut self, file: &File, sites: &[&Site], number: u32) -> Result<Vec<Link>, String> {
        let mut returns: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let mut entries: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for site in sites {
            if let Some(leave) = site.function.leave
                && !site.returns.is_empty()
            {
                returns.entry(leave).or_default().extend(&site.returns);
            }
            entries.entry(site.function.entry).or_default().insert(site.entry);
        }
        let mut links = Vec::with_capacity(returns.len() + entries.len());
        for (places, number) in [(returns, 0), (entries, number)] {
            for (program, offsets) in places {
                let offsets: Vec<u64> = offsets.into_iter().collect();
                links.push(self.probes.attach(program, file, &offsets, number)?);
            }
        }
        Ok(links)
    }

    /// Looks at what went through the places that are not proven, and takes the probes off those that are refuted. `counts_of` asks the
    /// kernel, `reset` makes it forget.
    pub(crate) fn verify(
        &mut self,
        counts: &AttachCounts,
        mut counts_of: impl FnMut(u32) -> Option<SiteCounts>,
        mut reset: impl FnMut(u32),
    ) {
        if counts.candidates_open.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut retired = Vec::new();
        for slot in self.files.values_mut() {
            let Some(attachment) = slot else { continue };
            let (open, probes) = (attachment.open(), attachment.probes());
            for number in attachment.verify(&mut counts_of, &mut retired, counts) {
                reset(number);
                self.numbers.give_back(number);
            }
            counts.candidates_open.fetch_sub(open - attachment.open(), Ordering::Relaxed);
            let left = attachment.probes();
            counts.probes.fetch_sub(probes - left, Ordering::Relaxed);
            if left == 0 {
                counts.objects.fetch_sub(1, Ordering::Relaxed);
                *slot = None;
            }
        }
        retire(retired);
    }
}

impl Attachment {
    fn probes(&self) -> u64 {
        let links = self.candidates.iter().flat_map(|candidate| &candidate.links).chain(&self.links);
        links.map(Link::probes).sum()
    }

    /// Places that are not proven.
    fn open(&self) -> u64 {
        let open = |candidate: &&Candidate| candidate.moves && candidate.proof == Proof::Open;
        self.candidates.iter().filter(open).count() as u64
    }

    /// Decides about the places that are not proven. Returns the numbers that are free now.
    fn verify(
        &mut self,
        counts_of: &mut impl FnMut(u32) -> Option<SiteCounts>,
        retired: &mut Vec<Link>,
        counts: &AttachCounts,
    ) -> Vec<u32> {
        let mut numbers = Vec::new();
        let file = self.shown.display();
        let open = |candidate: &&mut Candidate| candidate.number != 0 && candidate.proof == Proof::Open;
        for candidate in self.candidates.iter_mut().filter(open) {
            let Some(seen) = counts_of(candidate.number) else { continue };
            candidate.proof = judge(&seen);
            match candidate.proof {
                Proof::Open => {}
                Proof::Confirmed => {
                    counts.candidates_confirmed.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%file, function = candidate.function, entry = candidate.entry, ?seen, "a candidate is confirmed");
                }
                Proof::Refuted => {
                    counts.candidates_refuted.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%file, function = candidate.function, entry = candidate.entry, ?seen, "a candidate is refuted");
                    retired.append(&mut candidate.links);
                    numbers.push(std::mem::take(&mut candidate.number));
                }
            }
        }
        let any_left = |candidate: &Candidate| candidate.moves && candidate.proof != Proof::Refuted;
        if !self.candidates.iter().any(any_left) {
            retired.extend(self.candidates.iter_mut().flat_map(|candidate| candidate.links.drain(..)));
        }
        numbers
    }
}

fn outcome(attachment: Option<&Attachment>) -> Outcome {
    if attachment.is_some() { Outcome::Probed } else { Outcome::Plain }
}

/// Takes probes off without waiting: the kernel lets each perf event wait for a grace period.
fn retire(links: Vec<Link>) {
    if !links.iter().any(Link::is_slow) {
        return;
    }
    let thread = std::thread::Builder::new().name("wirespan-detach".to_owned());
    // Where no thread can be started, the links are dropped with the closure.
    if let Err(error) = thread.spawn(move || drop(links)) {
        tracing::debug!(%error, "probes were taken off by the thread that follows processes");
    }
}
