//! Resource attributes of observed processes: the configured names, and what the host and the process themselves say.

use std::collections::{BTreeMap, HashMap};

use agent_capture::ProcessInfo;
use agent_genai::record::Attributes;
use serde_json::{Value, json};

use crate::{
    config::{ServiceNameRule, pattern::matches_if_given},
    engine::Resources,
    resource::{Host, ResourceBuilder},
};

/// Most user names that go into a capture file.
const MAX_USERS: usize = 1_000;

/// Makes the attributes of each process.
#[derive(Debug, Clone)]
pub struct ProcessResources {
    builder: ResourceBuilder,
    rules: Vec<ServiceNameRule>,
}

impl ProcessResources {
    /// For processes of `host`. `service_name` is the name of those that have none of their own and match no rule.
    #[must_use]
    pub fn new(host: Host, service_name: Option<String>, rules: Vec<ServiceNameRule>) -> Self {
        Self { builder: ResourceBuilder::with_host(host, service_name), rules }
    }

    /// The resource of wirespan itself.
    #[must_use]
    pub fn agent(&self) -> Attributes {
        self.builder.agent()
    }
}

impl Resources for ProcessResources {
    fn attributes(&self, process: &ProcessInfo) -> Attributes {
        let executable = process.executable.to_string_lossy();
        let rule = self.rules.iter().find(|rule| {
            let ServiceNameRule { executable: path, command, cgroup, name: _ } = rule;
            matches_if_given(path.as_deref(), &executable)
                && matches_if_given(command.as_deref(), &process.command)
                && matches_if_given(cgroup.as_deref(), &process.cgroup)
        });
        self.builder.process_named(process, rule.map(|rule| rule.name.as_str()))
    }
}

/// The host's facts as they go into the header of a capture file.
#[must_use]
pub fn host_to_header(host: &Host, service_name: Option<&str>) -> BTreeMap<String, Value> {
    let Host { name, id, arch, users } = host;
    let users: BTreeMap<String, &str> =
        users.iter().take(MAX_USERS).map(|(id, name)| (id.to_string(), name.as_str())).collect();
    let facts = [
        ("name", json!(name)),
        ("id", json!(id)),
        ("arch", json!(arch)),
        ("users", json!(users)),
        ("service_name", json!(service_name)),
    ];
    facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The host's facts, and the configured service name, out of the header of a capture file.
#[must_use]
pub fn host_from_header(facts: &BTreeMap<String, Value>) -> (Host, Option<String>) {
    let text = |key: &str| facts.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let users: HashMap<u32, String> = facts
        .get("users")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(id, name)| Some((id.parse().ok()?, name.as_str()?.to_owned())))
        .collect();
    let host = Host {
        name: text("name").unwrap_or_default(),
        id: text("id"),
        arch: text("arch").unwrap_or_default(),
        users,
    };
    (host, text("service_name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_names_the_service_unless_the_process_does() {
        let rule = |command: &str, name: &str| ServiceNameRule {
            executable: None,
            command: Some(command.into()),
            cgroup: None,
            name: name.into(),
        };
        let rules = vec![rule("gunicorn*", "shop"), rule("*", "rest")];
        let resources = ProcessResources::new(Host::default(), None, rules);
        let mut process =
            ProcessInfo { command: "gunicorn: w".into(), executable: "/bin/py".into(), ..Default::default() };
        assert_eq!(resources.attributes(&process)["service.name"], "shop");
        process.command = "node".into();
        assert_eq!(resources.attributes(&process)["service.name"], "rest");
        process.environment.push(("OTEL_SERVICE_NAME".into(), "own".into()));
        assert_eq!(resources.attributes(&process)["service.name"], "own");
    }

    #[test]
    fn a_host_survives_the_header() {
        let host = Host {
            name: "h".into(),
            id: Some("i".into()),
            arch: "amd64".into(),
            users: [(7, "u".to_owned())].into(),
        };
        assert_eq!(host_from_header(&host_to_header(&host, Some("s"))), (host.clone(), Some("s".to_owned())));
        assert_eq!(host_from_header(&host_to_header(&host, None)), (host, None));
        assert_eq!(host_from_header(&BTreeMap::new()), (Host::default(), None));
    }
}
