//! The host: name, id, architecture, and its user names.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use agent_genai::record::Attributes;
use serde_json::json;

/// Most bytes read of a system file.
const MAX_FILE: u64 = 1 << 20;

/// Facts of the host that the agent runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// `host.name`: the node name of the kernel.
    pub name: String,
    /// `host.id`: the machine id, where there is one.
    pub id: Option<String>,
    /// `host.arch`, in the words of the conventions.
    pub arch: String,
    /// User names by id, of `/etc/passwd`. Users of directory services are not in it and stay numbers.
    pub users: HashMap<u32, String>,
}

impl Host {
    /// Reads this host. What cannot be read is left out.
    #[must_use]
    pub fn read() -> Self {
        let uname = rustix::system::uname();
        let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .filter_map(|path| machine_id(&read(Path::new(path))?))
            .next();
        Self {
            name: uname.nodename().to_string_lossy().into_owned(),
            id,
            arch: arch(&uname.machine().to_string_lossy()).to_owned(),
            users: users(&read(Path::new("/etc/passwd")).unwrap_or_default()),
        }
    }

    pub(super) fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut set = |key: &str, value: &str| {
            if !value.is_empty() {
                attributes.insert(key.to_owned(), json!(value));
            }
        };
        set("host.name", &self.name);
        set("host.id", self.id.as_deref().unwrap_or_default());
        set("host.arch", &self.arch);
        set("os.type", "linux");
        attributes
    }
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A machine id is 32 hexadecimal digits; `uninitialized` and the like are none (machine-id(5)).
fn machine_id(text: &str) -> Option<String> {
    let id = text.trim();
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// The word of the conventions for a machine name of uname(2).
fn arch(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv6l" | "armv7l" => "arm32",
        "i386" | "i486" | "i586" | "i686" => "x86",
        "ppc64" | "ppc64le" => "ppc64",
        other => other,
    }
}

/// passwd(5): `name:password:uid:…`.
fn users(text: &str) -> HashMap<u32, String> {
    let mut users = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
            // The first line of an id counts, as in getpwuid(3).
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_can_be_read() {
        let host = Host::read();
        assert!(!host.name.is_empty());
        assert!(!host.arch.is_empty());
        assert_eq!(host.attributes()["os.type"], "linux");
    }

    #[test]
    fn system_files_are_read_strictly() {
        assert_eq!(
            machine_id("0123456789abcdef0123456789abcdef\n").as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
        assert_eq!(machine_id("uninitialized\n"), None);
        let users = users(
            "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n\nbroken\napp:x:1000:1000::/:/bin/sh",
        );
        assert_eq!(users.len(), 2);
        assert_eq!((users[&0].as_str(), users[&1000].as_str()), ("root", "app"));
        assert_eq!((arch("x86_64"), arch("aarch64"), arch("riscv64")), ("amd64", "arm64", "riscv64"));
    }
}
