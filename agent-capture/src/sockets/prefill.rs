//! Tells the kernel programs of the sockets that a process had before it came into scope.

use std::collections::{HashMap, HashSet};

use agent_common::{Listener, Socket, SocketFlags, SocketKey};

use super::{Plain, kernel_address, procnet};
use crate::PlainMode;
use crate::abi::Abi;
use crate::kernel::Maps;

/// `BPF_NOEXIST` of `linux/bpf.h`: what the kernel programs have seen themselves is newer.
const NO_EXIST: u64 = 1;

impl Plain {
    /// Enters the sockets of a process that came into scope while it ran.
    pub(crate) fn prefill(&self, maps: &Maps, pid: u32) {
        if self.mode == PlainMode::Off && !self.peers {
            return;
        }
        let Some(birth) = birth(maps, pid) else { return };
        let descriptors = procnet::descriptors(pid);
        if descriptors.is_empty() {
            return;
        }
        let tcp = procnet::tcp_sockets(pid);
        let listening = ports_listened_on(&tcp);
        for (fd, inode) in descriptors {
            let Some(socket) = tcp.get(&inode) else { continue };
            let key = Abi(SocketKey { tgid: pid, fd });
            let local_port = socket.local.port();
            if socket.listens {
                let listener = Listener { birth, closed: 0, port: u32::from(local_port), reserved: 0 };
                // It fails when the kernel knows of the descriptor already, which is as well.
                let _ = maps.listeners().insert(key, Abi(listener), NO_EXIST);
                continue;
            }
            let accepted = listening.contains(&local_port);
            let port = if accepted { local_port } else { socket.remote.port() };
            let wanted = self.is_wanted(maps, port);
            let flags = if wanted { SocketFlags::PLAIN } else { 0 }
                | if accepted { SocketFlags::ACCEPTED } else { 0 };
            let peer = kernel_address(socket.remote, if accepted { local_port } else { 0 });
            let socket = Socket { birth, peer, flags, calls: 0 };
            let _ = maps.sockets().insert(key, Abi(socket), NO_EXIST);
        }
    }

    /// A connection was accepted on a descriptor that the kernel programs did not see bound: finds out its port, and enters what was accepted
    /// on it meanwhile.
    pub(crate) fn resolve_listener(&self, maps: &Maps, pid: u32, fd: u32) {
        let (Some(birth), Some(inode)) = (birth(maps, pid), procnet::descriptor(pid, fd)) else { return };
        let tcp = procnet::tcp_sockets(pid);
        let Some(listener) = tcp.get(&inode).filter(|socket| socket.listens) else { return };
        let port = listener.local.port();
        let entry = Listener { birth, closed: 0, port: u32::from(port), reserved: 0 };
        let inserted = maps.listeners().insert(Abi(SocketKey { tgid: pid, fd }), Abi(entry), 0);
        if let Err(error) = inserted {
            tracing::debug!(pid, fd, "the port of a listener could not be entered: {error}");
            return;
        }
        if !self.is_wanted(maps, port) {
            return;
        }
        for (fd, inode) in procnet::descriptors(pid) {
            let Some(socket) =
                tcp.get(&inode).filter(|socket| !socket.listens && socket.local.port() == port)
            else {
                continue;
            };
            let peer = kernel_address(socket.remote, port);
            let socket = Socket { birth, peer, flags: SocketFlags::PLAIN | SocketFlags::ACCEPTED, calls: 0 };
            // It replaces the entry that the kernel made without knowing the port.
            let _ = maps.sockets().insert(Abi(SocketKey { tgid: pid, fd }), Abi(socket), 0);
        }
    }

    fn is_wanted(&self, maps: &Maps, port: u16) -> bool {
        match self.mode {
            PlainMode::Off => false,
            PlainMode::Ports => maps.ports().get(&u32::from(port), 0).is_ok(),
            PlainMode::Learn | PlainMode::All => true,
        }
    }
}

fn birth(maps: &Maps, pid: u32) -> Option<u64> {
    maps.processes().get(&pid, 0).ok().map(|Abi(state)| state.birth)
}

fn ports_listened_on(tcp: &HashMap<u64, procnet::Tcp>) -> HashSet<u16> {
    tcp.values().filter(|socket| socket.listens).map(|socket| socket.local.port()).collect()
}
