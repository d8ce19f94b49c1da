//! The functions that are probed, and the kernel program of each.

/// A function of the TLS library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    /// Name of the symbol, also where the function was found by other means.
    pub(crate) symbol: &'static str,
    /// Kernel program at its entry.
    pub(crate) entry: &'static str,
    /// Kernel program on each of its RET instructions; `None` for a function that moves no bytes.
    pub(crate) leave: Option<&'static str>,
}

/// Kernel program on each RET of a function of the C calling convention that moves bytes.
pub(crate) const LEAVE: &str = "leave";

/// The same for one that returns the number of bytes as an `ssize_t`.
pub(crate) const LEAVE_LONG: &str = "leave_long";

/// Kernel program at the JVM's native file write, where the Java agent shows plaintext.
pub(crate) const JAVA: &str = "enter_java_write";

impl Function {
    /// Whether plaintext passes through it. A file without such a function is none of ours.
    pub(crate) fn moves_bytes(&self) -> bool {
        self.leave.is_some() || self.entry == JAVA
    }
}

/// The same of Go's.
pub(crate) const LEAVE_GO_READ: &str = "leave_go_read";

/// The package whose `Conn` has the methods; forks of it have their own in its place.
pub(crate) const GO_PACKAGE: &str = "crypto/tls";

/// Of Go's crypto/tls.
pub(crate) const GO_FUNCTIONS: [Function; 6] = [
    Function { symbol: "crypto/tls.(*Conn).writeRecordLocked", entry: "enter_go_write", leave: None },
    Function { symbol: "crypto/tls.(*Conn).Read", entry: "enter_go_read", leave: Some(LEAVE_GO_READ) },
    Function { symbol: "crypto/tls.(*Conn).CloseWrite", entry: "enter_go_shutdown", leave: None },
    Function { symbol: "crypto/tls.(*Conn).Close", entry: "enter_go_end", leave: None },
    Function { symbol: "crypto/tls.(*Conn).clientHandshake", entry: "enter_go_end", leave: None },
    Function { symbol: "crypto/tls.(*Conn).serverHandshake", entry: "enter_go_end", leave: None },
];

/// OpenSSL 1.1.1 and 3.x, BoringSSL, LibreSSL, aws-lc; GnuTLS. An object that has none of the reading and writing ones is no TLS library.
pub(crate) const FUNCTIONS: [Function; 16] = [
    Function { symbol: "SSL_read", entry: "enter_read", leave: Some(LEAVE) },
    Function { symbol: "SSL_write", entry: "enter_write", leave: Some(LEAVE) },
    Function { symbol: "SSL_read_ex", entry: "enter_read_ex", leave: Some(LEAVE) },
    Function { symbol: "SSL_write_ex", entry: "enter_write_ex", leave: Some(LEAVE) },
    Function { symbol: "SSL_write_ex2", entry: "enter_write_ex2", leave: Some(LEAVE) },
    Function { symbol: "SSL_shutdown", entry: "enter_shutdown", leave: None },
    Function { symbol: "SSL_free", entry: "enter_free", leave: None },
    Function { symbol: "gnutls_record_recv", entry: "enter_read", leave: Some(LEAVE_LONG) },
    Function { symbol: "gnutls_record_recv_seq", entry: "enter_read", leave: Some(LEAVE_LONG) },
    Function { symbol: "gnutls_record_send", entry: "enter_write", leave: Some(LEAVE_LONG) },
    Function { symbol: "gnutls_record_send2", entry: "enter_write", leave: Some(LEAVE_LONG) },
    Function { symbol: "gnutls_record_send_range", entry: "enter_write", leave: Some(LEAVE_LONG) },
    Function { symbol: "gnutls_bye", entry: "enter_shutdown", leave: None },
    Function { symbol: "gnutls_deinit", entry: "enter_free", leave: None },
    Function { symbol: "Java_sun_nio_ch_FileDispatcherImpl_write0", entry: JAVA, leave: None },
    Function { symbol: "Java_sun_nio_ch_UnixFileDispatcherImpl_write0", entry: JAVA, leave: None },
];

/// `int ssl_read_internal(SSL *, void *, size_t, size_t *)` of OpenSSL.
pub(crate) const SSL_READ_INTERNAL: Function =
    Function { symbol: "ssl_read_internal", entry: "enter_read_ex", leave: Some(LEAVE) };
/// `int ssl_write_internal(SSL *, const void *, size_t, size_t *)` of OpenSSL before 3.3.
pub(crate) const SSL_WRITE_INTERNAL: Function =
    Function { symbol: "ssl_write_internal", entry: "enter_write_ex", leave: Some(LEAVE) };
/// `int ssl_write_internal(SSL *, const void *, size_t, uint64_t, size_t *)` of OpenSSL from 3.3 on.
pub(crate) const SSL_WRITE_INTERNAL_FLAGS: Function =
    Function { symbol: "ssl_write_internal/flags", entry: "enter_write_ex2", leave: Some(LEAVE) };
/// The RETs of `SSL *SSL_new(SSL_CTX *)`.
pub(crate) const SSL_NEW: Function = Function { symbol: "SSL_new", entry: "born", leave: None };
/// `int ssl_SecureClose(sslSocket *)` of NSS.
pub(crate) const NSS_CLOSE: Function =
    Function { symbol: "ssl_SecureClose", entry: "enter_free", leave: None };
/// `int ssl_SecureRecv(sslSocket *, unsigned char *, int, int)` of NSS.
pub(crate) const NSS_RECEIVE: Function =
    Function { symbol: "ssl_SecureRecv", entry: "enter_read", leave: Some(LEAVE) };
/// `int ssl_SecureSend(sslSocket *, const unsigned char *, int, int)` of NSS.
pub(crate) const NSS_SEND: Function =
    Function { symbol: "ssl_SecureSend", entry: "enter_write", leave: Some(LEAVE) };

/// Those that are found by other means than a symbol of this name.
const BY_STRUCTURE: [Function; 9] = [
    SSL_READ_INTERNAL,
    SSL_WRITE_INTERNAL,
    SSL_WRITE_INTERNAL_FLAGS,
    SSL_NEW,
    NSS_CLOSE,
    NSS_RECEIVE,
    NSS_SEND,
    RUSTLS_ENCRYPT,
    RUSTLS_DECRYPT,
];

/// The function with this symbol, however it is found.
pub(crate) fn by_symbol(symbol: &str) -> Option<Function> {
    FUNCTIONS.into_iter().chain(BY_STRUCTURE).chain(GO_FUNCTIONS).find(|function| function.symbol == symbol)
}

/// The record protection of rustls; it has these functions once a cryptography provider and cipher.
pub(crate) const RUSTLS_ENCRYPT: Function =
    Function { symbol: "MessageEncrypter::encrypt", entry: "rustls_encrypt", leave: None };
/// See [`RUSTLS_ENCRYPT`].
pub(crate) const RUSTLS_DECRYPT: Function = Function {
    symbol: "MessageDecrypter::decrypt",
    entry: "rustls_decrypt",
    leave: Some("rustls_decrypted"),
};

/// The programs without which nothing is captured. A kernel that refuses one of the others is used without it.
pub(crate) const REQUIRED: [&str; 8] = [
    "enter_read",
    "enter_write",
    "enter_read_ex",
    "enter_write_ex",
    "enter_write_ex2",
    "enter_shutdown",
    "enter_free",
    LEAVE,
];

/// Every uprobe program.
pub(crate) const PROGRAMS: [&str; 19] = [
    "enter_read",
    "enter_write",
    "enter_read_ex",
    "enter_write_ex",
    "enter_write_ex2",
    "enter_shutdown",
    "enter_free",
    LEAVE,
    LEAVE_LONG,
    SSL_NEW.entry,
    JAVA,
    "rustls_encrypt",
    "rustls_decrypt",
    "rustls_decrypted",
    "enter_go_write",
    "enter_go_read",
    LEAVE_GO_READ,
    "enter_go_shutdown",
    "enter_go_end",
];
