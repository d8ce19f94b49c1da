//! What an executable without symbols still tells of its functions: where they begin and end, the texts they refer to, and what they
//! call.
//!
//! Everything here reads the file in pieces: executables of 200 MB are common, and a file that is cut short under a memory map would
//! kill the reader.

pub(crate) mod body;
pub(crate) mod boringssl;
pub(crate) mod eh_frame;
pub(crate) mod flow;
pub(crate) mod functions;
pub(crate) mod linkage;
pub(crate) mod nss;
pub(crate) mod openssl;
pub(crate) mod pointers;
pub(crate) mod static_ssl;
pub(crate) mod strings;
pub(crate) mod xref;

#[cfg(test)]
mod tests;
