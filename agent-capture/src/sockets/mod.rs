//! HTTP without TLS: which sockets are looked at, and what user space adds to what the kernel programs see.

mod learn;
mod prefill;
mod procnet;
pub(crate) mod tracepoints;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use agent_common::PeerAddress;

use crate::{Peer, PlainMode};

pub(crate) use learn::Plain;

/// `AF_INET` of `sys/socket.h`.
const AF_INET: u16 = 2;
/// `AF_INET6`
const AF_INET6: u16 = 10;

/// The mode as the kernel programs know it.
pub(crate) fn kernel_mode(mode: PlainMode) -> agent_common::PlainMode {
    match mode {
        PlainMode::Off => agent_common::PlainMode::Off,
        PlainMode::Ports => agent_common::PlainMode::Ports,
        PlainMode::Learn | PlainMode::All => agent_common::PlainMode::Any,
    }
}

/// An address as the kernel programs report it.
pub(crate) fn peer_of(address: &PeerAddress) -> Peer {
    let PeerAddress { address: bytes, family, port, local_port, reserved: _ } = address;
    let [a, b, c, d, ..] = *bytes;
    let ip = match *family {
        AF_INET => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
        AF_INET6 => Some(Ipv6Addr::from(*bytes).to_canonical()),
        _ => None,
    };
    Peer {
        remote: ip.map(|ip| SocketAddr::new(ip, *port)),
        local_port: (*local_port != 0).then_some(*local_port),
    }
}

/// An address as the kernel programs keep it.
fn kernel_address(remote: SocketAddr, local_port: u16) -> PeerAddress {
    let (family, address) = match remote.ip() {
        IpAddr::V4(ip) => {
            let mut address = [0; 16];
            for (slot, byte) in address.iter_mut().zip(ip.octets()) {
                *slot = byte;
            }
            (AF_INET, address)
        }
        IpAddr::V6(ip) => (AF_INET6, ip.octets()),
    };
    PeerAddress { address, family, port: remote.port(), local_port, reserved: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_to_the_kernel_and_back() {
        for text in ["10.1.2.3:11434", "[2001:db8::7]:8000"] {
            let remote: SocketAddr = text.parse().unwrap();
            let peer = peer_of(&kernel_address(remote, 0));
            assert_eq!(peer, Peer { remote: Some(remote), local_port: None });
        }
    }

    #[test]
    fn an_ipv4_address_in_an_ipv6_one_is_an_ipv4_address() {
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:80".parse().unwrap();
        let peer = peer_of(&kernel_address(mapped, 8000));
        assert_eq!(peer.remote.unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(peer.local_port, Some(8000));
    }

    #[test]
    fn an_unknown_family_is_no_address() {
        let unknown = PeerAddress { address: [1; 16], family: 0, port: 9, local_port: 0, reserved: 0 };
        assert_eq!(peer_of(&unknown), Peer::default());
    }
}
