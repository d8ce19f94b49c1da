//! How a kernel program is put on places of a file: by multi-uprobe link where the kernel has them, else by perf event.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};

use aya::Ebpf;
use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};

use crate::error::chain;
use crate::multi::MultiPrograms;

/// One program on places of one file; it is taken off when this is dropped.
pub(crate) struct Link {
    probes: u64,
    _links: Links,
}

#[expect(dead_code, reason = "these are held for their end")]
enum Links {
    Multi(OwnedFd),
    Perf(Vec<UProbeLink>),
}

impl Link {
    /// On how many places.
    pub(crate) fn probes(&self) -> u64 {
        self.probes
    }

    /// How many descriptors are held.
    pub(crate) fn descriptors(&self) -> u64 {
        match &self._links {
            Links::Multi(_) => 1,
            // The event and, where it has one, its link.
            Links::Perf(links) => 2 * links.len() as u64,
        }
    }

    /// Whether taking it off makes the caller wait.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self._links, Links::Perf(_))
    }
}

/// The loaded programs.
pub(crate) struct Probes {
    ebpf: Ebpf,
    multi: Option<MultiPrograms>,
    cookies: bool,
}

impl Probes {
    pub(crate) fn new(ebpf: Ebpf, multi: Option<MultiPrograms>, cookies: bool) -> Self {
        Self { ebpf, multi, cookies }
    }

    /// Whether a probe can carry a number that its program sees.
    pub(crate) fn have_cookies(&self) -> bool {
        self.cookies
    }

    /// Puts a program on offsets in a file: on all of them or on none. `number` is 0 or what its program is to see.
    pub(crate) fn attach(
        &mut self,
        program: &str,
        file: &File,
        offsets: &[u64],
        number: u32,
    ) -> Result<Link, String> {
        // By descriptor: the path may be one of another mount namespace, or gone.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let probes = offsets.len() as u64;
        if let Some(multi) = &self.multi {
            return Ok(Link { probes, _links: Links::Multi(multi.attach(program, &path, offsets, number)?) });
        }
        let probe: &mut UProbe = self
            .ebpf
            .program_mut(program)
            .ok_or_else(|| format!("no program {program}"))?
            .try_into()
            .map_err(|error| chain(&error))?;
        let mut links = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let point = UProbeAttachPoint {
                location: UProbeAttachLocation::AbsoluteOffset(*offset),
                cookie: (number != 0).then_some(number.into()),
            };
            let link =
                probe.attach(point, &path, UProbeScope::AllProcesses).map_err(|error| chain(&error))?;
            links.push(probe.take_link(link).map_err(|error| chain(&error))?);
        }
        Ok(Link { probes, _links: Links::Perf(links) })
    }
}
