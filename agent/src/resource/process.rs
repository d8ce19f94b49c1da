//! The resource of an observed process.

use std::path::Path;

use agent_capture::ProcessInfo;
use agent_genai::record::Attributes;
use serde_json::{Value, json};

use super::{Container, Host, common, variables};

/// Suffix that the kernel puts on the path of a program that was replaced while it runs.
const DELETED: &str = " (deleted)";

/// Programs whose name tells the language and the runtime: prefix of the file name, `telemetry.sdk.language`,
/// `process.runtime.name`. After the prefix only a version may follow.
const RUNTIMES: &[(&str, &str, &str)] = &[
    ("python", "python", "cpython"),
    ("pypy", "python", "pypy"),
    ("nodejs", "nodejs", "nodejs"),
    ("node", "nodejs", "nodejs"),
    ("bun", "nodejs", "bun"),
    ("deno", "nodejs", "deno"),
    ("java", "java", "java"),
    ("ruby", "ruby", "ruby"),
    ("php-fpm", "php", "php"),
    ("php", "php", "php"),
    ("dotnet", "dotnet", "dotnet"),
    ("beam.smp", "erlang", "BEAM"),
];

/// Builds resources; holds what is the same for all processes.
#[derive(Debug, Clone)]
pub struct ResourceBuilder {
    host: Host,
    common: Attributes,
    service_name: Option<String>,
}

impl ResourceBuilder {
    /// A builder for this host. `service_name` is the configured name for processes that do not name themselves.
    #[must_use]
    pub fn new(service_name: Option<String>) -> Self {
        Self::with_host(Host::read(), service_name)
    }

    /// A builder with the given facts of the host.
    #[must_use]
    pub fn with_host(host: Host, service_name: Option<String>) -> Self {
        Self { common: common(&host), host, service_name: service_name.filter(|name| !name.is_empty()) }
    }

    /// The resource of the agent itself.
    #[must_use]
    pub fn agent(&self) -> Attributes {
        let mut attributes = self.common.clone();
        attributes.insert("service.name".to_owned(), json!(super::DISTRO));
        attributes.insert("service.version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        attributes.insert("telemetry.sdk.language".to_owned(), json!("rust"));
        attributes.insert("process.pid".to_owned(), json!(std::process::id()));
        if !self.host.name.is_empty() {
            attributes.insert("service.instance.id".to_owned(), json!(self.host.name));
        }
        attributes
    }

    /// The resource of an observed process, with the builder's configured name.
    #[must_use]
    pub fn process(&self, process: &ProcessInfo) -> Attributes {
        self.process_named(process, None)
    }

    /// The resource of an observed process; `configured` is the name that the configuration has for this very process, and comes
    /// before the builder's.
    ///
    /// `service.name` is the first of: `OTEL_SERVICE_NAME` of the process, `service.name` in its `OTEL_RESOURCE_ATTRIBUTES`, its
    /// `WIRESPAN_SERVICE_NAME`, the configured name, the file name of its executable, its command name, and
    /// `unknown_service`. What the process says about itself comes before what is seen from outside, except for
    /// `process.*` and `telemetry.*`, which are facts.
    #[must_use]
    pub fn process_named(&self, process: &ProcessInfo, configured: Option<&str>) -> Attributes {
        let variable = |name: &str| {
            process.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let container = Container::from_cgroup(&process.cgroup);
        let mut attributes = self.common.clone();
        set(&mut attributes, "container.id", container.id.as_deref().unwrap_or_default());
        set(&mut attributes, "container.runtime.name", container.runtime.unwrap_or_default());
        set(&mut attributes, "k8s.pod.uid", container.pod_uid.as_deref().unwrap_or_default());
        if process.pid != 0 && !self.host.name.is_empty() {
            let id = instance_id(&self.host.name, u64::from(process.pid), process.start_time);
            attributes.insert("service.instance.id".to_owned(), json!(id));
        }

        let said =
            variable("OTEL_RESOURCE_ATTRIBUTES").map(variables::resource_attributes).unwrap_or_default();
        for (key, value) in said {
            if !key.starts_with("process.") && !key.starts_with("telemetry.") {
                attributes.insert(key, Value::String(value));
            }
        }

        let executable = process.executable.to_string_lossy();
        let path = executable.strip_suffix(DELETED).unwrap_or(&executable);
        let file =
            Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = variable("OTEL_SERVICE_NAME")
            .and_then(variables::service_name)
            .or_else(|| attributes.get("service.name").and_then(Value::as_str).map(str::to_owned))
            .or_else(|| variable("WIRESPAN_SERVICE_NAME").and_then(variables::service_name))
            .or_else(|| configured.filter(|name| !name.is_empty()).map(str::to_owned))
            .or_else(|| self.service_name.clone())
            .or_else(|| Some(file.clone()).filter(|name| !name.is_empty()))
            .or_else(|| Some(process.command.clone()).filter(|name| !name.is_empty()));
        set(&mut attributes, "service.name", name.as_deref().unwrap_or("unknown_service"));

        for (key, id) in [
            ("process.pid", process.pid),
            ("process.vpid", process.namespace_pid),
            ("process.parent_pid", process.parent_pid),
        ] {
            if id != 0 {
                attributes.insert(key.to_owned(), json!(id));
            }
        }
        set(&mut attributes, "process.executable.name", &file);
        set(&mut attributes, "process.executable.path", path);
        set(&mut attributes, "process.command", command(process));
        set(&mut attributes, "process.linux.cgroup", &process.cgroup);
        if process.pid != 0 {
            set(&mut attributes, "process.owner", &self.owner(process.uid, &container));
        }
        if let Some((language, runtime)) = runtime(&file) {
            set(&mut attributes, "telemetry.sdk.language", language);
            set(&mut attributes, "process.runtime.name", runtime);
        }
        attributes
    }

    /// The user's name. In a container the host's names do not apply: the number is all that is known.
    fn owner(&self, uid: u32, container: &Container) -> String {
        let name = self.host.users.get(&uid).filter(|_| container.id.is_none());
        name.cloned().unwrap_or_else(|| uid.to_string())
    }
}

fn set(attributes: &mut Attributes, key: &str, value: &str) {
    if !value.is_empty() {
        attributes.insert(key.to_owned(), json!(value));
    }
}

/// The command without its arguments, which may hold secrets. A first argument with spaces is a title that the program wrote
/// over its arguments: the command name is safer then.
fn command(process: &ProcessInfo) -> &str {
    match process.arguments.first() {
        Some(first) if !first.is_empty() && !first.contains(char::is_whitespace) => first,
        _ => &process.command,
    }
}

/// Language and runtime of an interpreter by its file name: `python3.11`, `node`, `php8.2`.
fn runtime(file: &str) -> Option<(&'static str, &'static str)> {
    RUNTIMES.iter().find_map(|(prefix, language, runtime)| {
        let version = file.strip_prefix(prefix)?;
        version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-')
            .then_some((*language, *runtime))
    })
}

/// An instance id made from the process: unique on a host also when process ids are reused.
fn instance_id(host: &str, pid: u64, start_time: u64) -> String {
    format!("{host}:{pid}:{start_time}")
}

/// Whether the instance id of a resource was made by [`instance_id`].
pub(super) fn made_instance_id(resource: &Attributes) -> bool {
    let text = |key: &str| resource.get(key).and_then(Value::as_str);
    match (
        text("service.instance.id"),
        text("host.name"),
        resource.get("process.pid").and_then(Value::as_u64),
    ) {
        (Some(id), Some(host), Some(pid)) => id.starts_with(&format!("{host}:{pid}:")),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
