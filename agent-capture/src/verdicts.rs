//! The way back: what the kernel is told to do with a connection.

use std::sync::Arc;

use agent_common::{AgentIndex, ConnectionKey, ConnectionState, VerdictEntry};

use crate::abi::Abi;
use crate::kernel::map_error;
use crate::shared::Shared;
use crate::{CaptureError, ConnectionId, Transport, Verdict};

/// Sets verdicts. Cheap to clone; may be used while events are handed over.
#[derive(Clone)]
pub struct Verdicts {
    pub(crate) shared: Arc<Shared>,
}

impl Verdicts {
    /// Tells the kernel what to do with the rest of a connection.
    ///
    /// `seen` says what the verdict is based on: the number of bytes of the direction that carries requests (egress of a client, ingress of a
    /// server), counted from offset 0 and up to the end of the last chunk that was looked at. A request that began at or after `seen` is not
    /// covered by the verdict: the kernel drops the verdict when there is one. It takes effect with the connection's next call.
    ///
    /// Returns false if the connection is gone already, which is no error.
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn set(&self, connection: &ConnectionId, verdict: Verdict, seen: u64) -> Result<bool, CaptureError> {
        let key = Abi(ConnectionKey { tgid: connection.tgid, reserved: 0, handle: connection.handle });
        let current = self.shared.maps.connections().get(&key, 0);
        if !current.is_ok_and(|known| known.0.generation == connection.generation) {
            return Ok(false);
        }
        let verdict = match connection.transport() {
            Transport::Plain => self.shared.plain.learn(&self.shared.maps, connection, verdict)?,
            Transport::Tls => verdict,
        };
        let state = match verdict {
            Verdict::Capture => ConnectionState::Capture,
            Verdict::HeadsOnly => ConnectionState::HeadsOnly,
            Verdict::Ignore => ConnectionState::Ignore,
            Verdict::Shed => ConnectionState::Shed,
        };
        let entry =
            VerdictEntry { generation: connection.generation, seen, state: state as u32, reserved: 0 };
        let mut verdicts = self.shared.maps.verdicts();
        verdicts.insert(key, Abi(entry), 0).map_err(|error| map_error("VERDICTS", &error))?;
        Ok(true)
    }

    /// Whether connections that the reader was not told of yet are shed: nothing of them is copied, and what they move is counted. Those
    /// that were shed are taken up again, with their next request, once this is off.
    ///
    /// # Errors
    /// When the kernel's map cannot be written.
    pub fn shed_new(&self, shed: bool) -> Result<(), CaptureError> {
        self.shared.maps.tell(AgentIndex::Shedding, shed.into())
    }
}
