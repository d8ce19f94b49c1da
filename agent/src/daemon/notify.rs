//! Tells systemd how the daemon is (the protocol of `sd_notify(3)`), when systemd asked for it.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr, net::UnixDatagram},
    },
    time::Duration,
};

/// Speaks to the service manager, or to nobody.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As `NOTIFY_SOCKET` and `WATCHDOG_USEC` say.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
            return Self::default();
        };
        match Self::connect(path.as_bytes()) {
            Ok(socket) => {
                let micros =
                    env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok()).filter(|m| *m > 0);
                // Twice as often as needed, as the manual page advises.
                Self {
                    socket: Some(socket),
                    watchdog: micros.map(|micros: u64| Duration::from_micros(micros / 2)),
                }
            }
            Err(error) => {
                tracing::warn!("cannot reach the service manager at {}: {error}", path.display());
                Self::default()
            }
        }
    }

    fn connect(path: &[u8]) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        let address = match path.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        socket.connect_addr(&address)?;
        Ok(socket)
    }

    /// How often [`Notifier::alive`] must be said; `None` when nobody waits for it.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The daemon serves.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=Capturing");
    }

    /// The daemon still serves.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// The daemon ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Delivering what is left");
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::debug!("cannot tell the service manager: {error}");
        }
    }
}
