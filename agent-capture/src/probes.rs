//! How a kernel program is put on a place of a file. The only module that knows.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use aya::Ebpf;
use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};

use crate::error::chain;

/// A probe; it is taken off when this is dropped.
pub(crate) struct Link {
    _link: UProbeLink,
}

/// The loaded programs.
pub(crate) struct Probes {
    ebpf: Ebpf,
    cookies: bool,
}

impl Probes {
    pub(crate) fn new(ebpf: Ebpf, cookies: bool) -> Self {
        Self { ebpf, cookies }
    }

    /// Whether a probe can carry a number that its program sees.
    pub(crate) fn have_cookies(&self) -> bool {
        self.cookies
    }

    /// Puts a program on an offset in a file. `number` is 0 or what its program is to see.
    pub(crate) fn attach(
        &mut self,
        program: &str,
        file: &File,
        offset: u64,
        number: u32,
    ) -> Result<Link, String> {
        let probe: &mut UProbe = self
            .ebpf
            .program_mut(program)
            .ok_or_else(|| format!("no program {program}"))?
            .try_into()
            .map_err(|error| chain(&error))?;
        // By descriptor: the path may be one of another mount namespace, or gone.
        let target = format!("/proc/self/fd/{}", file.as_raw_fd());
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset),
            cookie: (number != 0).then_some(number.into()),
        };
        let link = probe.attach(point, target, UProbeScope::AllProcesses).map_err(|error| chain(&error))?;
        Ok(Link { _link: probe.take_link(link).map_err(|error| chain(&error))? })
    }
}
