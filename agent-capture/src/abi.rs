//! The types of `agent-common` as the map library wants them.

use agent_common::{
    CallArgs, CallKey, Connection, ConnectionKey, Listener, PeerAddress, ProcessState, SiteCounts, Socket,
    SocketKey, VerdictEntry,
};

/// A type of the kernel ABI as a key or value of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(crate) struct Abi<T>(pub(crate) T);

macro_rules! plain_data {
    ($($type:ty),+) => {
        $(
            // SAFETY: the type is `repr(C)`, made of integers only, and has no padding (asserted below), so that every byte of it is
            // initialised and every pattern of bytes is a value of it.
            unsafe impl aya::Pod for Abi<$type> {}
        )+
    };
}

plain_data!(
    CallArgs,
    CallKey,
    Connection,
    ConnectionKey,
    Listener,
    ProcessState,
    SiteCounts,
    Socket,
    SocketKey,
    VerdictEntry
);

const _: () = {
    assert!(size_of::<CallArgs>() == 5 * 8 + 4 * 4);
    assert!(size_of::<CallKey>() == 2 * 4 + 8);
    assert!(size_of::<Connection>() == 7 * 8 + 6 * 4);
    assert!(size_of::<ConnectionKey>() == 2 * 4 + 8);
    assert!(size_of::<Listener>() == 2 * 8 + 2 * 4);
    assert!(size_of::<PeerAddress>() == 16 + 4 * 2);
    assert!(size_of::<Socket>() == 8 + 24 + 2 * 4);
    assert!(size_of::<SocketKey>() == 2 * 4);
    assert!(size_of::<ProcessState>() == 2 * 4 + 8);
    assert!(size_of::<SiteCounts>() == 3 * 8);
    assert!(size_of::<VerdictEntry>() == 2 * 8 + 2 * 4);
};
