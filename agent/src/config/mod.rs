//! The configuration: one YAML file, checked against the schema that the types below generate.

pub mod pattern;
mod plain_http;
mod sections;
mod units;
mod unknown;

use std::{io, path::Path};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::export::ExportConfig;

pub use plain_http::{PlainHttpMode, PlainHttpSection};
pub use sections::{
    ApiSection, CaptureSection, CompatName, ContentRule, ContentSection, DEFAULT_SOCKET, LimitsSection,
    PricesSection, ProviderRule, ScopeSection, SecuritySection, SemconvSection, ServiceNameRule,
    StoreSection,
};
pub use units::{ByteSize, Span, UnitError};
pub use unknown::{UnknownKey, nearest};

/// Most bytes of a configuration file that are read.
const MAX_FILE: u64 = 4 << 20;

/// An example that uses every section, with comments. `wirespan config example` prints it.
pub const EXAMPLE: &str = include_str!("example.yaml");

/// wirespan's configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What to capture, and within which bounds.
    pub capture: CaptureSection,
    /// What wirespan itself may cost.
    pub limits: LimitsSection,
    /// What wirespan itself may do.
    pub security: SecuritySection,
    /// HTTP without TLS.
    pub plain_http: PlainHttpSection,
    /// Message content in spans.
    pub content: ContentSection,
    /// How spans and metrics are named.
    pub semconv: SemconvSection,
    /// Prices.
    pub prices: PricesSection,
    /// Names for the providers behind hosts; the first rule that matches decides.
    pub providers: Vec<ProviderRule>,
    /// Where spans and metrics go.
    pub export: ExportConfig,
    /// The local API.
    pub api: ApiSection,
    /// The calls kept in memory.
    pub store: StoreSection,
    /// Names for processes; the first rule that matches decides.
    pub service_name: Vec<ServiceNameRule>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is too long to be a configuration.
    #[error("the configuration {path} is longer than {MAX_FILE} bytes: is it the right file?")]
    TooLong {
        /// The file.
        path: String,
    },
    /// Not YAML, or a value of the wrong type.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong, with the line.
        message: String,
    },
    /// Keys that do not exist.
    #[error("{}", unknown_message(path, keys))]
    Unknown {
        /// The file.
        path: String,
        /// The keys, in the order of the file.
        keys: Vec<UnknownKey>,
    },
    /// A value that is of the right type but makes no sense.
    #[error("{path}: `{key}` {problem}")]
    Invalid {
        /// The file.
        path: String,
        /// Dotted path of the key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn unknown_message(path: &str, keys: &[UnknownKey]) -> String {
    keys.iter().map(|key| format!("{path}: {key}")).collect::<Vec<_>>().join("\n")
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// When it cannot be read, is not YAML, has unknown keys, or values that make no sense.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let read = |source| ConfigError::Read { path: name.clone(), source };
        let text = {
            use io::Read;
            let file = std::fs::File::open(path).map_err(read)?;
            let mut text = String::new();
            file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(read)?;
            text
        };
        if text.len() as u64 > MAX_FILE {
            return Err(ConfigError::TooLong { path: name });
        }
        Self::parse(&text, &name)
    }

    /// Reads and checks a YAML text; `name` is what messages call it. An empty text is the default configuration.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let parse_error = |error: serde_saphyr::Error| ConfigError::Parse {
            path: name.to_owned(),
            message: error.to_string(),
        };
        let only_comments = text.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line == "---"
        });
        if only_comments {
            return Ok(Self::default());
        }
        let node: unknown::Node = serde_saphyr::from_str(text).map_err(parse_error)?;
        let keys = unknown::find(&node, &schema());
        if !keys.is_empty() {
            return Err(ConfigError::Unknown { path: name.to_owned(), keys });
        }
        let config: Self = serde_saphyr::from_str(text).map_err(parse_error)?;
        config.check(name)?;
        Ok(config)
    }

    /// Checks what types cannot say.
    fn check(&self, name: &str) -> Result<(), ConfigError> {
        let invalid = |key: &str, problem: String| {
            Err(ConfigError::Invalid { path: name.to_owned(), key: key.to_owned(), problem })
        };
        let capture = &self.capture;
        if !(ByteSize(64 << 10)..=ByteSize::mib(1024)).contains(&capture.ring_size) {
            return invalid(
                "capture.ring_size",
                format!("is {}: it must be from 64KiB to 1GiB", capture.ring_size),
            );
        }
        if !(ByteSize(16 << 10)..=ByteSize::mib(1024)).contains(&capture.max_call_size) {
            return invalid(
                "capture.max_call_size",
                format!("is {}: it must be from 16KiB to 1GiB", capture.max_call_size),
            );
        }
        if !(16..=1_000_000).contains(&capture.max_connections) {
            return invalid(
                "capture.max_connections",
                format!("is {}: it must be from 16 to 1000000", capture.max_connections),
            );
        }
        if !(Span::millis(1)..=Span::secs(1)).contains(&capture.drain_interval) {
            return invalid(
                "capture.drain_interval",
                format!("is {}: it must be from 1ms to 1s", capture.drain_interval),
            );
        }
        if capture.idle_timeout < Span::secs(1) {
            return invalid(
                "capture.idle_timeout",
                format!("is {}: it must be 1s at least", capture.idle_timeout),
            );
        }
        if capture.memory < ByteSize::mib(1) {
            return invalid("capture.memory", format!("is {}: it must be 1MiB at least", capture.memory));
        }
        if let Some(cpu) = self.limits.cpu.filter(|cpu| !(0.001..=1024.0).contains(cpu)) {
            return invalid("limits.cpu", format!("is {cpu}: it must be from 0.001 to 1024 cores"));
        }
        if let Some(memory) = self.limits.memory.filter(|memory| *memory < ByteSize::mib(1)) {
            return invalid("limits.memory", format!("is {memory}: it must be 1MiB at least"));
        }
        if !(Span::secs(1)..=Span::secs(3600)).contains(&self.limits.window) {
            return invalid("limits.window", format!("is {}: it must be from 1s to 1h", self.limits.window));
        }
        let patience = self.limits.watchdog;
        if patience != Span::secs(0) && !(Span::millis(100)..=Span::secs(3600)).contains(&patience) {
            return invalid(
                "limits.watchdog",
                format!("is {patience}: it must be from 100ms to 1h, or 0s for none"),
            );
        }
        for (index, rule) in self.content.rules.iter().enumerate() {
            if rule.service.is_none() && rule.executable.is_none() && rule.command.is_none() {
                return invalid(
                    &format!("content.rules[{index}]"),
                    "names no workload: give `service`, `executable` or `command`, or set `content.enabled`"
                        .to_owned(),
                );
            }
        }
        for (index, rule) in self.service_name.iter().enumerate() {
            if rule.executable.is_none() && rule.command.is_none() && rule.cgroup.is_none() {
                return invalid(
                    &format!("service_name[{index}]"),
                    "names no process: give `executable`, `command` or `cgroup`".to_owned(),
                );
            }
        }
        for (index, rule) in self.providers.iter().enumerate() {
            if rule.host.is_empty() || rule.host.contains(['/', ':']) {
                return invalid(
                    &format!("providers[{index}].host"),
                    format!("is `{}`: it must be a host name, without scheme, port or path", rule.host),
                );
            }
        }
        Ok(())
    }
}

/// The JSON schema (draft 2020-12) of the configuration.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".into(), "wirespan configuration".into());
    schema.to_value()
}

#[cfg(test)]
mod tests;
