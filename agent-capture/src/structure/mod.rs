//! What an executable without symbols still tells of its functions: where they begin and end, the texts they refer to, and the tables
//! that point to them.
//!
//! Everything here reads the file in pieces: executables of 200 MB are common, and a file that is cut short under a memory map would
//! kill the reader.

pub(crate) mod eh_frame;
pub(crate) mod flow;
pub(crate) mod linkage;
