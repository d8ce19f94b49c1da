//! The system calls on sockets that the kernel programs look at.

use std::path::Path;

use aya::Ebpf;
use aya::maps::ProgramArray;
use aya::programs::TracePoint;

use crate::kernel::{map_error, map_mut, program_error, program_mut};
use crate::tracefs::Format;
use crate::{CaptureConfig, CaptureError, PlainMode};

const CATEGORY: &str = "syscalls";

/// A kernel program and the tracepoints that it is attached to.
struct Attachment {
    program: &'static str,
    tracepoints: &'static [&'static str],
}

/// Who is connected with whom. Few calls, on any kernel.
const TABLE: &[Attachment] = &[
    Attachment { program: "sys_enter_connect", tracepoints: &["sys_enter_connect"] },
    Attachment { program: "sys_enter_bind", tracepoints: &["sys_enter_bind"] },
    Attachment { program: "sys_enter_close", tracepoints: &["sys_enter_close"] },
    Attachment { program: "socket_enter_accept", tracepoints: &["sys_enter_accept", "sys_enter_accept4"] },
    Attachment { program: "socket_leave_accept", tracepoints: &["sys_exit_accept", "sys_exit_accept4"] },
];

/// What makes bytes go past the probes.
const BYPASSES: &[Attachment] = &[
    Attachment { program: "sys_enter_io_uring_setup", tracepoints: &["sys_enter_io_uring_setup"] },
    Attachment { program: "sys_enter_setsockopt", tracepoints: &["sys_enter_setsockopt"] },
];

/// What is sent: for the sockets below TLS connections, and for HTTP without TLS.
const SENT: &[Attachment] = &[
    Attachment { program: "socket_enter_write", tracepoints: &["sys_enter_write"] },
    Attachment { program: "socket_enter_writev", tracepoints: &["sys_enter_writev"] },
    Attachment { program: "socket_enter_send", tracepoints: &["sys_enter_sendto"] },
    Attachment { program: "socket_enter_sendmsg", tracepoints: &["sys_enter_sendmsg"] },
];

/// For HTTP without TLS: what else goes over a socket, and how much.
const BYTES: &[Attachment] = &[
    Attachment { program: "sys_enter_shutdown", tracepoints: &["sys_enter_shutdown"] },
    Attachment { program: "socket_enter_read", tracepoints: &["sys_enter_read"] },
    Attachment { program: "socket_enter_readv", tracepoints: &["sys_enter_readv"] },
    Attachment { program: "socket_enter_recv", tracepoints: &["sys_enter_recvfrom"] },
    Attachment { program: "socket_enter_recvmsg", tracepoints: &["sys_enter_recvmsg"] },
    Attachment { program: "socket_enter_sendfile", tracepoints: &["sys_enter_sendfile64"] },
    Attachment { program: "socket_enter_splice", tracepoints: &["sys_enter_splice"] },
    Attachment {
        program: "socket_enter_unfollowed",
        tracepoints: &["sys_enter_sendmmsg", "sys_enter_recvmmsg", "sys_enter_preadv2", "sys_enter_pwritev2"],
    },
    Attachment {
        program: "socket_leave",
        tracepoints: &[
            "sys_exit_write",
            "sys_exit_read",
            "sys_exit_writev",
            "sys_exit_readv",
            "sys_exit_sendto",
            "sys_exit_recvfrom",
            "sys_exit_sendmsg",
            "sys_exit_recvmsg",
        ],
    },
    Attachment { program: "socket_leave_unseen", tracepoints: &["sys_exit_sendfile64", "sys_exit_splice"] },
];

/// The program that a vector's pieces are accounted by. It is called by another one, not attached.
const PIECE: &str = "socket_piece";
/// The table through which it is called.
const PIECES: &str = "NEXT_PIECE";

/// Where the arguments of system calls are in the records of their entries. All records are laid out alike; it is verified for the calls
/// whose arguments are read.
pub(crate) fn argument_offset(tracefs: &Path) -> Result<u32, CaptureError> {
    let connect = Format::read(tracefs, CATEGORY, "sys_enter_connect")?;
    let first = connect.offset("fd", &[8])?;
    for (tracepoint, fields) in [
        ("sys_enter_connect", &[(1, "uservaddr"), (2, "addrlen")][..]),
        ("sys_enter_write", &[(0, "fd"), (1, "buf")]),
        ("sys_enter_writev", &[(0, "fd"), (1, "vec"), (2, "vlen")]),
        ("sys_enter_sendto", &[(0, "fd"), (1, "buff"), (3, "flags")]),
        ("sys_enter_recvmsg", &[(0, "fd"), (1, "msg"), (2, "flags")]),
    ] {
        let format = Format::read(tracefs, CATEGORY, tracepoint)?;
        for (index, field) in fields {
            let offset = format.offset(field, &[8])?;
            if offset != first + 8 * index {
                return Err(CaptureError::Tracepoint {
                    tracepoint: format!("{CATEGORY}:{tracepoint}"),
                    detail: format!(
                        "its field {field} is at {offset} where {} is expected",
                        first + 8 * index
                    ),
                });
            }
        }
    }
    Ok(first)
}

/// Attaches what the configuration asks for.
pub(crate) fn attach(ebpf: &mut Ebpf, config: &CaptureConfig, tracefs: &Path) -> Result<(), CaptureError> {
    let plain = config.plain_http.mode != PlainMode::Off;
    attach_all(ebpf, BYPASSES, tracefs)?;
    if plain {
        load_piece(ebpf)?;
        attach_all(ebpf, BYTES, tracefs)?;
    }
    if plain || config.peers {
        attach_all(ebpf, SENT, tracefs)?;
        // Last: a socket that is in the table is followed from its first byte.
        attach_all(ebpf, TABLE, tracefs)?;
    }
    Ok(())
}

/// Puts the program into the table that another one calls it through.
fn load_piece(ebpf: &mut Ebpf) -> Result<(), CaptureError> {
    let piece: &mut TracePoint = program_mut(ebpf, PIECE)?;
    piece.load().map_err(|error| program_error(PIECE, &error))?;
    let fd = piece.fd().map_err(|error| program_error(PIECE, &error))?;
    let fd = fd.try_clone().map_err(|error| CaptureError::system("duplicating a descriptor", error))?;
    // The map stays with the programs: the kernel empties it when user space gives it up.
    ProgramArray::try_from(map_mut(ebpf, PIECES)?)
        .and_then(|mut pieces| pieces.set(0, &fd, 0))
        .map_err(|error| map_error(PIECES, &error))
}

fn attach_all(ebpf: &mut Ebpf, attachments: &[Attachment], tracefs: &Path) -> Result<(), CaptureError> {
    attachments.iter().try_for_each(|attachment| attach_one(ebpf, attachment, tracefs))
}

fn attach_one(ebpf: &mut Ebpf, attachment: &Attachment, tracefs: &Path) -> Result<(), CaptureError> {
    let Attachment { program, tracepoints } = attachment;
    let tracepoint: &mut TracePoint = program_mut(ebpf, program)?;
    tracepoint.load().map_err(|error| program_error(program, &error))?;
    for name in *tracepoints {
        // Not every architecture has each of them; those that matter were looked at before.
        if tracefs.join("events").join(CATEGORY).join(name).is_dir() {
            tracepoint.attach(CATEGORY, name).map_err(|error| program_error(program, &error))?;
        }
    }
    Ok(())
}
