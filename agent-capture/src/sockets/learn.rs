//! Whose connections without TLS are captured, and which ports are learned from them.

use agent_common::{ConnectionKey, ConnectionState, SOCKET_HANDLE, SocketFlags, SocketKey, VerdictEntry};

use crate::abi::Abi;
use crate::kernel::{Maps, map_error};
use crate::settings::padded;
use crate::{CaptureError, ConnectionId, PlainHttp, PlainMode, Verdict};

/// The configuration of HTTP without TLS, as it is applied.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(super) mode: PlainMode,
    /// Sockets below TLS connections are looked for.
    pub(super) peers: bool,
    commands: Vec<[u8; agent_common::COMMAND_BYTES]>,
}

impl Plain {
    pub(crate) fn of(config: &PlainHttp, peers: bool) -> Self {
        Self {
            mode: config.mode,
            peers,
            commands: config.commands.iter().map(|command| padded(command)).collect(),
        }
    }

    /// Whether the connections of a process with this command name are captured.
    pub(crate) fn takes(&self, command: &str) -> bool {
        self.commands.is_empty() || self.commands.contains(&padded(command))
    }

    /// Tells the kernel to copy no more of a connection.
    pub(crate) fn silence(&self, maps: &Maps, connection: &ConnectionId) {
        let ConnectionId { tgid, handle, generation, .. } = *connection;
        let entry =
            VerdictEntry { generation, seen: u64::MAX, state: ConnectionState::Ignore as u32, reserved: 0 };
        // Where it fails the rest is copied for nothing.
        let _ = maps.verdicts().insert(Abi(ConnectionKey { tgid, reserved: 0, handle }), Abi(entry), 0);
    }

    /// Where ports are learned: the first LLM call on a connection makes the port a known one, and what is no LLM call on a port that is
    /// not known is not looked at again. Returns the verdict that the kernel gets.
    pub(crate) fn learn(
        &self,
        maps: &Maps,
        connection: &ConnectionId,
        verdict: Verdict,
    ) -> Result<Verdict, CaptureError> {
        if self.mode != PlainMode::Learn {
            return Ok(verdict);
        }
        let fd = u32::try_from(connection.handle & !SOCKET_HANDLE).unwrap_or(u32::MAX);
        let key = Abi(SocketKey { tgid: connection.tgid, fd });
        // A socket that is closed already teaches nothing.
        let Ok(Abi(socket)) = maps.sockets().get(&key, 0) else { return Ok(verdict) };
        let accepted = socket.flags & SocketFlags::ACCEPTED != 0;
        let port = u32::from(if accepted { socket.peer.local_port } else { socket.peer.port });
        let mut ports = maps.ports();
        let known = ports.get(&port, 0).is_ok();
        match verdict {
            Verdict::Capture if !known && port != 0 => {
                ports.insert(port, 1, 0).map_err(|error| map_error("PORTS", &error))?;
                tracing::info!(port, "LLM calls without TLS were seen on this port");
            }
            Verdict::HeadsOnly if !known => return Ok(Verdict::Ignore),
            _ => {}
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_every_process_is_taken() {
        assert!(Plain::of(&PlainHttp::default(), false).takes("python3"));
        let some = PlainHttp { commands: vec!["a-very-long-command-name".into()], ..PlainHttp::default() };
        assert!(
            Plain::of(&some, false).takes("a-very-long-com") && !Plain::of(&some, false).takes("python3")
        );
    }
}
