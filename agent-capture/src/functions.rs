//! The functions that are probed, and the kernel program of each.

/// A function of the TLS library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    /// Name of the symbol.
    pub(crate) symbol: &'static str,
    /// Kernel program at its entry.
    pub(crate) entry: &'static str,
    /// Whether [`LEAVE`] goes on each of its RET instructions.
    pub(crate) returns: bool,
}

/// Kernel program on each RET of a function that moves bytes.
pub(crate) const LEAVE: &str = "leave";

/// OpenSSL 1.1.1 and 3.x, BoringSSL, LibreSSL. An object that has none of the reading and writing ones is no TLS library.
pub(crate) const FUNCTIONS: [Function; 7] = [
    Function { symbol: "SSL_read", entry: "enter_read", returns: true },
    Function { symbol: "SSL_write", entry: "enter_write", returns: true },
    Function { symbol: "SSL_read_ex", entry: "enter_read_ex", returns: true },
    Function { symbol: "SSL_write_ex", entry: "enter_write_ex", returns: true },
    Function { symbol: "SSL_write_ex2", entry: "enter_write_ex2", returns: true },
    Function { symbol: "SSL_shutdown", entry: "enter_shutdown", returns: false },
    Function { symbol: "SSL_free", entry: "enter_free", returns: false },
];

/// Every uprobe program.
pub(crate) const PROGRAMS: [&str; 8] = [
    "enter_read",
    "enter_write",
    "enter_read_ex",
    "enter_write_ex",
    "enter_write_ex2",
    "enter_shutdown",
    "enter_free",
    LEAVE,
];
