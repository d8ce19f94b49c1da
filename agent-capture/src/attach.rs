//! Which files have probes: each is searched and attached to once, and loses its probes when candidates are refuted or nobody uses it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;

use crate::attachment::{Attachment, Candidate};
use crate::candidates::{Numbers, Proof};
use crate::elf::ElfError;
use crate::functions::JAVA;
use crate::probes::{Link, Probes};
use crate::search::{Begun, Found, Searched, Searcher};
use crate::shared::Shared;
use crate::sites::{Certainty, Findings, Site};

/// Files remembered at most; the memory of those without probes is dropped when there are more.
const MAX_REMEMBERED: usize = 16_384;
/// Files with probes at most.
const MAX_ATTACHED: u64 = 4096;
/// Descriptors that are left to everything else.
const SPARE_DESCRIPTORS: u64 = 128;

/// A file, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of(data: &Metadata) -> Self {
        Self { device: data.dev(), inode: data.ino() }
    }
}

/// A file as it is after its last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edition {
    id: FileId,
    modified: (i64, i64),
    size: u64,
}

impl Edition {
    fn of(data: &Metadata) -> Option<Self> {
        data.is_file().then(|| Self {
            id: FileId::of(data),
            modified: (data.mtime(), data.mtime_nsec()),
            size: data.len(),
        })
    }
}

/// Counts, read by other threads.
#[derive(Debug, Default)]
pub(crate) struct AttachCounts {
    pub(crate) objects: AtomicU64,
    pub(crate) probes: AtomicU64,
    pub(crate) failed_objects: AtomicU64,
    /// Files that were not searched because it was known what they hold.
    pub(crate) known_objects: AtomicU64,
    /// Files that a process had begun to use when they got their probes.
    pub(crate) late_objects: AtomicU64,
    /// Places found by structure that are attached and not proven.
    pub(crate) candidates_open: AtomicU64,
    pub(crate) candidates_confirmed: AtomicU64,
    pub(crate) candidates_refuted: AtomicU64,
}

/// Somebody who waits until a number of files has been looked at. When the last of those who hold it lets go, it answers with the number of
/// files that have probes.
pub(crate) struct Ticket {
    probed: AtomicUsize,
    done: SyncSender<usize>,
}

impl Ticket {
    pub(crate) fn new(done: SyncSender<usize>) -> Arc<Self> {
        Arc::new(Self { probed: AtomicUsize::new(0), done })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A requester that does not wait any more needs no answer.
        let _ = self.done.send(self.probed.load(Ordering::Relaxed));
    }
}

enum Known {
    /// It is searched, and these wait for it.
    Searching(Vec<Arc<Ticket>>),
    /// It has none of the functions, or cannot be probed.
    Plain,
    Probed(Attachment),
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has probes.
    Probed(FileId),
    /// It has none of the functions, or cannot be probed.
    Plain,
    /// It is searched.
    Searching,
}

/// Attaches probes, and keeps them.
pub(crate) struct Attacher {
    // Dropped before the programs.
    files: HashMap<FileId, (Edition, Known)>,
    numbers: Numbers,
    searcher: Searcher<Edition>,
    probes: Probes,
    shared: Arc<Shared>,
    max_descriptors: u64,
    /// Also where the Java agent shows plaintext.
    java: bool,
}

impl Attacher {
    pub(crate) fn new(probes: Probes, searcher: Searcher<Edition>, shared: Arc<Shared>, java: bool) -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let max_descriptors = limit.unwrap_or(u64::MAX).saturating_sub(SPARE_DESCRIPTORS);
        Self {
            files: HashMap::new(),
            numbers: Numbers::new(),
            searcher,
            probes,
            shared,
            max_descriptors,
            java,
        }
    }

    /// Attaches to every TLS function of a file, unless that was done before. `shown` is for messages only. A large file is searched later;
    /// `ticket` is held until then.
    pub(crate) fn attach(
        &mut self,
        file: File,
        shown: &Path,
        ticket: Option<&Arc<Ticket>>,
        counts: &AttachCounts,
    ) -> Outcome {
        let Some(edition) = file.metadata().ok().and_then(|data| Edition::of(&data)) else {
            return Outcome::Plain;
        };
        match self.files.get_mut(&edition.id) {
            Some((known, state)) if *known == edition => {
                if let Known::Searching(waiting) = state {
                    waiting.extend(ticket.cloned());
                }
                let outcome = outcome(edition.id, state);
                return told(outcome, ticket);
            }
            // It was written to: probes would sit on instructions that are others now.
            Some(_) => self.forget(edition.id, counts),
            None => {}
        }
        if self.files.len() >= MAX_REMEMBERED {
            self.files.retain(|_, (_, known)| !matches!(known, Known::Plain));
        }
        let known = match self.searcher.begin(edition, file, shown.to_owned()) {
            Begun::Done(found) => self.attach_found(found, counts),
            Begun::Later => Known::Searching(ticket.cloned().into_iter().collect()),
            Begun::Refused(_) => {
                tracing::warn!(file = %shown.display(), "too many files wait to be searched: this one is not probed");
                counts.failed_objects.fetch_add(1, Ordering::Relaxed);
                return Outcome::Plain;
            }
        };
        let outcome = outcome(edition.id, &known);
        self.files.insert(edition.id, (edition, known));
        if ticket.is_none() {
            count_late(outcome, shown, counts);
        }
        told(outcome, ticket)
    }

    /// Attaches to the files whose search has ended since.
    pub(crate) fn attach_searched(&mut self, counts: &AttachCounts) {
        while let Some(found) = self.searcher.finished() {
            let edition = found.tag;
            // Unless it was written to meanwhile: then it is searched again.
            if !self.files.get(&edition.id).is_some_and(|(known, _)| *known == edition) {
                continue;
            }
            let shown = found.shown.clone();
            let known = self.attach_found(found, counts);
            let outcome = outcome(edition.id, &known);
            if let Some((_, Known::Searching(waiting))) = self.files.insert(edition.id, (edition, known)) {
                if waiting.is_empty() {
                    count_late(outcome, &shown, counts);
                }
                for ticket in waiting {
                    told(outcome, Some(&ticket));
                }
            }
        }
    }

    fn attach_found(&mut self, found: Found<Edition>, counts: &AttachCounts) -> Known {
        let Found { file, shown, searched, .. } = found;
        let searched = match searched {
            Ok(searched) => searched,
            Err(ElfError::Foreign) => return Known::Plain,
            Err(error) => {
                tracing::warn!(file = %shown.display(), %error, "a mapped file could not be searched for TLS functions");
                counts.failed_objects.fetch_add(1, Ordering::Relaxed);
                return Known::Plain;
            }
        };
        if searched.was_known {
            counts.known_objects.fetch_add(1, Ordering::Relaxed);
        }
        let Searched { findings: Some(findings), key, refuted, .. } = searched else { return Known::Plain };
        if let Err(error) = self.check_bounds(counts) {
            tracing::error!(file = %shown.display(), error, "a file with TLS functions is not probed");
            counts.failed_objects.fetch_add(1, Ordering::Relaxed);
            return Known::Plain;
        }
        let attachment = self.attach_findings(&file, shown, findings, &refuted, counts);
        attachment.map_or(Known::Plain, |attachment| Known::Probed(Attachment { key, ..attachment }))
    }

    fn check_bounds(&self, counts: &AttachCounts) -> Result<(), String> {
        let objects = counts.objects.load(Ordering::Relaxed);
        if objects >= MAX_ATTACHED {
            return Err(format!("{objects} files have probes already, which is the bound"));
        }
        let attachments = self.files.values().filter_map(|(_, known)| match known {
            Known::Probed(attachment) => Some(attachment.descriptors()),
            _ => None,
        });
        let held: u64 = attachments.sum();
        if held >= self.max_descriptors {
            return Err(format!(
                "its probes hold {held} open files: raise the limit (ulimit -n, LimitNOFILE=)"
            ));
        }
        Ok(())
    }

    fn attach_findings(
        &mut self,
        file: &File,
        shown: PathBuf,
        findings: Findings,
        refuted: &HashSet<u64>,
        counts: &AttachCounts,
    ) -> Option<Attachment> {
        let Findings { mut sites, problems } = findings;
        sites.retain(|site| self.java || site.function.entry != JAVA);
        for problem in &problems {
            tracing::warn!(file = %shown.display(), %problem, "a TLS function cannot be probed");
        }
        let mut failed = !problems.is_empty();
        let mut attachment = Attachment { shown, key: None, links: Vec::new(), candidates: Vec::new() };
        let named: Vec<&Site> = sites.iter().filter(|site| site.certainty == Certainty::Named).collect();
        // All at once; where that is refused, one by one, to get what can be had and to name what cannot.
        match self.attach_sites(file, &named, 0) {
            Ok(links) => attachment.links = links,
            Err(error) => {
                tracing::debug!(file = %attachment.shown.display(), error, "the TLS functions are probed one by one");
            }
        }
        let one_by_one = attachment.links.is_empty();
        for site in &sites {
            let attached = match site.certainty {
                Certainty::Named if one_by_one => {
                    self.attach_sites(file, &[site], 0).map(|links| attachment.links.extend(links))
                }
                Certainty::Named => Ok(()),
                Certainty::Candidate if refuted.contains(&site.entry) => {
                    counts.candidates_refuted.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                Certainty::Candidate => {
                    self.attach_candidate(file, site).map(|candidate| attachment.candidates.push(candidate))
                }
            };
            if let Err(error) = attached {
                failed = true;
                tracing::warn!(
                    file = %attachment.shown.display(), function = site.function.symbol, entry = site.entry, returns = ?site.returns,
                    error, "a TLS function could not be probed",
                );
            }
        }
        if failed {
            counts.failed_objects.fetch_add(1, Ordering::Relaxed);
        }
        let moves = attachment.candidates.iter().any(|candidate| candidate.moves);
        if attachment.probes() == 0 || (attachment.links.is_empty() && !moves) {
            return None;
        }
        attachment.count_in(counts);
        tracing::debug!(
            file = %attachment.shown.display(), probes = attachment.probes(), candidates = attachment.candidates.len(), "attached",
        );
        Some(attachment)
    }

    fn attach_candidate(&mut self, file: &File, site: &Site) -> Result<Candidate, String> {
        let moves = site.function.leave.is_some();
        let number = if moves && self.probes.have_cookies() {
            let number = self.numbers.take().ok_or("too many places wait for proof already")?;
            self.shared.maps.reset_site(number);
            number
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

    /// Looks at what went through the places that are not proven, and takes the probes off those that are refuted.
    pub(crate) fn verify(&mut self, counts: &AttachCounts) {
        if counts.candidates_open.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut retired = Vec::new();
        for (_, known) in self.files.values_mut() {
            let Known::Probed(attachment) = known else { continue };
            attachment.count_out(counts);
            let maps = &self.shared.maps;
            let mut verified = attachment.verify(&mut |number| maps.site(number), counts);
            verified.numbers.into_iter().for_each(|number| self.numbers.give_back(number));
            if let (Some(key), false) = (&attachment.key, verified.refuted.is_empty()) {
                self.searcher.refute(key.clone(), verified.refuted);
            }
            retired.append(&mut verified.links);
            if attachment.probes() == 0 {
                *known = Known::Plain;
            } else {
                attachment.count_in(counts);
            }
        }
        retire(retired);
    }

    /// Whether this is what is known of the file: it has not been written to since.
    pub(crate) fn is_current(&self, id: FileId, data: &Metadata) -> bool {
        self.files.get(&id).map(|(edition, _)| *edition) == Edition::of(data)
    }

    /// Files with probes.
    pub(crate) fn attached(&self) -> impl Iterator<Item = FileId> {
        self.files.iter().filter(|(_, (_, known))| matches!(known, Known::Probed(_))).map(|(id, _)| *id)
    }

    /// Takes the probes off a file and forgets it.
    pub(crate) fn forget(&mut self, id: FileId, counts: &AttachCounts) {
        if let Some((_, Known::Probed(attachment))) = self.files.remove(&id) {
            attachment.count_out(counts);
            tracing::debug!(file = %attachment.shown.display(), "detached");
            let (links, numbers) = attachment.into_parts();
            numbers.into_iter().for_each(|number| self.numbers.give_back(number));
            retire(links);
        }
    }
}

fn outcome(id: FileId, known: &Known) -> Outcome {
    match known {
        Known::Searching(_) => Outcome::Searching,
        Known::Plain => Outcome::Plain,
        Known::Probed(_) => Outcome::Probed(id),
    }
}

/// Nobody waited for this file: a process uses it already. What it did before is not seen, and how much that was, nobody knows.
fn count_late(outcome: Outcome, shown: &Path, counts: &AttachCounts) {
    if matches!(outcome, Outcome::Probed(_)) {
        counts.late_objects.fetch_add(1, Ordering::Relaxed);
        tracing::info!(file = %shown.display(), "probed while a process uses it: calls that it made before are not captured");
    }
}

fn told(outcome: Outcome, ticket: Option<&Arc<Ticket>>) -> Outcome {
    if let (Outcome::Probed(_), Some(ticket)) = (outcome, ticket) {
        ticket.probed.fetch_add(1, Ordering::Relaxed);
    }
    outcome
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
