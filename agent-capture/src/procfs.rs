//! What `/proc` says about a process.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::ProcessInfo;

/// Most bytes read of one file below `/proc/PID`.
const MAX_FILE: u64 = 4 << 20;

fn read(pid: u32, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(format!("/proc/{pid}/{name}")).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn read_text(pid: u32, name: &str) -> Option<String> {
    read(pid, name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Everything known of a process; `None` when it is gone.
pub(crate) fn info(pid: u32) -> Option<ProcessInfo> {
    let (parent_pid, start_time) = parse_stat(&read_text(pid, "stat")?)?;
    let status = read_text(pid, "status").unwrap_or_default();
    let arguments = read(pid, "cmdline").unwrap_or_default();
    Some(ProcessInfo {
        pid,
        parent_pid,
        namespace_pid: status_field(&status, "NSpid")
            .and_then(|pids| pids.last()?.parse().ok())
            .unwrap_or(pid),
        start_time,
        command: read_text(pid, "comm").unwrap_or_default().trim_end_matches('\n').to_owned(),
        executable: fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default(),
        arguments: zero_separated(&arguments)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect(),
        environment: parse_environment(&read(pid, "environ").unwrap_or_default()),
        cgroup: parse_cgroup(&read_text(pid, "cgroup").unwrap_or_default()),
        uid: status_field(&status, "Uid").and_then(|ids| ids.get(1)?.parse().ok()).unwrap_or_default(),
    })
}

/// Whether any thread of the process still runs: its leader may have exited before the others.
pub(crate) fn is_running(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // Z: zombie, X: dead (proc_pid_stat(5)).
        let state = stat.rfind(')').and_then(|end| stat.get(end + 1..)?.trim_start().chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

/// All process ids.
pub(crate) fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Parent and start time: fields 4 and 22 of `/proc/PID/stat`. The command name in field 2 may hold anything, so counting begins after
/// its closing parenthesis.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    let after = stat.get(stat.rfind(')')? + 1..)?;
    let mut fields = after.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some((parent, start_time))
}

fn status_field<'a>(status: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_ascii_whitespace().collect())
}

fn zero_separated(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0).filter(move |_| !bytes.is_empty())
}

/// The variables of `ProcessInfo::READ_VARIABLES`; everything else is dropped unread.
fn parse_environment(bytes: &[u8]) -> Vec<(String, String)> {
    zero_separated(bytes)
        .filter_map(|variable| {
            let mut parts = variable.splitn(2, |byte| *byte == b'=');
            let name = std::str::from_utf8(parts.next()?).ok()?;
            let value = parts.next()?;
            ProcessInfo::READ_VARIABLES
                .contains(&name)
                .then(|| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
        })
        .collect()
}

/// The path in the unified hierarchy (`0::PATH`) unless it is the root while another hierarchy says more; else the longest of the others.
fn parse_cgroup(text: &str) -> String {
    let mut unified = "";
    let mut longest = "";
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(hierarchy), Some(_), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if hierarchy == "0" {
            unified = path;
        } else if path.len() > longest.len() {
            longest = path;
        }
    }
    if unified.len() > 1 || longest.len() <= 1 { unified.to_owned() } else { longest.to_owned() }
}

/// An executable mapping of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedFile {
    /// Address range as the kernel writes it, `start-end`, which names the entry in `map_files`.
    pub(crate) range: String,
    /// Device as the kernel writes it, `major:minor`.
    pub(crate) device: String,
    /// Inode.
    pub(crate) inode: u64,
    /// Path in the process's mount namespace; may end in ` (deleted)`.
    pub(crate) path: PathBuf,
}

/// The files that a process has mapped executable, each once.
pub(crate) fn executable_mappings(pid: u32) -> Vec<MappedFile> {
    let mut files: Vec<MappedFile> = Vec::new();
    let maps = read(pid, "maps").unwrap_or_default();
    for file in maps.split(|byte| *byte == b'\n').filter_map(parse_mapping) {
        if !files.iter().any(|known| known.inode == file.inode && known.device == file.device) {
            files.push(file);
        }
    }
    files
}

/// One line of `/proc/PID/maps`: `start-end perms offset device inode path`.
fn parse_mapping(line: &[u8]) -> Option<MappedFile> {
    let mut rest = line;
    let mut field = || {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        let trimmed = rest.get(start..)?;
        let end = trimmed.iter().position(|byte| *byte == b' ').unwrap_or(trimmed.len());
        let (field, after) = trimmed.split_at(end);
        rest = after;
        std::str::from_utf8(field).ok()
    };
    let range = field()?;
    let permissions = field()?;
    let _offset = field()?;
    let device = field()?;
    let inode = field()?.parse().ok()?;
    if !permissions.contains('x') || inode == 0 {
        return None;
    }
    let path = rest.get(rest.iter().position(|byte| *byte != b' ')?..)?;
    Some(MappedFile {
        range: range.to_owned(),
        device: device.to_owned(),
        inode,
        path: PathBuf::from(OsStr::from_bytes(path)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_shift_the_fields_of_stat() {
        let stat = "42 (a) 9 (b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2 3";
        assert_eq!(parse_stat(stat), Some((7, 123_456)));
        assert_eq!(parse_stat("42 (cut"), None);
    }

    #[test]
    fn only_listed_variables_are_kept() {
        let environment = b"PATH=/bin\0OTEL_SERVICE_NAME=a=b\0OPENAI_API_KEY=secret\0HOSTNAME=pod\0";
        let kept = parse_environment(environment);
        assert_eq!(kept, [("OTEL_SERVICE_NAME".into(), "a=b".into()), ("HOSTNAME".into(), "pod".into())]);
        assert!(parse_environment(b"").is_empty());
    }

    #[test]
    fn the_unified_group_wins_unless_it_is_the_root() {
        assert_eq!(parse_cgroup("0::/kubepods/pod1/abc\n"), "/kubepods/pod1/abc");
        assert_eq!(parse_cgroup("4:memory:/docker/abc\n1:cpu:/\n0::/\n"), "/docker/abc");
        assert_eq!(parse_cgroup("0::/\n"), "/");
    }

    #[test]
    fn mappings_keep_paths_with_spaces() {
        let line = b"7f1bca83a000-7f1bca83c000 r-xp 00036000 fd:01 2895508                    /opt/my app/libssl.so.3 (deleted)";
        let file = parse_mapping(line).unwrap();
        assert_eq!((file.range.as_str(), file.inode), ("7f1bca83a000-7f1bca83c000", 2_895_508));
        assert_eq!(file.path, PathBuf::from("/opt/my app/libssl.so.3 (deleted)"));
        assert_eq!(parse_mapping(b"7ffd-7ffe r-xp 00000000 00:00 0  [vdso]"), None);
        assert_eq!(parse_mapping(b"7ffd-7ffe r--p 00000000 fd:01 12  /a"), None);
    }

    #[test]
    fn this_process_is_described() {
        let info = info(std::process::id()).unwrap();
        assert_eq!(info.pid, std::process::id());
        assert!(info.start_time > 0 && !info.executable.as_os_str().is_empty());
        assert!(!executable_mappings(info.pid).is_empty());
        assert!(is_running(info.pid) && !is_running(u32::MAX));
    }
}
