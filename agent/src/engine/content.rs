//! Whether message content of a process is kept.

use agent_capture::ProcessInfo;
use agent_genai::record::Attributes;
use serde_json::Value;

use crate::config::{ContentRule, ContentSection, pattern::matches_if_given};

/// What the configuration says of this process: the first rule that matches, else the general switch.
pub(crate) fn is_kept(section: &ContentSection, process: &ProcessInfo, resource: &Attributes) -> bool {
    let service = resource.get("service.name").and_then(Value::as_str).unwrap_or_default();
    let executable = process.executable.to_string_lossy();
    section
        .rules
        .iter()
        .find(|rule| {
            let ContentRule { service: name, executable: path, command, enabled: _ } = rule;
            matches_if_given(name.as_deref(), service)
                && matches_if_given(path.as_deref(), &executable)
                && matches_if_given(command.as_deref(), &process.command)
        })
        .map_or(section.enabled, |rule| rule.enabled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rule = |service: Option<&str>, command: Option<&str>, enabled| ContentRule {
            service: service.map(Into::into),
            executable: None,
            command: command.map(Into::into),
            enabled,
        };
        let section = ContentSection {
            enabled: true,
            tool_descriptions: false,
            rules: vec![rule(Some("bank*"), None, false), rule(None, Some("node"), true)],
        };
        let process = |command: &str| ProcessInfo { command: command.into(), ..ProcessInfo::default() };
        let named = |name: &str| Attributes::from([("service.name".to_owned(), name.into())]);
        assert!(!is_kept(&section, &process("node"), &named("bank-api")));
        assert!(is_kept(&section, &process("node"), &named("shop")));
        assert!(is_kept(&section, &process("python3"), &Attributes::new()));
        let off = ContentSection { enabled: false, ..section };
        assert!(!is_kept(&off, &process("python3"), &Attributes::new()));
    }
}
