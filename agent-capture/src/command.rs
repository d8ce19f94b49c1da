//! The files that a command will map, found before it starts.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::linker::Libraries;

/// How many interpreters of interpreters are followed (the kernel's own bound is 4).
const MAX_INTERPRETERS: usize = 5;
/// Most libraries looked at for one command.
const MAX_LIBRARIES: usize = 512;

/// The files of a command that may hold TLS functions: the executable (through `#!` lines and `env`), the libraries that it is linked with,
/// and the system's libssl, which interpreters load later.
pub(crate) fn files(program: &OsStr, path_variable: Option<&OsStr>, libraries: &Libraries) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut next = find_program(program, path_variable);
    for _ in 0..MAX_INTERPRETERS {
        let Some(executable) = next.take() else { break };
        if files.contains(&executable) {
            break;
        }
        next = interpreter(&executable).and_then(|program| find_program(&program, path_variable));
        files.push(executable);
    }
    let executables = files.clone();
    for executable in &executables {
        add_needed(executable, libraries, &mut files);
    }
    for path in libraries.beginning_with("libssl.so") {
        if !files.contains(&path) {
            files.push(path);
        }
    }
    files
}

/// The executable that a command name stands for, by the rules of `execvp(3)`.
pub(crate) fn find_program(program: &OsStr, path_variable: Option<&OsStr>) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program));
    }
    let default = OsStr::new("/bin:/usr/bin");
    std::env::split_paths(path_variable.unwrap_or(default))
        .map(|directory| if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory })
        .map(|directory| directory.join(program))
        .find(|path| {
            path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
        })
}

/// The program named by the first line of a script; for `env NAME`, NAME.
fn interpreter(script: &Path) -> Option<OsString> {
    let mut start = Vec::new();
    File::open(script).ok()?.take(512).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let program = OsStr::from_bytes(words.next()?);
    if Path::new(program).file_name() != Some(OsStr::new("env")) {
        return Some(program.to_owned());
    }
    // Options and assignments come before the name.
    let name = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?;
    Some(OsStr::from_bytes(name).to_owned())
}

/// Adds the libraries that a file is linked with, and those that these are linked with.
fn add_needed(file: &Path, libraries: &Libraries, files: &mut Vec<PathBuf>) {
    let mut waiting = vec![file.to_owned()];
    let mut seen = HashSet::new();
    while let Some(path) = waiting.pop() {
        let Some(dynamic) = File::open(&path).ok().and_then(|file| Elf::read(&file).ok()?.dynamic().ok())
        else {
            continue;
        };
        let origin =
            path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned())).unwrap_or_default();
        for name in dynamic.needed {
            if seen.len() >= MAX_LIBRARIES || !seen.insert(name.clone()) {
                continue;
            }
            let searched = dynamic.search.iter().map(|directory| expand(directory, &origin).join(&name));
            let found = searched.into_iter().find(|path| path.is_file()).or_else(|| libraries.find(&name));
            if let Some(found) = found {
                waiting.push(found.clone());
                if !files.contains(&found) {
                    files.push(found);
                }
            }
        }
    }
}

fn expand(directory: &str, origin: &Path) -> PathBuf {
    for token in ["$ORIGIN", "${ORIGIN}"] {
        if let Some(rest) = directory.strip_prefix(token) {
            return origin.join(rest.trim_start_matches('/'));
        }
    }
    PathBuf::from(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn interpreters_are_followed_through_env() {
        let directory = tempfile::tempdir().unwrap();
        let inner = script(directory.path(), "inner", "#!/bin/sh -e\n");
        let outer = script(directory.path(), "outer", "#!/usr/bin/env -S A=1 inner --flag\n");
        let files = files(OsStr::new("outer"), Some(directory.path().as_os_str()), &Libraries::default());
        assert_eq!(files[..3], [outer, inner, PathBuf::from("/bin/sh")]);
    }

    #[test]
    fn a_script_that_names_itself_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("loop");
        let path = script(directory.path(), "loop", &format!("#!{}\n", path.display()));
        assert_eq!(files(path.as_os_str(), None, &Libraries::default())[0], path);
    }

    #[test]
    fn a_program_must_be_executable() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("plain"), "").unwrap();
        assert_eq!(find_program(OsStr::new("plain"), Some(directory.path().as_os_str())), None);
        assert_eq!(find_program(OsStr::new("./plain"), None), Some(PathBuf::from("./plain")));
    }

    #[test]
    fn origin_is_the_directory_of_the_file() {
        assert_eq!(expand("$ORIGIN/../lib", Path::new("/opt/x/bin")), Path::new("/opt/x/bin/../lib"));
        assert_eq!(expand("/usr/lib", Path::new("/opt")), Path::new("/usr/lib"));
    }
}
