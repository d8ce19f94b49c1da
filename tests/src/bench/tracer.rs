//! bpftrace as the other tool: the script that copies the same buffers at the same functions.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{self, Running};

/// The most that bpftrace copies of one buffer.
pub(super) const MOST: usize = 200;

/// OpenSSL's functions by their names, with return probes, as its own examples do it.
pub(super) fn openssl(file: &Path) -> String {
    let file = file.display();
    let mut text = String::new();
    for function in ["SSL_write", "SSL_write_ex"] {
        text += &format!("uprobe:{file}:{function} {{ printf(\"%r\\n\", buf(arg1, arg2)); }}\n");
    }
    text += &format!(
        "uprobe:{file}:SSL_read {{ @b[tid] = arg1; }}\n\
         uretprobe:{file}:SSL_read {{ if ((int32)retval > 0) {{ printf(\"%r\\n\", buf(@b[tid], (int32)retval)); }} delete(@b[tid]); }}\n\
         uprobe:{file}:SSL_read_ex {{ @c[tid] = arg1; @n[tid] = arg3; }}\n\
         uretprobe:{file}:SSL_read_ex {{ if (retval == 1) {{ printf(\"%r\\n\", buf(@c[tid], *(uint64*)@n[tid])); }} \
         delete(@c[tid]); delete(@n[tid]); }}\n"
    );
    text
}

/// Go's functions: return probes break Go's stacks, and Debian's bpftrace cannot probe inside a function, so of reads it sees the entry only.
pub(super) fn go(file: &Path) -> String {
    let file = file.display();
    format!(
        "uprobe:{file}:\"crypto/tls.(*Conn).Write\" {{ printf(\"%r\\n\", buf(reg(\"bx\"), reg(\"cx\"))); }}\n\
         uprobe:{file}:\"crypto/tls.(*Conn).Read\" {{ @b[reg(\"r14\")] = reg(\"bx\"); }}\n"
    )
}

/// Starts it on one process and waits until it is there.
pub(super) fn start(script: &str, pid: u32) -> Result<Running> {
    let mut command = Command::new("bpftrace");
    command.args(["-p", &pid.to_string(), "-e", script]);
    command.env("BPFTRACE_STRLEN", MOST.to_string());
    let mut running = process::start(&mut command)?;
    running
        .wait_for("that it attaches", |stdout, stderr| (stdout.to_owned() + stderr).contains("Attaching"))?;
    running.wait_for_rest()?;
    Ok(running)
}

/// Ends it; it must have seen every call.
pub(super) fn end(running: Running, calls: usize) -> Result<()> {
    running.signal("INT")?;
    let ended = running.wait()?;
    let seen = ended.stdout.lines().filter(|line| line.starts_with("POST /v1/")).count();
    ensure!(seen >= calls, "bpftrace saw {seen} of {calls} requests: {}", ended.stderr);
    Ok(())
}
