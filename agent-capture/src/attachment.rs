//! The probes on one file.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use agent_common::SiteCounts;

use crate::attach::AttachCounts;
use crate::candidates::{Proof, judge};
use crate::probes::Link;

/// A file with probes.
pub(crate) struct Attachment {
    pub(crate) shown: PathBuf,
    /// What the cache knows the content by.
    pub(crate) key: Option<String>,
    /// Of the functions known by name.
    pub(crate) links: Vec<Link>,
    pub(crate) candidates: Vec<Candidate>,
}

/// A place that has to prove itself.
pub(crate) struct Candidate {
    pub(crate) function: &'static str,
    pub(crate) entry: u64,
    /// Whether bytes move through it. One that moves none cannot be proven, and stays for as long as one that does.
    pub(crate) moves: bool,
    /// What the kernel counts it under; 0 where it does not.
    pub(crate) number: u32,
    pub(crate) proof: Proof,
    pub(crate) links: Vec<Link>,
}

/// What a look at the candidates of a file came to.
#[derive(Default)]
pub(crate) struct Verified {
    /// Numbers that are free now.
    pub(crate) numbers: Vec<u32>,
    /// Entries of the places that were refuted.
    pub(crate) refuted: Vec<u64>,
    /// Their probes.
    pub(crate) links: Vec<Link>,
}

impl Attachment {
    fn all_links(&self) -> impl Iterator<Item = &Link> {
        self.candidates.iter().flat_map(|candidate| &candidate.links).chain(&self.links)
    }

    pub(crate) fn probes(&self) -> u64 {
        self.all_links().map(Link::probes).sum()
    }

    /// Open files that it costs.
    pub(crate) fn descriptors(&self) -> u64 {
        self.all_links().map(Link::descriptors).sum()
    }

    /// Places that are not proven.
    pub(crate) fn open(&self) -> u64 {
        let open = |candidate: &&Candidate| candidate.moves && candidate.proof == Proof::Open;
        self.candidates.iter().filter(open).count() as u64
    }

    /// Adds it to the counts.
    pub(crate) fn count_in(&self, counts: &AttachCounts) {
        counts.objects.fetch_add(1, Ordering::Relaxed);
        counts.probes.fetch_add(self.probes(), Ordering::Relaxed);
        counts.candidates_open.fetch_add(self.open(), Ordering::Relaxed);
    }

    /// Takes it out of the counts.
    pub(crate) fn count_out(&self, counts: &AttachCounts) {
        counts.objects.fetch_sub(1, Ordering::Relaxed);
        counts.probes.fetch_sub(self.probes(), Ordering::Relaxed);
        counts.candidates_open.fetch_sub(self.open(), Ordering::Relaxed);
    }

    /// Decides about the places that are not proven.
    pub(crate) fn verify(
        &mut self,
        counts_of: &mut impl FnMut(u32) -> Option<SiteCounts>,
        counts: &AttachCounts,
    ) -> Verified {
        let mut verified = Verified::default();
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
                    verified.links.append(&mut candidate.links);
                    verified.numbers.push(std::mem::take(&mut candidate.number));
                    verified.refuted.push(candidate.entry);
                }
            }
        }
        let any_left = |candidate: &Candidate| candidate.moves && candidate.proof != Proof::Refuted;
        if !self.candidates.iter().any(any_left) {
            verified.links.extend(self.candidates.iter_mut().flat_map(|candidate| candidate.links.drain(..)));
        }
        verified
    }

    /// Everything that it holds, for its end.
    pub(crate) fn into_parts(self) -> (Vec<Link>, Vec<u32>) {
        let numbers = self.candidates.iter().map(|candidate| candidate.number).collect();
        let of_candidates = self.candidates.into_iter().flat_map(|candidate| candidate.links);
        (self.links.into_iter().chain(of_candidates).collect(), numbers)
    }
}
