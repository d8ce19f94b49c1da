//! The guest: an initramfs with the tests and those programs of this host that they run, and the script that runs them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::kernels::{self, Kernel};
use crate::{exec, paths, ui};

/// Begins a line that is for the reader of the results and not of a test.
pub(super) const MARK: &str = "@@ ";

/// Programs that the tests run, where the host has them.
const PROGRAMS: [&str; 4] = ["sh", "curl", "openssl", "node"];
/// Parts of Python's library that no test needs.
const LEFT_OUT: [&str; 9] = [
    "site-packages",
    "dist-packages",
    "test",
    "ensurepip",
    "idlelib",
    "tkinter",
    "lib2to3",
    "turtledemo",
    "pydoc_data",
];
/// What the programs read from /etc and the like.
const FILES: [&str; 5] = [
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl/openssl.cnf",
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/protocols",
];

/// One program that the guest runs.
pub(super) struct Step {
    /// Name in the results.
    pub(super) name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
}

/// Builds the tests and puts everything into `image`. Returns what the guest will run.
pub(super) fn build(folder: &Path, image: &Path, kernels: &[Kernel], filter: &[String]) -> Result<Vec<Step>> {
    let suite = vec![
        Step { name: "doctor", program: wirespan()?, arguments: vec!["doctor".to_owned()] },
        Step {
            name: "capture",
            program: test_program("agent-capture", "capture")?,
            arguments: ["--test-threads=1", "--show-output"]
                .into_iter()
                .map(str::to_owned)
                .chain(filter.iter().cloned())
                .collect(),
        },
    ];
    ui::step("packing the guest");
    let mut guest = Guest { archive: Archive::create(image)?, linked: BTreeSet::new() };
    guest.skeleton(&kernels::busybox(folder)?)?;
    let mut search = vec!["/usr/bin".to_owned(), "/usr/sbin".to_owned()];
    for program in PROGRAMS {
        match paths::which(program) {
            Some(path) => guest.program(&path)?,
            None => ui::note(&format!("    {program} is not installed: tests that need it are skipped")),
        }
    }
    search.insert(0, guest.python()?.display().to_string());
    guest.tree(&paths::root()?.join("agent-capture/tests/capture"), &[])?;
    for step in &suite {
        guest.program(&step.program)?;
    }
    for file in FILES.map(Path::new).into_iter().filter(|file| file.exists()) {
        guest.file(file)?;
    }
    for kernel in kernels {
        for module in &kernel.modules {
            let name = module.file_name().unwrap_or_default();
            guest.archive.file(&Path::new("/modules").join(kernel.suite).join(name), module)?;
        }
    }
    guest.archive.text(Path::new("/init"), 0o755, &script(&suite, &search.join(":")))?;
    guest.archive.finish()?;
    Ok(suite)
}

/// The debug build of the agent.
fn wirespan() -> Result<PathBuf> {
    ui::step("building the agent for the guest");
    let mut command = exec::cargo();
    exec::run(command.current_dir(paths::root()?).args(["build", "--package", "agent"]))?;
    Ok(paths::target()?.join("debug/wirespan"))
}

/// Builds a test program and says where it is.
fn test_program(package: &str, test: &str) -> Result<PathBuf> {
    ui::step(&format!("building the tests `{test}` of {package}"));
    let mut command = exec::cargo();
    command.current_dir(paths::root()?).args(["test", "--no-run", "--package", package, "--test", test]);
    command.arg("--message-format=json-render-diagnostics");
    // Under emulation, code that is not optimised takes minutes.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
    let messages = exec::output(&mut command)?;
    executable(&messages, test).with_context(|| format!("cargo named no test program `{test}`"))
}

/// The executable of a target, from cargo's messages.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()).find_map(
        |message| {
            let named = message.pointer("/target/name")?.as_str()? == target;
            let path = message.get("executable")?.as_str()?;
            named.then(|| PathBuf::from(path))
        },
    )
}

/// The first process of the guest. Results go to the second serial line; the first has the kernel's messages.
fn script(suite: &[Step], search: &str) -> String {
    let mut text = format!(
        "#!/bin/busybox sh
/bin/busybox --install -s 2>/dev/null
mount -t devtmpfs dev /dev
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /sys/fs/cgroup /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs shm /dev/shm
ip link set lo up
suite=$(sed -n 's/.*wirespan.suite=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
for module in /modules/$suite/*.ko; do insmod $module; done
export PATH={search} HOME=/root TMPDIR=/tmp RUST_BACKTRACE=0 WIRESPAN_REQUIRE_BPF=1
cd /root
echo '{MARK}kernel' $(uname -r) $(uname -v)
"
    );
    for step in suite {
        let words: Vec<String> = std::iter::once(step.program.display().to_string())
            .chain(step.arguments.iter().cloned())
            .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
            .collect();
        text += &format!(
            "echo '{MARK}begin {}'\n{}\necho '{MARK}end {}' $?\n",
            step.name,
            words.join(" "),
            step.name
        );
    }
    text + &format!("echo '{MARK}done'\npoweroff -f\n")
}

struct Guest {
    archive: Archive,
    /// Programs and libraries whose own libraries are in the archive already.
    linked: BTreeSet<PathBuf>,
}

/// The path without the links that a system with a merged /usr has at its root.
fn merged(path: &Path) -> PathBuf {
    for name in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(rest) = path.strip_prefix(Path::new("/").join(name)) {
            return Path::new("/usr").join(name).join(rest);
        }
    }
    path.to_path_buf()
}

impl Guest {
    fn skeleton(&mut self, busybox: &Path) -> Result<()> {
        for name in ["bin", "sbin", "lib", "lib64"] {
            let place = Path::new("/usr").join(name);
            self.archive.directory(&place)?;
            self.archive.link(&Path::new("/").join(name), place.strip_prefix("/")?)?;
        }
        for name in ["/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/modules"] {
            self.archive.directory(Path::new(name))?;
        }
        self.archive.text(Path::new("/etc/passwd"), 0o644, "root:x:0:0:root:/root:/bin/sh\n")?;
        self.archive.text(Path::new("/etc/hosts"), 0o644, "127.0.0.1 localhost\n")?;
        self.archive.file(Path::new("/usr/bin/busybox"), busybox)
    }

    /// A file at its own place, and at what its links lead to.
    fn file(&mut self, path: &Path) -> Result<PathBuf> {
        let real = path.canonicalize().with_context(|| format!("could not resolve {}", path.display()))?;
        self.archive.file(&real, &real)?;
        let place = merged(path);
        if place != real {
            self.archive.link(&place, &real)?;
        }
        Ok(real)
    }

    /// A program with the libraries it names.
    fn program(&mut self, path: &Path) -> Result<()> {
        let real = self.file(path)?;
        self.libraries(&[real])
    }

    fn libraries(&mut self, files: &[PathBuf]) -> Result<()> {
        let mut command = Command::new("ldd");
        for file in files {
            if self.linked.insert(file.clone()) {
                command.arg(file);
            }
        }
        if command.get_args().next().is_none() {
            return Ok(());
        }
        // It fails for a static program, which needs nothing.
        let listed = command.output().context("could not start ldd")?;
        for library in libraries(&String::from_utf8_lossy(&listed.stdout)) {
            self.file(Path::new(library))?;
        }
        Ok(())
    }

    /// Every file below a directory.
    fn tree(&mut self, folder: &Path, left_out: &[&str]) -> Result<()> {
        let mut libraries = Vec::new();
        let mut waiting = vec![folder.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in
                fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))?
            {
                let entry = entry?;
                let (path, name) = (entry.path(), entry.file_name());
                if left_out.iter().any(|left_out| name == *left_out) {
                    continue;
                }
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_symlink() {
                    self.archive.link(&merged(&path), &fs::read_link(&path)?)?;
                } else if kind.is_file() {
                    self.archive.file(&merged(&path), &path)?;
                    if path.extension().is_some_and(|extension| extension == "so") {
                        libraries.push(path);
                    }
                }
            }
        }
        self.libraries(&libraries)
    }

    /// Python with its library. Returns the folder of its program.
    fn python(&mut self) -> Result<PathBuf> {
        const WHERE: &str =
            "import sys, sysconfig; print(sys.executable); print(sysconfig.get_path('stdlib'))";
        let told = exec::output(Command::new("python3").args(["-c", WHERE]))?;
        let mut lines = told.lines().map(Path::new);
        let (Some(program), Some(library)) = (lines.next(), lines.next()) else {
            bail!("python3 does not say where it is");
        };
        self.program(program)?;
        self.tree(library, &LEFT_OUT)?;
        program.parent().map(Path::to_path_buf).context("python3 is in no folder")
    }
}

/// The files that ldd names.
fn libraries(listed: &str) -> Vec<&str> {
    let paths = listed.lines().filter_map(|line| {
        let line = line.trim();
        let path = line.split_once("=> ").map_or(line, |(_, path)| path);
        path.split_once(" (").map(|(path, _)| path)
    });
    paths.filter(|path| path.starts_with('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_ldd() {
        let listed = "/usr/bin/curl:\n\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\
                      \tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(libraries(listed), ["/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"]);
        assert_eq!(merged(Path::new("/lib64/ld.so")), Path::new("/usr/lib64/ld.so"));
        assert_eq!(merged(Path::new("/library/x")), Path::new("/library/x"));
    }

    #[test]
    fn the_executable_is_that_of_the_target() {
        let messages = "{\"target\":{\"name\":\"other\"},\"executable\":\"/x\"}\nno json\n\
                        {\"target\":{\"name\":\"capture\"},\"executable\":null}\n\
                        {\"target\":{\"name\":\"capture\"},\"executable\":\"/y\"}\n";
        assert_eq!(executable(messages, "capture"), Some(PathBuf::from("/y")));
    }
}
