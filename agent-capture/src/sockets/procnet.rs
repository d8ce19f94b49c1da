//! `/proc/PID/net/tcp` and `tcp6`, and the sockets among a process's descriptors.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most bytes read of one table: about 400 000 sockets.
const MAX_TABLE: u64 = 64 << 20;
/// Most descriptors of one process that are looked at.
const MAX_DESCRIPTORS: usize = 65_536;

/// A TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) listens: bool,
}

/// The TCP sockets of the process's network namespace, by inode.
pub(super) fn tcp_sockets(pid: u32) -> HashMap<u64, Tcp> {
    let mut sockets = HashMap::new();
    for name in ["tcp", "tcp6"] {
        let mut text = String::new();
        // A table that cannot be read is one without sockets: IPv6 may be off, and the process may be gone.
        let read = fs::File::open(format!("/proc/{pid}/net/{name}"))
            .and_then(|file| file.take(MAX_TABLE).read_to_string(&mut text));
        if read.is_ok() {
            sockets.extend(text.lines().skip(1).filter_map(parse_line));
        }
    }
    sockets
}

/// Descriptors of a process that are sockets, with their inodes.
pub(super) fn descriptors(pid: u32) -> Vec<(u32, u64)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    entries
        .flatten()
        .take(MAX_DESCRIPTORS)
        .filter_map(|entry| {
            let fd = entry.file_name().to_str()?.parse().ok()?;
            Some((fd, inode(&fs::read_link(entry.path()).ok()?.into_os_string().into_string().ok()?)?))
        })
        .collect()
}

/// The inode of one descriptor that is a socket.
pub(super) fn descriptor(pid: u32, fd: u32) -> Option<u64> {
    inode(fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?.to_str()?)
}

fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...` (proc_net_tcp.rst of the kernel).
fn parse_line(line: &str) -> Option<(u64, Tcp)> {
    /// `TCP_ESTABLISHED`, `TCP_SYN_SENT`, `TCP_LISTEN` of the kernel's `tcp_states.h`.
    const ESTABLISHED: &str = "01";
    const SYN_SENT: &str = "02";
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let local = parse_address(fields.nth(1)?)?;
    let remote = parse_address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    matches!(state, ESTABLISHED | SYN_SENT | LISTEN)
        .then_some((inode, Tcp { local, remote, listens: state == LISTEN }))
}

/// `0100007F:2CAA`: the address as words of the host's byte order, the port as a number.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |start: usize| -> Option<[u8; 4]> {
        Some(u32::from_str_radix(address.get(start..start + 8)?, 16).ok()?.to_ne_bytes())
    };
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_both_families_are_read() {
        let line = "   1: 0100007F:1F40 0200007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 18394 1 0000000000000000 20 4 30 10 -1";
        let (inode, socket) = parse_line(line).unwrap();
        assert_eq!(inode, 18_394);
        assert_eq!(socket.local.to_string(), "127.0.0.1:8000");
        assert_eq!(socket.remote.to_string(), "127.0.0.2:54321");
        assert!(!socket.listens);
        let line = "0: 00000000000000000000000001000000:2CAA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1";
        let (inode, socket) = parse_line(line).unwrap();
        assert_eq!((inode, socket.local.to_string(), socket.listens), (77, "[::1]:11434".to_owned(), true));
        let mapped = "0000000000000000FFFF00000100007F:0050";
        assert_eq!(parse_address(mapped).unwrap().to_string(), "127.0.0.1:80");
    }

    #[test]
    fn a_closing_socket_is_none() {
        let line = "1: 0100007F:1F40 0200007F:D431 06 00000000:00000000 00:00000000 00000000 0 0 0 1";
        assert_eq!(parse_line(line), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,200}", address in "[0-9A-Fé:]{0,40}") {
            let _ = parse_line(&line);
            let _ = parse_address(&address);
            let _ = inode(&line);
        }
    }

    #[test]
    fn the_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let pid = std::process::id();
        let fd = u32::try_from(std::os::fd::AsRawFd::as_raw_fd(&listener)).unwrap();
        let inode = descriptor(pid, fd).unwrap();
        assert!(descriptors(pid).contains(&(fd, inode)));
        let socket = tcp_sockets(pid)[&inode];
        assert!(socket.listens);
        assert_eq!(socket.local, listener.local_addr().unwrap());
    }
}
